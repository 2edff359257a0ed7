"""Tokenised examples on disk: what goes in comes out, from many files, and sides that keep families together."""

from pathlib import Path

import numpy as np
import pytest

from evolray.pool.layout import Folder, open_folder
from evolray.train.tokenising import store as module
from evolray.train.tokenising.examples import Encoded
from evolray.train.tokenising.store import Index, Store, file_name, is_held_out, read_index, write_examples, write_index


def encoded(number: int) -> Encoded:
    return Encoded(f"data.jsonl:{number}", [*range(number, number + number % 4 + 1)], [False] + [True] * (number % 4))


def index_of(*files: list[Encoded]) -> Index:
    examples = [one for file in files for one in file]
    return Index(
        files=[file_name(0, number) for number in range(len(files))],
        file=np.repeat(np.arange(len(files), dtype=np.int32), [len(file) for file in files]),
        row=np.concatenate([np.arange(len(file), dtype=np.int32) for file in files]),
        tokens=np.array([len(one.input_ids) for one in examples], np.int32),
        trained=np.array([sum(one.trained) for one in examples], np.int32),
        held_out=np.array([number % 3 == 0 for number in range(len(examples))]),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "run"))


FILES = [[encoded(n) for n in range(5)], [encoded(5)], [encoded(n) for n in range(6, 13)]]


@pytest.fixture
def store(folder: Folder) -> Store:
    for number, file in enumerate(FILES):
        write_examples(folder, file_name(0, number), file)
    return Store(folder, index_of(*FILES))


def test_every_example_is_found_by_its_number(store: Store) -> None:
    for number in (12, 0, 5, 4, 6, 11, 5):
        document, expected = store[number], encoded(number)
        assert document.id == expected.id
        assert (document.input_ids.dtype, document.trained.dtype) == (np.int32, np.bool_)
        assert document.input_ids.tolist() == expected.input_ids
        assert document.trained.tolist() == expected.trained


def test_more_files_than_may_be_open_are_read_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_FILES", 1)
    assert [store[number].id for number in (0, 5, 12, 1, 6)] == [f"data.jsonl:{n}" for n in (0, 5, 12, 1, 6)]


def test_the_index_comes_back_as_it_was(folder: Folder) -> None:
    assert read_index(folder) is None
    index = index_of(*FILES)
    write_index(folder, index, {"made_from": "data.jsonl"})
    found = read_index(folder)
    assert found is not None
    read, metadata = found
    assert (len(read), read.files, metadata) == (13, index.files, {"made_from": "data.jsonl"})
    for name in ("file", "row", "tokens", "trained", "held_out"):
        ours, theirs = getattr(index, name), getattr(read, name)
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs), name


def test_an_index_of_nothing_can_be_read(folder: Folder) -> None:
    empty = np.empty(0, np.int32)
    write_index(folder, Index([], empty, empty, empty, empty, np.empty(0, np.bool_)), {})
    found = read_index(folder)
    assert found is not None and len(found[0]) == 0


def test_all_generations_of_a_root_are_on_the_same_side() -> None:
    roots = [f"{number:016x}" for number in range(400)]
    sides = [{is_held_out(f"{root}.g{generation}", 0.3, 7) for generation in range(12)} for root in roots]
    assert all(len(side) == 1 for side in sides)
    assert 90 <= sum(side == {True} for side in sides) <= 150  # 0.3 of 400 is 120, give or take


@pytest.mark.parametrize("name", ["data.jsonl", "my.gsm8k.json", "a.g1.parquet"])
def test_the_entries_of_a_file_are_no_family(name: str) -> None:
    """Whatever the file is called: its entries must not all land on one side."""
    ids = [f"{name}:{line}" for line in range(1, 401)]
    assert 90 <= sum(is_held_out(one, 0.3, 0) for one in ids) <= 150


def test_the_side_depends_on_the_seed_and_grows_with_the_share() -> None:
    ids = [f"data.jsonl:{line}" for line in range(1, 401)]
    small, large, other = (
        {i for i in ids if is_held_out(i, share, seed)} for share, seed in ((0.1, 0), (0.5, 0), (0.1, 1))
    )
    assert small < large and small != other
    assert not any(is_held_out(one, 0.0, 0) for one in ids)
