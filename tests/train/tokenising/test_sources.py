"""Where examples come from: an evolve run or a file, all of it or a part, and clear words when there is nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evolray.config import TrainConfig
from evolray.errors import UserError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import LocalFolder
from evolray.pool.manifest import Manifest, write_manifest
from evolray.pool.shards import write_shard
from evolray.records import SEED, Outcome, Record
from evolray.train.tokenising.examples import Example, Rejected
from evolray.train.tokenising.sources import Source, find_sources, read

ROOTS = [letter * 16 for letter in "abc"]


def config(data: object, **changes: Any) -> TrainConfig:
    return TrainConfig(run="runs/t", data=str(data), model="m", **changes)


def record(root: str, generation: int) -> Record:
    parent = f"{root}.g{generation - 1}" if generation else None
    operator = "deepen" if generation else SEED
    return Record(root, generation, parent, "open", operator, "", f"Question {generation}?", f"Answer {generation}.")


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Two shards: a and b in the first, c in the second, each in generations 0, 1 and 2."""
    folder = LocalFolder(str(tmp_path / "evolved"))
    folder.write("run.yaml", b"identity: {}\n")
    for shard, roots in enumerate((ROOTS[:2], ROOTS[2:])):
        outcomes: list[Outcome] = [record(root, generation) for root in roots for generation in range(3)]
        accounts = Accounts()
        for outcome in outcomes:
            accounts.incoming[outcome.generation] += 1
            accounts.count(outcome)
        write_shard(folder, shard, outcomes, accounts, 2)
    write_manifest(folder, Manifest(folder.url, "complete", generations=2))
    return folder.path


def ids(sources: list[Source]) -> list[str]:
    return [outcome.id for source in sources for outcome in read(source)]


def every(*generations: int) -> list[str]:
    return [f"{root}.g{generation}" for root in ROOTS for generation in generations]


# --- an evolve run ---


def test_a_pool_is_read_shard_by_shard(pool: Path) -> None:
    sources = find_sources(config(pool))
    assert [source.shards for source in sources] == [(0,), (1,)]
    assert ids(sources) == every(0, 1, 2)
    example = next(read(sources[1]))
    assert isinstance(example, Example)
    assert [message["content"] for message in example.messages] == ["Question 0?", "Answer 0."]


@pytest.mark.parametrize("generations", [[0], [1, 2], [2], [0, 1, 2]])
def test_only_the_chosen_generations_are_read(pool: Path, generations: list[int]) -> None:
    assert ids(find_sources(config(pool, generations=generations))) == every(*generations)


def test_a_limit_counts_over_all_shards_and_only_what_was_chosen(pool: Path) -> None:
    sources = find_sources(config(pool, generations=[1, 2], limit=5))
    assert len(sources) == 1
    assert ids(sources) == every(1, 2)[:5]


@pytest.mark.parametrize("generations", [[3], [0, -1]])
def test_a_generation_that_the_pool_lacks_is_named(pool: Path, generations: list[int]) -> None:
    wrong = generations[-1]
    with pytest.raises(UserError, match=f"generations: the pool has 0 to 2, not {wrong}"):
        find_sources(config(pool, generations=generations))


@pytest.mark.parametrize("left", ["run.yaml", "seeds/00000.parquet"])
def test_a_run_without_a_finished_shard_is_an_empty_pool(tmp_path: Path, left: str) -> None:
    folder = LocalFolder(str(tmp_path / "started"))
    folder.write("run.yaml", b"identity: {}\n")
    folder.write(left, b"identity: {}\n")
    with pytest.raises(UserError, match="the pool is empty: no shard of this evolve run is finished yet"):
        find_sources(config(folder.path))


def test_the_columns_of_a_pool_are_not_the_users_to_say(pool: Path) -> None:
    with pytest.raises(UserError, match="is an evolve run, whose columns are known"):
        find_sources(config(pool, columns={"instruction": "q"}))


# --- a file ---

ENTRIES = [{"instruction": f"Add {n}.", "output": f"{n}"} for n in range(4)]


def test_a_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ENTRIES))
    assert find_sources(config(path)) == [Source(str(path))]
    assert ids(find_sources(config(path))) == [f"data.jsonl:{line}" for line in (1, 2, 3, 4)]
    assert ids(find_sources(config(path, limit=2))) == ["data.jsonl:1", "data.jsonl:2"]


def test_a_limit_counts_what_cannot_be_used_too(tmp_path: Path) -> None:
    """Entries, so that a limit means the same part of the file whatever is in it."""
    path = tmp_path / "data.jsonl"
    path.write_text("not JSON\n" + "".join(json.dumps(one) + "\n" for one in ENTRIES))
    outcomes = [outcome for source in find_sources(config(path, limit=3)) for outcome in read(source)]
    assert [type(outcome) for outcome in outcomes] == [Rejected, Example, Example]


def test_compressed_files_are_files_too(tmp_path: Path) -> None:
    path = tmp_path / "data.json.gz"
    path.write_bytes(gzip.compress(json.dumps(ENTRIES).encode()))
    assert len(ids(find_sources(config(path)))) == 4


def test_columns_name_what_the_file_calls_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"q": "Add 1.", "a": "1"}]))
    (source,) = find_sources(config(path, columns={"instruction": "q", "response": "a"}))
    assert source.columns == (("instruction", "q"), ("response", "a"))
    (example,) = read(source)
    assert isinstance(example, Example)
    assert [message["content"] for message in example.messages] == ["Add 1.", "1"]


def test_a_column_that_is_not_one_of_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(ENTRIES))
    with pytest.raises(
        UserError, match="columns names answer; expected some of instruction, input, response, messages"
    ):
        find_sources(config(path, columns={"answer": "a"}))


def test_a_file_without_an_entry_is_said_to_have_none(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[]")
    with pytest.raises(UserError, match=r"data=.*data\.json: holds no entry"):
        find_sources(config(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.json"):
        find_sources(config(tmp_path / "nowhere.json"))


def test_a_file_has_no_generations(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(ENTRIES))
    with pytest.raises(UserError, match=r"generations=\[1\]: .*data\.json is no evolve run"):
        find_sources(config(path, generations=[1]))
