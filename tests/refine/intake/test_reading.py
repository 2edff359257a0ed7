"""Intake: every record and entry of a source comes in or is rejected with its line, the same in parts as in one go."""

import gzip
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.pool.accounts import Accounts
from evolray.pool.export import export
from evolray.pool.layout import LocalFolder, shards_in
from evolray.pool.shards import POOL, SCHEMAS, encode, read_rows, records_of, write_shard
from evolray.records import SEED, Outcome, Record, Seed, Turn
from evolray.refine.index import read_index
from evolray.refine.intake.plan import Plan, plan
from evolray.refine.intake.reading import ReadSource
from evolray.refine.intake.sources import Source
from evolray.refine.tables import RECORDS, RECORDS_SCHEMA, REJECTED

CONTEXT = (Turn("user", "Name a tree."), Turn("assistant", "Oak."))
ENTRIES = [{"instruction": f"Add {n}.", "output": f"{n}"} for n in range(25)]


def record(root: int, generation: int) -> Record:
    parent = f"{root:016x}.g{generation - 1}" if generation else None
    operator = "deepen" if generation else SEED
    text = f"{root} in generation {generation}"
    return Record(
        f"{root:016x}", generation, parent, "open", operator, "", text, "Yes.", CONTEXT, "m", 3, 2, generation
    )


RECORDS_MADE = [record(root, generation) for root in range(10) for generation in range(3)]


def pool_of(path: Path, records: list[Record], shard_size: int) -> str:
    folder = LocalFolder(str(path))
    folder.write("run.yaml", b"")
    for start in range(0, len(records), shard_size):
        some: list[Outcome] = [*records[start : start + shard_size]]
        accounts = Accounts()
        for one in some:
            accounts.incoming[one.generation] += 1
            accounts.count(one)
        write_shard(folder, start // shard_size, some, accounts, 2)
    return folder.url


def take_in(tmp_path: Path, made: Plan, name: str = "mix", backwards: bool = False) -> tuple[LocalFolder, Counter[str]]:
    folder = LocalFolder(str(tmp_path / name))
    total = Counter[str]()
    for part in sorted(range(len(made.parts)), reverse=backwards):
        total.update(ReadSource(made).run(folder, part))
    return folder, total


def came_in(folder: LocalFolder) -> list[tuple[str, Record]]:
    found = []
    for shard in shards_in(folder, RECORDS):
        table = pq.read_table(folder.path / f"records/{shard:05d}.parquet")
        assert table.schema.equals(RECORDS_SCHEMA)
        found += list(zip(table["source"].to_pylist(), records_of(table), strict=True))
        assert table["id"].to_pylist() == [one.id for one in records_of(table)]
    return found


def rejections(folder: LocalFolder) -> list[tuple[str, int, str]]:
    rows = [
        row for shard in shards_in(folder, REJECTED) for row in read_rows(folder, f"{REJECTED}/{shard:05d}.parquet")
    ]
    return [(row["source"], row["line"], row["reason"]) for row in rows]


def sizes(folder: LocalFolder) -> dict[int, int]:
    return {shard: len(read_rows(folder, f"records/{shard:05d}.parquet")) for shard in shards_in(folder, RECORDS)}


def files(folder: LocalFolder) -> dict[str, bytes]:
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def write_lines(path: Path, entries: list[Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return str(path)


# --- runs ---


@pytest.mark.parametrize("pool_shard", [4, 7, 30])
@pytest.mark.parametrize("limit", [None, 13])
def test_a_run_comes_in_in_shards_of_the_size_asked_for(tmp_path: Path, pool_shard: int, limit: int | None) -> None:
    run = pool_of(tmp_path / "run", RECORDS_MADE, pool_shard)
    folder, total = take_in(tmp_path, plan([Source("a", run)], 8, limit))
    wanted = RECORDS_MADE[:limit]
    assert came_in(folder) == [("a", one) for one in wanted]
    number = len(wanted)
    assert total == {
        "records": number, "rejected": 0, "records:a": number, "rejected:a": 0, "conversations": number,
    }  # fmt: skip
    assert list(sizes(folder).values())[:-1] == [8] * (len(sizes(folder)) - 1)
    assert len(read_index(folder, ("a",))) == len(wanted)


def test_the_mix_of_a_refine_run_is_a_source_with_its_own_columns_left_out(tmp_path: Path) -> None:
    run = LocalFolder(pool_of(tmp_path / "run", RECORDS_MADE, 30))
    table = pq.read_table(run.path / "pool/00000.parquet")
    table = table.append_column("source", pa.array(["x"] * 30)).append_column(
        "difficulty", pa.array([3] * 30, pa.int8())
    )
    pq.write_table(table, run.path / "pool/00000.parquet")
    folder, _ = take_in(tmp_path, plan([Source("a", run.url)], 100))
    assert came_in(folder) == [("a", one) for one in RECORDS_MADE]


# --- files ---


def test_an_entry_becomes_a_seed_of_its_own(tmp_path: Path) -> None:
    entry = {"instruction": " Add. ", "input": "1, 2", "output": "3", "domain": "math"}
    path = write_lines(tmp_path / "a.jsonl", [entry])
    folder, _ = take_in(tmp_path, plan([Source("a", path)], 8))
    root = Seed(" Add. ", "1, 2").root_id
    assert came_in(folder) == [("a", Record(root, 0, None, "math", SEED, "", "Add.\n1, 2", "3"))]


@pytest.mark.parametrize("kind", ["jsonl", "json", "json.gz", "parquet"])
@pytest.mark.parametrize("limit", [None, 13])
def test_every_container_gives_the_same_records(tmp_path: Path, kind: str, limit: int | None) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "jsonl":
        write_lines(path, ENTRIES)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ENTRIES), path)
    else:
        text = json.dumps(ENTRIES).encode()
        path.write_bytes(gzip.compress(text) if kind.endswith("gz") else text)
    made = plan([Source("a", str(path))], 8, limit)
    folder, total = take_in(tmp_path, made)
    assert [one.instruction for _, one in came_in(folder)] == [one["instruction"] for one in ENTRIES[:limit]]
    assert total["records"] == (limit or 25)
    assert sizes(folder) == ({0: 8, 1: 8, 2: 8, 3: 1} if limit is None else {0: 8, 1: 5})
    assert len(made.parts) == (len(sizes(folder)) if kind == "jsonl" else 1)


def test_lines_are_cut_where_entries_begin_and_keep_their_numbers(tmp_path: Path) -> None:
    """A byte order mark, blank lines, CRLF, no newline at the end, and entries that are none."""
    good = [json.dumps(entry) for entry in ENTRIES[:4]]
    lines = [
        "\ufeff" + good[0],
        "",
        "not JSON",
        good[1] + "\r",
        '{"instruction": " "}',
        "  ",
        good[2],
        '"text"',
        good[3],
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), newline="")
    for size in (1, 2, 3, 100):
        made = plan([Source("a", str(path))], size)
        folder, total = take_in(tmp_path, made, f"mix-{size}")
        assert [one.instruction for _, one in came_in(folder)] == ["Add 0.", "Add 1.", "Add 2.", "Add 3."]
        assert sorted(rejections(folder)) == [("a", line, "bad_entry") for line in (3, 5, 8)]
        assert (total["records"], total["rejected"]) == (4, 3)
        assert len(made.parts) == -(-7 // size)


def test_a_stream_of_bad_entries_is_written_down_bit_by_bit(tmp_path: Path) -> None:
    """Its memory must not grow with what it rejects."""
    entries: list[Any] = ["bad"] * 5 + ENTRIES[:3] + ["bad"] * 2
    (tmp_path / "a.json").write_text("[" + ",\n".join(map(json.dumps, entries)) + "]")
    folder, total = take_in(tmp_path, plan([Source("a", str(tmp_path / "a.json"))], 2))
    assert (total["records"], total["rejected"]) == (3, 7)
    assert [line for _, line, _ in rejections(folder)] == [1, 2, 3, 4, 5, 9, 10]
    assert shards_in(folder, REJECTED) == [0, 1, 2, 3] and sizes(folder) == {0: 2, 1: 1}


def test_entries_with_one_id_all_come_in(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [ENTRIES[0]] * 3)
    folder, _ = take_in(tmp_path, plan([Source("a", path)], 2))
    assert len({one.id for _, one in came_in(folder)}) == 1 and len(came_in(folder)) == 3


def test_columns_of_a_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"q": "Add 1.", "a": "1", "instruction": "no"}, {"q": "Add 2."}])
    columns = (("instruction", "q"), ("response", "a"))
    folder, _ = take_in(tmp_path, plan([Source("a", path, columns=columns)], 8))
    assert [(one.instruction, one.response) for _, one in came_in(folder)] == [("Add 1.", "1")]
    assert rejections(folder) == [("a", 2, "bad_entry")]


@pytest.mark.parametrize(
    ("said", "instruction", "response", "num_context"),
    [
        ("ua", "u0", "a1", 0),
        ("uaua", "u2", "a3", 2),
        ("suau", "u1", "a2", 1),
        ("uauu", "u0", "a1", 0),
        ("u", "u0", "", 0),
        ("auau", "u1", "a2", 1),
    ],
)
def test_of_a_conversation_the_last_answered_turn_is_the_instruction(
    tmp_path: Path, said: str, instruction: str, response: str, num_context: int
) -> None:
    names = {"u": "human", "a": "gpt", "s": "system"}
    turns = [{"from": names[who], "value": f"{who}{number}"} for number, who in enumerate(said)]
    path = write_lines(tmp_path / "a.jsonl", [{"conversations": turns}])
    folder, total = take_in(tmp_path, plan([Source("a", path)], 8))
    ((_, one),) = came_in(folder)
    assert (one.instruction, one.response, len(one.context)) == (instruction, response, num_context)
    assert total["conversations"] == (num_context > 0)


HOSTILE = [
    "x" * 90_000,
    "a\0b\x1b[31m",
    "<script>alert(1)</script>",
    "\u202eright to left",
    "日本語 \U0001f600",
    "…" * 999,
]


def test_hostile_texts_come_in_as_they_are_and_what_cannot_be_stored_is_rejected(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"instruction": one, "output": one} for one in [*HOSTILE, "\ud800"]])
    folder, total = take_in(tmp_path, plan([Source("a", path)], 8))
    assert [one.response for _, one in came_in(folder)] == HOSTILE
    assert rejections(folder) == [("a", 7, "bad_entry")] and total["rejected"] == 1


# --- exports of pools ---


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_an_export_keeps_its_lineage(tmp_path: Path, name: str) -> None:
    run = pool_of(tmp_path / "run", RECORDS_MADE, 7)
    export(run, tmp_path / name)
    made = plan([Source("a", str(tmp_path / name))], 8)
    folder, _ = take_in(tmp_path, made)
    assert came_in(folder) == [("a", one) for one in RECORDS_MADE]
    assert len(made.parts) == 4


def test_a_table_with_large_row_groups_is_read_in_parts_as_large(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(encode(POOL, RECORDS_MADE))
    made = plan([Source("a", str(tmp_path / "a.parquet"))], 8)
    assert [part.shard for part in made.parts] == [0, 3]
    folder, _ = take_in(tmp_path, made)
    assert came_in(folder) == [("a", one) for one in RECORDS_MADE] and sizes(folder) == {0: 8, 1: 8, 2: 8, 3: 6}


def test_rows_of_a_table_that_are_no_records_are_rejected(tmp_path: Path) -> None:
    rows = [{"id": "?", **asdict(one)} for one in RECORDS_MADE[:7]]
    for at, change in enumerate(({}, {"root_id": "tree"}, {"generation": None}, {"instruction": " \n"})):
        rows[at] |= change
    rows[4] |= {"context": [{"role": "user", "content": None}]}
    rows[5] |= {"response": None, "teacher": None, "context": None, "prompt_tokens": None}
    pq.write_table(pa.Table.from_pylist(rows, SCHEMAS[POOL]), tmp_path / "a.parquet")
    folder, total = take_in(tmp_path, plan([Source("a", str(tmp_path / "a.parquet"))], 8))
    mended = replace(RECORDS_MADE[5], response="", teacher="", context=(), prompt_tokens=0)
    assert [one for _, one in came_in(folder)] == [RECORDS_MADE[0], mended, RECORDS_MADE[6]]
    assert rejections(folder) == [("a", row, "bad_entry") for row in (2, 3, 4, 5)]
    assert (total["records"], total["rejected"]) == (3, 4)


def test_a_text_of_a_table_that_is_no_utf8_costs_its_row(tmp_path: Path) -> None:
    table = pq.read_table(pa.BufferReader(encode(POOL, RECORDS_MADE[:3])))
    broken = pa.array([b"fine", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    at = table.schema.get_field_index("response")
    pq.write_table(table.set_column(at, SCHEMAS[POOL].field("response"), broken), tmp_path / "a.parquet")
    folder, _ = take_in(tmp_path, plan([Source("a", str(tmp_path / "a.parquet"))], 8))
    assert [one.id for _, one in came_in(folder)] == [RECORDS_MADE[0].id, RECORDS_MADE[2].id]
    assert rejections(folder) == [("a", 2, "bad_entry")]


def test_columns_that_only_look_like_lineage_make_no_lineage(tmp_path: Path) -> None:
    entry = {"instruction": "Add 1.", "root_id": "tree", "generation": 3}
    folder, _ = take_in(tmp_path, plan([Source("a", write_lines(tmp_path / "a.jsonl", [entry]))], 8))
    ((_, one),) = came_in(folder)
    assert (one.root_id, one.generation) == (Seed("Add 1.").root_id, 0)
    entries = [{"root_id": "a" * 16, "generation": generation, "instruction": "x"} for generation in (1.5, -1, 99999)]
    folder, total = take_in(tmp_path, plan([Source("b", write_lines(tmp_path / "b.jsonl", entries))], 8), "second")
    assert (total["records"], total["rejected"]) == (0, 3)


# --- places that are no local path ---


def test_urls_are_read_like_paths(tmp_path: Path) -> None:
    """file:// goes the way of s3://: through pyarrow's file systems."""
    run = pool_of(tmp_path / "run", RECORDS_MADE, 7)
    export(run, tmp_path / "b.parquet")
    (tmp_path / "c.json").write_text(json.dumps(ENTRIES))
    write_lines(tmp_path / "d.jsonl", ENTRIES)
    places = [f"file://{tmp_path}/{name}" for name in ("run", "b.parquet", "c.json", "d.jsonl")]
    made = plan([Source(str(number), place) for number, place in enumerate(places)], 8)
    folder, total = take_in(tmp_path, made)
    assert [total[f"records:{number}"] for number in range(4)] == [30, 30, 25, 25]
    assert [one for name, one in came_in(folder) if name in "01"] == RECORDS_MADE * 2
    assert made.contents[3].startswith("size ") and made.contents[0].startswith("sha256 of footers ")


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "run"])
def test_a_source_that_went_away_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "run":
        pool_of(path, RECORDS_MADE, 7)
    elif kind == "parquet":
        path.write_bytes(encode(POOL, RECORDS_MADE))
    else:
        write_lines(path, ENTRIES)
    made = plan([Source("a", str(path))], 8)
    (path / "pool/00000.parquet" if kind == "run" else path).unlink()
    with pytest.raises(UserError, match=rf"a\.{kind}"):
        take_in(tmp_path, made)


# --- several sources ---


def test_numbers_of_shards_need_no_coordination_and_do_not_depend_on_order(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(ENTRIES))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(json.dumps(ENTRIES[:5]).encode()))
    made = plan(
        [
            Source("b", str(tmp_path / "b.json")),
            Source("a", pool_of(tmp_path / "run", RECORDS_MADE, 7)),
            Source("c", str(tmp_path / "c.json.gz")),
            Source("d", write_lines(tmp_path / "d.jsonl", ENTRIES)),
        ],
        10,
    )
    folder, total = take_in(tmp_path, made)
    assert Counter(name for name, _ in came_in(folder)) == {"a": 30, "b": 25, "c": 5, "d": 25}
    assert {key: number for key, number in total.items() if key.startswith("records")} == {
        "records": 85, "records:a": 30, "records:b": 25, "records:c": 5, "records:d": 25,
    }  # fmt: skip
    assert sizes(folder) == {0: 10, 1: 10, 2: 10, 3: 10, 4: 10, 5: 5, 6: 10, 7: 5, 8: 10, 10: 5}
    again, _ = take_in(tmp_path, made, "again", backwards=True)
    assert files(folder) == files(again)
    index = read_index(folder, ("b", "a", "c", "d"))
    assert len(index) == 85 and len(index.rows(10)) == 5


def test_a_fingerprint_tells_other_contents(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", ENTRIES)
    run = pool_of(tmp_path / "run", RECORDS_MADE, 7)

    def fingerprint(size: int = 8, limit: int | None = None, name: str = "a", path: str = path) -> str:
        return plan([Source(name, path)], size, limit).fingerprint

    first = fingerprint()
    assert fingerprint() == first and len(first) == 64
    assert len({first, fingerprint(9), fingerprint(limit=3), fingerprint(name="b"), fingerprint(path=run)}) == 5
    before = fingerprint(path=run)
    write_lines(Path(path), ENTRIES[:-1])
    assert fingerprint() != first
    pool_of(tmp_path / "run", [replace(one, response="No.") for one in RECORDS_MADE], 7)
    assert fingerprint(path=run) != before
