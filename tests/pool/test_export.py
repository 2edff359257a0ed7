"""A pool as one file: the three formats, and nothing left behind when one cannot be written."""

import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import EvolrayError, UserError
from evolray.pool.accounts import Accounts
from evolray.pool.export import FORMATS, export, export_into
from evolray.pool.layout import LocalFolder
from evolray.pool.pool import Pool
from evolray.pool.seeds import read_seeds
from evolray.pool.shards import POOL, SCHEMAS, read_records, read_table, write_shard
from evolray.records import SEED, Eliminated, Outcome, Record, Seed, Turn

CONTEXT = (Turn("user", "Name a tree."), Turn("assistant", "Oak."))
NASTY = 'two\nlines, "quoted", \\, {braces}, é, 日本語, \u2028, \0'
PLAIN: list[list[Outcome]] = [
    [
        Record("a" * 16, 0, None, "open", SEED, "", "Name a tree.", "Oak."),
        Record("b" * 16, 0, None, "open", SEED, "", NASTY, NASTY),
    ],
    [
        Record("c" * 16, 0, None, "math", SEED, "", "1 + 1?", "2"),
        Eliminated("c" * 16, 1, None, "math", "simplify", "", "unchanged", "evolve", "1 + 1?"),
    ],
]
TALK: list[list[Outcome]] = [[Record("d" * 16, 0, None, "open", SEED, "", "And a flower?", "Rose.", CONTEXT)]]


def pool_of(path: Path, shards: list[list[Outcome]]) -> Pool:
    folder = LocalFolder(str(path))
    folder.write("run.yaml", b"")
    for shard, outcomes in enumerate(shards):
        accounts = Accounts()
        for outcome in outcomes:
            accounts.incoming[outcome.generation] += 1
            accounts.count(outcome)
        write_shard(folder, shard, outcomes, accounts, 1)
    return Pool(folder.url)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return pool_of(tmp_path / "run", PLAIN)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_alpaca_json_is_a_list_of_instruction_input_and_output(pool: Pool, out: Path) -> None:
    assert export(pool, out / "alpaca.json") == 3
    assert json.loads((out / "alpaca.json").read_text("utf-8")) == [
        {"instruction": "Name a tree.", "input": "", "output": "Oak."},
        {"instruction": NASTY, "input": "", "output": NASTY},
        {"instruction": "1 + 1?", "input": "", "output": "2"},
    ]


def test_jsonl_has_a_line_per_record_with_its_lineage_and_context(tmp_path: Path, out: Path) -> None:
    pool = pool_of(tmp_path / "run", PLAIN + TALK)
    assert export(pool, out / "pool.jsonl") == 4
    lines = (out / "pool.jsonl").read_bytes().decode().removesuffix("\n").split("\n")
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [f"{letter * 16}.g0" for letter in "abcd"]
    assert rows[1]["instruction"] == rows[1]["response"] == NASTY
    assert rows[3]["context"] == [{"role": turn.role, "content": turn.content} for turn in CONTEXT]
    assert set(rows[0]) == {"id", *Record.__dataclass_fields__}


def test_parquet_has_the_columns_of_the_pool(tmp_path: Path, out: Path) -> None:
    pool = pool_of(tmp_path / "run", PLAIN + TALK)
    assert export(pool, out / "pool.parquet") == 4
    table = pq.read_table(out / "pool.parquet")
    assert table.schema.names == SCHEMAS[POOL].names
    LocalFolder(str(out)).write("pool/00000.parquet", (out / "pool.parquet").read_bytes())
    assert list(read_records(LocalFolder(str(out)), 0)) == list(pool.records())


def test_sharegpt_is_a_list_of_conversations(tmp_path: Path, out: Path) -> None:
    system = Record("e" * 16, 0, None, "open", SEED, "", "Hi.", "", (Turn("system", NASTY),))
    pool = pool_of(tmp_path / "run", [*PLAIN, *TALK, [system]])
    assert export(pool, out / "a.json", "sharegpt") == 5
    rows = json.loads((out / "a.json").read_text("utf-8"))
    assert rows[0] == {
        "id": f"{'a' * 16}.g0",
        "conversations": [{"from": "human", "value": "Name a tree."}, {"from": "gpt", "value": "Oak."}],
    }
    assert [turn["from"] for turn in rows[3]["conversations"]] == ["human", "gpt", "human", "gpt"]
    assert rows[4]["conversations"] == [{"from": "system", "value": NASTY}, {"from": "human", "value": "Hi."}]


def test_messages_are_lines_of_roles_and_contents(tmp_path: Path, out: Path) -> None:
    pool = pool_of(tmp_path / "run", PLAIN + TALK)
    assert export(pool, out / "a.jsonl", format="messages") == 4
    rows = [json.loads(line) for line in (out / "a.jsonl").read_bytes().decode().removesuffix("\n").split("\n")]
    assert rows[1]["messages"] == [{"role": "user", "content": NASTY}, {"role": "assistant", "content": NASTY}]
    assert rows[3] == {
        "id": f"{'d' * 16}.g0",
        "messages": [
            *({"role": turn.role, "content": turn.content} for turn in CONTEXT),
            {"role": "user", "content": "And a flower?"},
            {"role": "assistant", "content": "Rose."},
        ],
    }


@pytest.mark.parametrize("format", ["sharegpt", "messages"])
def test_conversations_are_read_back_as_the_same_records(tmp_path: Path, out: Path, format: str) -> None:
    pool = pool_of(tmp_path / "run", PLAIN + TALK)
    export(pool, out / f"a{FORMATS[format]}", format)
    seeds = list(read_seeds(str(out / f"a{FORMATS[format]}")))
    told = [(one.instruction, one.response, one.context) for one in pool.records()]
    assert [(one.instruction, one.response, one.context) for one in seeds if isinstance(one, Seed)] == told


def test_a_format_and_its_suffix_go_together(pool: Pool, out: Path) -> None:
    with pytest.raises(UserError, match=r"a\.jsonl: sharegpt goes into a file that ends in \.json; name it so"):
        export(pool, out / "a.jsonl", "sharegpt")
    with pytest.raises(UserError, match="cannot export as csv; expected some of alpaca, jsonl, sharegpt"):
        export(pool, out / "a.jsonl", "csv")
    assert list(out.iterdir()) == []


def test_a_mix_keeps_its_own_columns_as_parquet(pool: Pool, out: Path) -> None:
    folder = pool.folder
    for shard in pool.shards:
        table = read_table(folder, f"pool/{shard:05d}.parquet")
        sink = io.BytesIO()
        pq.write_table(table.append_column("difficulty", pa.array([3] * len(table), pa.int8())), sink)
        folder.write(f"pool/{shard:05d}.parquet", sink.getvalue())
    export(pool, out / "a.parquet")
    assert pq.read_table(out / "a.parquet")["difficulty"].to_pylist() == [3, 3, 3]
    assert export(pool, out / "a.jsonl") == 3
    assert "difficulty" not in json.loads((out / "a.jsonl").read_text().splitlines()[0])


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_run_directory_gets_it_in_training(pool: Pool, tmp_path: Path, format: str) -> None:
    folder = LocalFolder(str(tmp_path / "mix"))
    name = export_into(folder, pool, format)
    assert name == f"training/{format}{FORMATS[format]}"
    export(pool, tmp_path / f"same{FORMATS[format]}", format)
    assert folder.read(name) == (tmp_path / f"same{FORMATS[format]}").read_bytes()


def test_a_run_is_exported_by_its_path_into_folders_that_are_made(pool: Pool, out: Path) -> None:
    assert export(pool.folder.url, str(out / "new" / "folder" / "pool.jsonl")) == 3
    assert (out / "new" / "folder" / "pool.jsonl").exists()


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet"])
def test_an_empty_pool_is_an_empty_file_of_its_format(tmp_path: Path, out: Path, name: str) -> None:
    assert export(pool_of(tmp_path / "run", []), out / name) == 0
    if name == "a.json":
        assert json.loads((out / name).read_text()) == []
    elif name == "a.jsonl":
        assert (out / name).read_text() == ""
    else:
        assert pq.read_table(out / name).num_rows == 0


def test_a_file_that_was_there_is_replaced(pool: Pool, out: Path) -> None:
    (out / "a.jsonl").write_text("before")
    export(pool, out / "a.jsonl")
    assert (out / "a.jsonl").read_text().count("\n") == 3
    assert [file.name for file in out.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("name", ["pool", "pool.csv", "pool.json.gz", "pool.JSON"])
def test_another_suffix_is_refused_with_those_that_are_known(pool: Pool, out: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"cannot export to .*; expected \.json, \.jsonl, \.parquet"):
        export(pool, out / name)
    assert list(out.iterdir()) == []


def test_alpaca_json_refuses_a_conversation_and_leaves_what_was_there(tmp_path: Path, out: Path) -> None:
    (out / "a.json").write_text("before")
    with pytest.raises(UserError, match=rf"{'d' * 16}\.g0 belongs to a conversation.*export to \.jsonl or \.parquet"):
        export(pool_of(tmp_path / "run", PLAIN + TALK), out / "a.json")
    assert {file.name: file.read_text() for file in out.iterdir()} == {"a.json": "before"}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet"])
def test_a_failure_midway_leaves_nothing_behind(
    pool: Pool, out: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EvolrayError, match="no space left") as raised:
        export(pool, out / name)
    assert raised.value.exit_code == 1
    assert list(out.iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(pool: Pool, out: Path) -> None:
    (out / "file").write_text("")
    with pytest.raises(EvolrayError, match="cannot write"):
        export(pool, out / "file" / "a.jsonl")
    (out / "folder.jsonl").mkdir()
    with pytest.raises(EvolrayError, match="cannot write"):
        export(pool, out / "folder.jsonl")
    assert sorted(file.name for file in out.iterdir()) == ["file", "folder.jsonl"]


def test_a_place_without_a_run_is_refused(tmp_path: Path, out: Path) -> None:
    with pytest.raises(UserError, match="no evolray run here"):
        export(str(tmp_path / "nowhere"), out / "a.jsonl")
    assert list(out.iterdir()) == []
