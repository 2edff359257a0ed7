"""The whole stage on Ray: exact accounts, reruns, changed settings, any number of workers."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evolray.config import RefineConfig, from_mapping
from evolray.errors import EvolrayError, UserError
from evolray.method.teacher import Call
from evolray.pool.layout import open_folder
from evolray.records import Seed
from evolray.refine import stage
from evolray.refine.manifest import RefineManifest
from evolray.refine.results import Refined

WORDS = [
    f"{first}{vowel}{last}" for first in "bdfgklmnprst" for vowel in "aeiou" for last in ("ra", "lin", "dor", "mek")
]
ITEMS = [
    {"id": "q1", "question": "Which three towns along the old canal kept their wooden locks after the great flood?"},
    {
        "id": "q2",
        "question": "How many lanterns hang in the hall of mirrors when every second one has been taken down?",
    },
]


def instruction(n: int) -> str:
    """25 words, always the same ones, hardly any of them those of another number."""
    return f"{' '.join(Random(n).choices(WORDS, k=24))}{' hard' if n % 4 == 1 else ' easy'}."


def original() -> str:
    """One that has a smaller id than its copies, so that it is the one that stays."""
    texts = (instruction(n) for n in range(40))
    return next(text for text in texts if root(text) < min(root(text.upper()), root(changed(text))))


def changed(text: str) -> str:
    return text.replace("easy", "other").replace("hard", "other")


def root(text: str) -> str:
    return Seed(text).root_id


def entries() -> Iterator[dict[str, str]]:
    """40 different instructions; of these one again in capitals, one with a word changed, and one with a leak."""
    for n in range(40):
        yield {"instruction": instruction(n), "output": f"Answer {n}."}
    yield {"instruction": original().upper(), "output": "Another answer."}
    yield {"instruction": changed(original()), "output": "Yet another."}
    yield {"instruction": f"Answer in one word. {ITEMS[0]['question']}", "output": "Three."}
    yield {"instruction": "Say nothing.", "output": ""}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    data, items = tmp_path / "seeds.jsonl", tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(entry) + "\n" for entry in entries()) + "not json\n")
    items.write_text("".join(json.dumps(item) + "\n" for item in ITEMS))
    return {"data": str(data), "contamination.benchmarks.canal": str(items)}


def refine(run: Path, values: dict[str, Any], **settings: Any) -> Refined:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return stage.refine(from_mapping(RefineConfig, {**values, "run": str(run), **dotted}))


def refined_by(run: Path, values: dict[str, Any], judge: Any, **settings: Any) -> Refined:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    config = from_mapping(RefineConfig, {**values, "run": str(run), "judge.kind": "scripted", **dotted})
    return stage.refine(config, script=judge)


def files_of(run: Path, folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / folder).iterdir())}


DROPPED = {"exact_duplicate": 1, "near_duplicate": 1, "leak": 1, "no_response": 1}


@pytest.mark.usefixtures("local_ray")
def test_every_record_is_in_the_mix_or_dropped_for_the_reason_that_was_planted(
    files: dict[str, str], tmp_path: Path
) -> None:
    found = refine(tmp_path / "mix", files, formats=["alpaca", "messages"])
    manifest = found.manifest
    assert (manifest.status, manifest.records, manifest.rejected) == ("complete", 44, 1)
    assert manifest.dropped == DROPPED and manifest.mix["records"] == 40
    assert manifest.sources[0] | {"path": ""} == {
        "name": "seeds", "path": "", "weight": None, "records": 44, "rejected": 1, "mix": 40,
    }  # fmt: skip
    assert [row["leaks"] for row in manifest.benchmarks] == [1] and manifest.benchmarks[0]["items"] == 2
    dropped = found.dropped().set_index("reason")
    stays = next(record.id for record in found.records() if record.instruction == original())
    assert dropped.loc["exact_duplicate", "detail"] == f"the same as {stays} of seeds"
    assert dropped.loc["near_duplicate", "detail"].startswith(f"resembles {stays} of seeds: 0.")
    assert "canal q1" in dropped.loc["leak", "detail"]
    assert set(found.dropped_for(stays)["kind"]) == {"exact_duplicate", "near_duplicate"}
    alpaca = json.loads((tmp_path / "mix" / "training" / "alpaca.json").read_text())
    assert len(alpaca) == 40 and set(manifest.hashes) == {
        "records/", "pool/", "training/alpaca.json", "training/messages.jsonl",
    }  # fmt: skip
    assert (
        "| near\\_duplicate | 1 |" in (tmp_path / "mix" / "card.md").read_text()
        or "near_duplicate" in (tmp_path / "mix" / "card.md").read_text()
    )


@pytest.mark.usefixtures("local_ray")
def test_the_mix_is_the_same_for_any_number_of_workers_and_refining_it_again_changes_nothing(
    files: dict[str, str], tmp_path: Path
) -> None:
    one = refine(tmp_path / "one", files, workers=1, shard_size=7, select__records=20)
    four = refine(tmp_path / "four", files, workers=4, shard_size=7, select__records=20)
    whole = refine(tmp_path / "whole", files, workers=2, select__records=20)
    assert one.manifest.mix == four.manifest.mix == whole.manifest.mix and one.manifest.mix["records"] == 20
    assert one.manifest.dropped == whole.manifest.dropped == {**DROPPED, "over_budget": 20}
    for folder in ("pool", "dropped"):
        assert files_of(tmp_path / "one", folder) == files_of(tmp_path / "four", folder)
    assert one.digest() == whole.digest()
    again = refine(tmp_path / "again", {**files, "data": str(tmp_path / "one")}, select__records=20)
    assert again.manifest.dropped == {} and again.manifest.records == 20 and again.digest() == one.digest()


@pytest.mark.usefixtures("local_ray")
def test_a_rerun_does_nothing_and_changed_settings_redo_what_depends_on_them(
    files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "mix"
    refine(run, files, shard_size=20)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    with caplog.at_level("INFO", "evolray"):
        refine(run, files, shard_size=20)
    assert "nothing to do" in caplog.text
    unchanged = {path for path, time in before.items() if path.exists() and path.stat().st_mtime_ns == time}
    changed = {path.relative_to(run).as_posix() for path in before.keys() - unchanged}
    assert changed <= {"run.yaml", ".lock"}

    refine(run, files, shard_size=20, select__records=10)
    moved = {path.parent.name for path, time in before.items() if not path.exists() or path.stat().st_mtime_ns != time}
    assert moved & {"records", "features", "signatures", "bands", "hashes", "leaks"} == set()
    assert {"pool", "dropped"} <= moved

    found = refine(run, files, shard_size=20, near_duplicates__threshold=1.0)
    assert found.manifest.dropped == {key: n for key, n in DROPPED.items() if key != "near_duplicate"}
    assert refine(run, {**files, "limit": 3}, shard_size=20).manifest.records == 3
    assert sorted(path.name for path in (run / "records").iterdir()) == ["00000.parquet"]


@pytest.mark.usefixtures("local_ray")
def test_the_judge_is_asked_about_what_may_be_in_the_mix_alone_and_never_twice(
    files: dict[str, str], tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()

    def judge(call: Call) -> str:
        text = call.messages[-1].content
        (asked / f"{len(list(asked.iterdir())):04d}").write_text(text)
        return "7" if " hard." in text else "3"

    values = {**files, "judging.difficulty": True, "select.min_difficulty": 5, "engine.shard_size": 10}
    found = refined_by(tmp_path / "mix", values, judge)
    manifest = found.manifest
    assert manifest.judged == {"records": 40, "unread": 0, "failed": 0} and manifest.calls == 40
    questions = [path.read_text() for path in asked.iterdir()]
    assert len(questions) == 40 and not any("EASY" in text or "HARD" in text or "canal" in text for text in questions)
    assert manifest.dropped == {**DROPPED, "too_easy": 40 - manifest.mix["records"]}
    assert manifest.mix["records"] == 10
    assert set(found.to_pandas()["difficulty"]) == {7}
    again = refined_by(tmp_path / "mix", values | {"select.min_difficulty": 3}, judge)
    assert len(list(asked.iterdir())) == 40 and again.manifest.mix["records"] == 40 and again.manifest.calls == 40


@pytest.mark.usefixtures("local_ray")
def test_a_source_that_cannot_be_read_leaves_a_manifest_that_says_so(files: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    fine = [{"instruction": f"Count to {n}.", "output": "..."} for n in range(200)]  # more than are looked at before
    broken.write_text(json.dumps(fine).removesuffix("]") + ', {"instruction": ')
    with pytest.raises(EvolrayError, match="broken") as error:
        refine(tmp_path / "mix", {**files, "data": [files["data"], str(broken)]})
    status = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    assert (status["status"], status["message"]) == ("stopped", str(error.value)) and error.value.exit_code == 2


@pytest.mark.usefixtures("local_ray")
def test_nothing_but_bad_entries_is_said_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "bad.jsonl"
    data.write_text('{"instruction": " "}\nnot json\n')
    with pytest.raises(UserError, match="all 2 entries are no records"):
        refine(tmp_path / "mix", {"data": str(data)})
    assert len(list((tmp_path / "mix" / "rejected").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"near_duplicates.of": "title"}, "near_duplicates.of=title: expected instruction, response, both"),
        ({"near_duplicates.threshold": 1.5}, "near_duplicates.threshold=1.5"),
        ({"shard_size": 0}, "shard_size=0: expected 1 or more"),
        ({"memory_mb": 1}, "memory_mb=1: expected 64 or more"),
        ({"formats": ["csv"]}, "formats: csv"),
        ({"contamination.ngram": 1}, "contamination.ngram"),
        ({"contamination.execution": True}, "contamination.execution=true needs the file of"),
        ({"contamination.benchmarks.other": "nowhere.jsonl"}, "nowhere.jsonl: no such file"),
        ({"select.order": "hardest", "select.records": 3}, "judging.difficulty=true"),
        ({"judging.difficulty": True, "judge.base_url": "http://localhost:9/v1"}, "judge.model is missing"),
        ({"data": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    settings: dict[str, Any], said: str, files: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        refine(tmp_path / "mix", {**files, **settings})
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "mix").exists()


def test_a_directory_of_another_stage_is_left_alone(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("config: {}\nidentity: {domain: open}\n")
    with pytest.raises(UserError, match="Choose another run="):
        refine(tmp_path, files)


def test_accounts_that_do_not_balance_are_a_bug_that_is_said() -> None:
    with pytest.raises(EvolrayError, match="do not balance: 5 records came in, 4 are"):
        RefineManifest("r", "complete", records=5, mix={"records": 3}, dropped={"leak": 1}).check()


def test_a_dry_run_says_what_is_there_and_what_the_judge_costs_and_writes_nothing(
    files: dict[str, str], tmp_path: Path
) -> None:
    values = {**files, "judging.difficulty": True, "judge.kind": "simulated", "run": str(tmp_path / "mix")}
    values["judge.price_per_million_prompt_tokens"] = 1000.0
    lines = stage.dry_run(from_mapping(RefineConfig, values))
    assert lines[0].startswith("seeds: 45 records in ") and "2 items of canal" in lines[1]
    assert lines[2].startswith("judging 45 records: at most about 45 calls, cost about ")
    assert not (tmp_path / "mix").exists()


def test_secrets_in_urls_are_nowhere_in_what_is_written(files: dict[str, str], tmp_path: Path) -> None:
    config = from_mapping(
        RefineConfig, {**files, "run": str(tmp_path / "mix"), "judge.base_url": "http://u:pw@h/v1?k=s"}
    )
    described = json.dumps(stage.described(stage.make_plan(config), open_folder(str(tmp_path)).url))
    assert "pw" not in described and "k=s" not in described and "http://***@h/v1" in described
