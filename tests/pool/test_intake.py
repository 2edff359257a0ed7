"""Intake: the same seed shards however often, in whatever order and with whatever interruption a file is read."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.config import SeedsConfig
from evolray.errors import EvolrayError, UserError
from evolray.pool.intake import Intake, take_in
from evolray.pool.layout import LocalFolder, open_folder, shards_in
from evolray.pool.shards import read_rows, read_seed_shard

Rows = list[Any]
TakeIn = Callable[..., Intake]

GOOD: Rows = [{"instruction": f"Explain number {n}.", "output": f"It is {n}."} for n in range(10)]
DUPLICATES: Rows = [
    {"instruction": " Explain  number 3. ", "output": "It is 3."},
    {"instruction": "Explain number 3.", "output": "It comes after 2."},
    {"instruction": "Explain number 7.", "output": "Seven."},
]
BAD: Rows = [{"instruction": "  "}, {"output": "no instruction"}, ["not", "an", "object"], {"instruction": 7}]


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(str(tmp_path / "run"))


@pytest.fixture
def take(tmp_path: Path, folder: LocalFolder) -> TakeIn:
    def take(rows: Rows, into: LocalFolder = folder, shard_size: int = 4, **settings: Any) -> Intake:
        path = tmp_path / "seeds.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return take_in(into, SeedsConfig(path=str(path), **settings), shard_size)

    return take


def files(folder: LocalFolder) -> dict[str, bytes]:
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def responses(folder: LocalFolder) -> dict[str, str]:
    """root_id -> the response of the seed that stands for it."""
    return {
        seed.root_id: seed.response for shard in shards_in(folder, "seeds") for seed in read_seed_shard(folder, shard)
    }


def rejected_texts(folder: LocalFolder) -> list[tuple[str, str]]:
    return sorted((row["instruction"], row["response"]) for row in read_rows(folder, "eliminated/seeds.parquet"))


def test_every_entry_is_a_root_a_duplicate_or_bad(folder: LocalFolder, take: TakeIn) -> None:
    intake = take([*GOOD, *BAD, *DUPLICATES])
    assert (intake.entries, intake.roots, intake.shards) == (17, 10, {0: 4, 1: 4, 2: 2})
    intake.rejected.check()
    assert intake.rejected.by_generation() == [
        {"generation": 0, "in": 7, "kept": 0, "eliminated": {"duplicate_seed": 3}, "failed": {"bad_seed": 4}}
    ]
    assert len(responses(folder)) == 10
    assert [len(read_seed_shard(folder, shard)) for shard in (0, 1, 2)] == [4, 4, 2]


def test_duplicates_and_bad_lines_are_stored_where_they_stood(folder: LocalFolder, take: TakeIn) -> None:
    take([GOOD[0], BAD[0], GOOD[1], GOOD[0], BAD[1]])
    (duplicate,) = read_rows(folder, "eliminated/seeds.parquet")
    assert (duplicate["instruction"], duplicate["response"]) == ("Explain number 0.", "It is 0.")
    assert (duplicate["reason"], duplicate["operator"], duplicate["generation"]) == ("duplicate_seed", "seed", 0)
    assert duplicate["root_id"] == read_seed_shard(folder, 0)[0].root_id
    failed = read_rows(folder, "failed/seeds.parquet")
    assert [(row["line"], row["cause"]) for row in failed] == [(2, "bad_seed"), (5, "bad_seed")]
    assert all(row["source"].endswith("seeds.jsonl") and row["message"] for row in failed)


def test_a_shard_that_is_just_full_is_followed_by_no_empty_one(folder: LocalFolder, take: TakeIn) -> None:
    assert take(GOOD[:8]).shards == {0: 4, 1: 4}
    assert shards_in(folder, "seeds") == [0, 1]


def test_seeds_keep_the_order_and_the_place_of_the_file(folder: LocalFolder, take: TakeIn) -> None:
    take(GOOD)
    seeds = [seed for shard in (0, 1, 2) for seed in read_seed_shard(folder, shard)]
    assert [seed.instruction for seed in seeds] == [row["instruction"] for row in GOOD]
    assert [seed.line for seed in seeds] == list(range(1, 11))


@pytest.mark.parametrize("shuffle", range(8))
def test_a_shuffled_file_has_the_same_roots_and_the_same_winners(
    tmp_path: Path, folder: LocalFolder, take: TakeIn, shuffle: int
) -> None:
    rows = [*GOOD, *BAD, *DUPLICATES]
    take(rows)
    other = LocalFolder(str(tmp_path / "other"))
    intake = take(random.Random(shuffle).sample(rows, len(rows)), into=other)
    assert responses(other) == responses(folder)
    assert rejected_texts(other) == rejected_texts(folder)
    assert (intake.entries, intake.roots) == (17, 10)


def test_exact_duplicates_are_rejected_but_for_one(folder: LocalFolder, take: TakeIn) -> None:
    intake = take([GOOD[0]] * 5)
    assert (intake.roots, intake.rejected.total("eliminated")) == (1, 4)


def test_an_instruction_with_another_input_is_another_root(take: TakeIn) -> None:
    rows = [{"instruction": "Translate.", "input": text} for text in ("one", "two", "two ")]
    assert take(rows).roots == 2


@pytest.mark.parametrize("rows", [GOOD, [*GOOD, *BAD, *DUPLICATES], [*DUPLICATES[::-1], *BAD, *GOOD]])
def test_reading_the_same_file_again_changes_nothing(folder: LocalFolder, take: TakeIn, rows: Rows) -> None:
    first = take(rows)
    before = files(folder)
    assert take(rows) == first
    assert files(folder) == before


def test_appended_seeds_make_new_shards_and_change_none(folder: LocalFolder, take: TakeIn) -> None:
    take(GOOD[:6])
    before = files(folder)
    intake = take([*GOOD[:6], *DUPLICATES[:1], *GOOD[6:], *BAD])
    after = files(folder)
    assert intake.shards == {0: 4, 1: 2, 2: 4}
    assert (intake.entries, intake.roots) == (15, 10)
    assert {name: after[name] for name in before if name.startswith("seeds/")} == {
        name: data for name, data in before.items() if name.startswith("seeds/")
    }
    assert [seed.instruction for seed in read_seed_shard(folder, 2)] == [row["instruction"] for row in GOOD[6:]]


def test_a_root_stays_with_the_response_it_was_taken_in_with(folder: LocalFolder, take: TakeIn) -> None:
    take(GOOD[:4])
    before = responses(folder)
    intake = take([*({**row, "output": f"Another {n}."} for n in range(20) for row in GOOD[:4]), *GOOD[:4]])
    assert responses(folder) == before
    assert (intake.roots, intake.rejected.total("eliminated")) == (4, 80)


@pytest.mark.parametrize("writes", range(5))
@pytest.mark.parametrize("rows", [[*GOOD, *BAD, *DUPLICATES], [*DUPLICATES, *BAD, *GOOD[::-1]]])
def test_an_interrupted_intake_goes_on_to_the_same_files(
    tmp_path: Path, folder: LocalFolder, take: TakeIn, monkeypatch: pytest.MonkeyPatch, rows: Rows, writes: int
) -> None:
    whole = LocalFolder(str(tmp_path / "whole"))
    expected = take(rows, into=whole)
    write, left = LocalFolder.write, writes

    def write_some(self: LocalFolder, name: str, data: bytes) -> None:
        nonlocal left
        if not left:
            raise EvolrayError("no space left")
        left -= 1
        write(self, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "write", write_some)
        with pytest.raises(EvolrayError):
            take(rows)
    assert len(files(folder)) == writes
    assert take(rows) == expected
    assert files(folder) == files(whole)


def test_a_limit_counts_entries(take: TakeIn) -> None:
    intake = take([*BAD[:2], *GOOD], limit=5)
    assert (intake.entries, intake.roots, intake.rejected.total("failed")) == (5, 3, 2)


def test_a_file_without_a_usable_seed_leaves_no_shard(folder: LocalFolder, take: TakeIn) -> None:
    with pytest.raises(UserError, match="none of the 4 entries read is a usable seed"):
        take(BAD)
    assert shards_in(folder, "seeds") == []


def test_a_missing_file_is_named(folder: LocalFolder) -> None:
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        take_in(open_folder(folder.url), SeedsConfig(path="nowhere.jsonl"), 4)
