"""The data card: what it says, in a form that the Hub reads, whatever the texts hold."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.config import RefineConfig
from evolray.config.refine import ContaminationConfig, JudgingConfig, SelectConfig
from evolray.pool.layout import LocalFolder
from evolray.pool.shards import POOL, to_table
from evolray.records import SEED, Record, Turn
from evolray.refine.manifest import RefineManifest
from evolray.refine.mix.card import CardFacts, write_card
from evolray.refine.mix.markdown import fenced, inline, table
from evolray.refine.tables import MIX_SCHEMA, write_table

NASTY = "```\nout of it\n````\n# Title\n<script>alert(1)</script> | \u202eabc\x1b[31m"
SECRET = "s3://key:secret@bucket/pool"


def pool(folder: LocalFolder, records: list[Record]) -> None:
    half = len(records) // 2
    for shard, some in enumerate((records[:half], [], records[half:])):
        made = to_table(POOL, some)
        columns = {"source": ["a"] * len(some), "difficulty": [4] * len(some), "skills": [None] * len(some)}
        for name, values in columns.items():
            made = made.append_column(name, [values] if values else [MIX_SCHEMA.empty_table()[name].combine_chunks()])
        write_table(folder, f"pool/{shard:05d}.parquet", made.cast(MIX_SCHEMA))


def record(root: int, text: str = "Question?", **changes: Any) -> Record:
    return Record(f"{root:016x}", 0, None, "open", SEED, "", text, text, changes.get("context", ()), "gpt-4")


def facts(run: str, **settings: Any) -> CardFacts:
    config = RefineConfig(run=run, data="a", **settings)
    manifest = RefineManifest(
        run, "complete", records=100, rejected=3,
        dropped={"exact_duplicate": 20, "near_duplicate": 0, "over_budget": 70},
        sources=[
            {"name": "a", "path": SECRET, "weight": 2.0, "records": 60, "rejected": 3, "mix": 8},
            {"name": "b|c", "path": "b.json", "weight": 1.0, "records": 40, "rejected": 0, "mix": 2},
        ],
        benchmarks=[{"name": "mbpp", "path": "mbpp.jsonl", "items": 500, "sha256": "ab" * 32, "leaks": 7}],
        hashes={"records": "12" * 32, "training/alpaca.json": "34" * 32},
    )  # fmt: skip
    counts = {
        "records": 100, "mix": 10, "dropped": 90, "tokens": 12345, "source:a": 8, "source:b|c": 2, "generation:0": 6,
        "generation:2": 4, "operator:seed": 6, "operator:deepen": 4, "domain:": 10, "teacher:gpt-4": 7, "teacher:": 2,
        "teacher:simulated": 1, "difficulty:10": 1, "difficulty:4": 9,
    }  # fmt: skip
    return CardFacts(config, manifest, counts)


def card(tmp_path: Path, records: list[Record] | None = None, **settings: Any) -> str:
    folder = LocalFolder(str(tmp_path / "my-mix"))
    pool(folder, records if records is not None else [record(n) for n in range(9)])
    write_card(folder, facts(folder.url, **settings))
    return folder.read("card.md").decode()


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_head_is_what_the_hub_reads(tmp_path: Path) -> None:
    _, head, text = card(tmp_path).split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["license"] == "other" and fields["size_categories"] == ["n<1K"]
    assert fields["configs"] == [{"config_name": "default", "data_files": "pool/*.parquet"}]
    assert "synthetic" in fields["tags"] and fields["pretty_name"] == "my-mix"
    assert text.lstrip().startswith("# my-mix\n")


def test_sources_are_named_without_their_credentials(tmp_path: Path) -> None:
    text = card(tmp_path)
    assert "secret" not in text
    assert r"| a | s3://\*\*\*@bucket/pool | 2 | 60 | 3 | 8 |" in section(text, "Sources")
    assert r"| b\|c | b.json | 1 | 40 | 0 | 2 |" in section(text, "Sources")


def test_responses_of_the_simulated_teacher_are_flagged(tmp_path: Path) -> None:
    text = section(card(tmp_path), "Teachers")
    assert "| gpt-4 | 7 |" in text and "| none: the source's own | 2 |" in text
    assert "understands nothing: 1." in text and "do not train on them" in text


def test_steps_show_what_each_left(tmp_path: Path) -> None:
    select = SelectConfig(records=10, balance="domain", generations=[0, 2], min_words=3)
    text = section(card(tmp_path, select=select, judging=JudgingConfig(difficulty=True)), "How it was refined")
    assert "| take in | 3 entries were no records | 0 | 100 |" in text
    assert "| exact duplicates | same instruction after normalisation | 20 | 80 |" in text
    assert re.search(r"\| near-duplicates \| MinHash of instruction, .* \| 0 \| 80 \|", text)
    assert re.search(r"\| judge \| difficulty by .* \| 0 \| 80 \|", text)
    assert "| filters | generations 0, 2; words from 3; a response | 0 | 80 |" in text
    assert "| budget | 10 records, equal shares by domain, order random, seed 0 | 70 | 10 |" in text
    assert "benchmark" not in text


def test_drops_by_reason_and_their_sum(tmp_path: Path) -> None:
    text = section(card(tmp_path), "What was dropped")
    assert "| exact_duplicate | 20 |\n| over_budget | 70 |\n| all | 90 |" in text


def test_it_says_so_when_no_benchmark_was_checked(tmp_path: Path) -> None:
    assert "**Not checked against any benchmark.**" in section(card(tmp_path), "Benchmarks")


def test_it_says_which_benchmarks_were_checked_and_what_was_found(tmp_path: Path) -> None:
    settings = ContaminationConfig(benchmarks={"mbpp": "mbpp.jsonl"}, execution=True)
    text = section(card(tmp_path, contamination=settings), "Benchmarks")
    assert "| mbpp | mbpp.jsonl | 500 | 7 |" in text
    assert (
        "8 words or code tokens in a row, covering at least 0.5" in text and "pass a benchmark problem's tests" in text
    )
    assert "cannot be shown" in text


def test_counts_by_number_where_names_are_numbers(tmp_path: Path) -> None:
    text = section(card(tmp_path), "What is in it")
    assert "| 4 | 9 |\n| 10 | 1 |" in text and "| none given | 10 |" in text


def test_examples_are_the_same_for_a_seed_and_cut(tmp_path: Path) -> None:
    records = [record(n, "word " * 1000, context=(Turn("user", "Hi."),)) for n in range(9)]
    text = card(tmp_path, records)
    assert text == card(tmp_path, records)
    assert text != card(tmp_path, records, select=SelectConfig(seed=1))
    shown = section(text, "Examples")
    assert shown.count("\n**") == 5 and shown.count("[... 3,800 more characters]") == 10
    assert shown.startswith("\n5 of 9, drawn at random")
    assert "(seed, from a, difficulty 4, after 1 turns of a conversation)" in shown


def test_hostile_texts_stay_within_their_fences(tmp_path: Path) -> None:
    text = section(card(tmp_path, [record(n, NASTY) for n in range(2)]), "Examples")
    fences = [line for line in text.splitlines() if set(line) == {"`"} or line.endswith("`text")]
    assert fences == ["`````text", "```", "````", "`````"] * 4
    assert "\x1b" not in text and "\u202e" not in text and "<U+202E>abc<U+001B>" in text


def test_an_empty_mix_has_a_card(tmp_path: Path) -> None:
    assert "0 of 0, drawn at random" in card(tmp_path, [])


def test_hashes_are_all_there(tmp_path: Path) -> None:
    text = section(card(tmp_path), "Hashes")
    assert f"`{'12' * 32}`" in text and f"`{'34' * 32}`" in text and f"`{'ab' * 32}`" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("two\nlines\t`x`", r"two lines \`x\`"),
        ("\x00\u202e", r"\<U+0000\>\<U+202E\>"),
        ("[a](b) *c* _d_ #e \\", r"\[a\](b) \*c\* \_d\_ \#e \\"),
    ],
)
def test_inline_texts_hold_no_marks(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_fences_are_longer_than_any_in_the_text() -> None:
    assert fenced("plain", 10) == "```text\nplain\n```"
    assert fenced("a ``` b `````", 99).startswith("``````text\n")
    assert fenced("abcdef", 3) == "```text\nabc\n[... 3 more characters]\n```"


def test_tables_have_numbers_to_the_right() -> None:
    assert table(["a", "b"], [["x", 1000]]) == "| a | b |\n| --- | --: |\n| x | 1,000 |"
    assert json.dumps(table(["a"], [])) == '"| a |\\n| --- |"'
