"""Shards: what goes in comes out, the same rows are the same bytes, and unbalanced accounts are not written."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evolray.errors import EvolrayError
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.pool.shards import (
    ELIMINATED,
    FAILED,
    POOL,
    SCHEMAS,
    SEEDS,
    encode,
    read_accounts,
    read_records,
    read_rows,
    read_seed_shard,
    write_shard,
)
from evolray.records import SEED, Eliminated, Failed, Outcome, Record, Seed, Turn

ROOT_A, ROOT_B = "a" * 16, "b" * 16
CONTEXT = (Turn("system", "Be brief."), Turn("user", "日本語?"), Turn("assistant", ""))
NASTY = "two\nlines\t\0 'quoted' {braces} 😀 \u2028"
SELF_EXPLAINING = {"instruction", "input"}  # columns of the seeds that need no words

SEED_A = Record(ROOT_A, 0, None, "open", SEED, "", "Name a tree.", "Oak.")
CHILD_A = Record(
    ROOT_A, 2, f"{ROOT_A}.g0", "open", "complicate_input", "XML data", NASTY, NASTY, CONTEXT, "m", 30_000, 2**31 - 1, 2
)  # fmt: skip
REJECTED_A = Eliminated(
    ROOT_A, 1, f"{ROOT_A}.g0", "open", "deepen", "", "refusal", "respond", NASTY, "sorry", CONTEXT, "m", 7, 9
)  # fmt: skip
FAILED_B = [
    Failed(ROOT_B, 0, SEED, "timeout", "no answer in 300 s", None, "seeds.jsonl", 2**40),
    Failed(ROOT_B, 1, "mutate", "earlier_generation", NASTY, f"{ROOT_B}.g0"),
    Failed(ROOT_B, 2, "deepen", "earlier_generation", "", f"{ROOT_B}.g0"),
]
OUTCOMES: list[Outcome] = [SEED_A, REJECTED_A, CHILD_A, *FAILED_B]


def counted(outcomes: list[Outcome], roots: int = 2, generations: int = 2) -> Accounts:
    accounts = Accounts(usage={"evolve": Usage(3, 30, 3)})
    for generation in range(generations + 1):
        accounts.incoming[generation] = roots
    for outcome in outcomes:
        accounts.count(outcome)
    return accounts


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path))


def test_records_come_back_as_they_were_ordered_by_root_and_generation(folder: Folder) -> None:
    write_shard(folder, 0, reversed(OUTCOMES), counted(OUTCOMES), generations=2)
    assert list(read_records(folder, 0)) == [SEED_A, CHILD_A]
    first, second = list(read_records(folder, 0))
    assert first.parent_id is None and second.context == CONTEXT


def test_what_was_rejected_and_what_failed_is_kept_with_its_reason(folder: Folder) -> None:
    write_shard(folder, 0, OUTCOMES, counted(OUTCOMES), generations=2)
    (eliminated,) = read_rows(folder, "eliminated/00000.parquet")
    assert (eliminated["id"], eliminated["reason"], eliminated["step"]) == (f"{ROOT_A}.g1", "refusal", "respond")
    assert (eliminated["instruction"], eliminated["response"], eliminated["teacher"]) == (NASTY, "sorry", "m")
    assert eliminated["context"][1] == {"role": "user", "content": "日本語?"}
    failed = read_rows(folder, "failed/00000.parquet")
    assert [(row["id"], row["operator"], row["cause"], row["message"]) for row in failed] == [
        (f"{ROOT_B}.g0", SEED, "timeout", "no answer in 300 s"),
        (f"{ROOT_B}.g1", "mutate", "earlier_generation", NASTY),
        (f"{ROOT_B}.g2", "deepen", "earlier_generation", ""),
    ]
    assert (failed[0]["parent_id"], failed[0]["source"], failed[0]["line"]) == (None, "seeds.jsonl", 2**40)


def test_seeds_come_back_as_they_were(folder: Folder) -> None:
    seeds = [
        Seed("Name a tree.", "in\nEurope", " Oak. ", (), "seeds.jsonl", 3),
        Seed(NASTY, context=CONTEXT, source="hf:some/name", line=0),
    ]
    folder.write("seeds/00000.parquet", encode(SEEDS, seeds))
    assert read_seed_shard(folder, 0) == seeds
    assert [row["root_id"] for row in read_rows(folder, "seeds/00000.parquet")] == [seed.root_id for seed in seeds]


def test_the_same_rows_in_another_order_are_the_same_bytes(tmp_path: Path) -> None:
    for name, outcomes in (("one", OUTCOMES), ("two", OUTCOMES[::-1]), ("three", OUTCOMES[3:] + OUTCOMES[:3])):
        write_shard(open_folder(str(tmp_path / name)), 4, outcomes, counted(outcomes), generations=2)
    for kind in (POOL, ELIMINATED, FAILED):
        assert len({(tmp_path / name / kind / "00004.parquet").read_bytes() for name in ("one", "two", "three")}) == 1


def test_a_row_that_differs_makes_other_bytes() -> None:
    other = Record(ROOT_A, 0, None, "open", SEED, "", "Name a tree.", "Elm.")
    assert encode(POOL, [SEED_A]) == encode(POOL, [SEED_A]) != encode(POOL, [other])


def test_a_finished_shard_tells_its_accounts_and_generations(folder: Folder) -> None:
    accounts = counted(OUTCOMES)
    write_shard(folder, 0, OUTCOMES, accounts, generations=2)
    read, generations = read_accounts(folder, 0)
    assert generations == 2
    assert read.to_json() == accounts.to_json()
    assert read.total("failed") == 3


@pytest.mark.parametrize("lost", range(len(OUTCOMES)))
def test_a_lost_outcome_is_an_error_and_the_shard_is_not_written(folder: Folder, lost: int) -> None:
    outcomes = OUTCOMES[:lost] + OUTCOMES[lost + 1 :]
    with pytest.raises(EvolrayError, match=f"generation {OUTCOMES[lost].generation} do not balance: 2 went in, 1 came"):
        write_shard(folder, 0, outcomes, counted(outcomes), generations=2)
    assert shards_in(folder, POOL) == shards_in(folder, ELIMINATED) == shards_in(folder, FAILED) == []


def test_the_pool_file_comes_last(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(type(folder), "write", lambda self, name, data: written.append(name))
    write_shard(folder, 12, OUTCOMES, counted(OUTCOMES), generations=2)
    assert written == ["eliminated/00012.parquet", "failed/00012.parquet", "pool/00012.parquet"]


def test_an_empty_shard_has_its_columns_all_the_same(folder: Folder) -> None:
    write_shard(folder, 0, [], Accounts(), generations=1)
    for kind in (POOL, ELIMINATED, FAILED):
        table = pq.read_table(folder.open(f"{kind}/00000.parquet"))
        assert (table.num_rows, table.schema.names) == (0, SCHEMAS[kind].names)


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_every_column_is_documented_in_the_file(kind: str) -> None:
    schema = pq.read_schema(io.BytesIO(encode(kind, [])))
    assert schema.names == SCHEMAS[kind].names
    undocumented = {field.name for field in schema if not field.metadata[b"doc"].strip()}
    assert undocumented <= (SELF_EXPLAINING if kind == SEEDS else set())


def test_the_columns_are_those_of_the_records() -> None:
    """A field that is added to a record must not get lost on its way to the disk."""
    columns = {kind: set(SCHEMAS[kind].names) for kind in SCHEMAS}
    for kind, type_ in ((POOL, Record), (ELIMINATED, Eliminated), (FAILED, Failed)):
        assert columns[kind] == {*type_.__dataclass_fields__, "id"}
    assert columns[SEEDS] == {*Seed.__dataclass_fields__, "root_id"}
