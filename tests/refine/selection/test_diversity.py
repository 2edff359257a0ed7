"""Redundancy by MinHash: who meets whom in a table, counted exactly, whatever the memory and the shards."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from evolray.pool.layout import LocalFolder
from evolray.refine.index import Index
from evolray.refine.selection.diversity import earlier_in_bucket, redundancy
from evolray.refine.tables import SIGNATURES, write_array

RANDOM = np.random.default_rng(8)
SIGNATURES_64 = RANDOM.integers(0, 3, (300, 64), np.uint8)  # few values, so that buckets are shared


def written(folder: LocalFolder, signatures: np.ndarray, limits: list[int]) -> Index:
    """The signatures in shards that begin at the limits."""
    for shard, (start, end) in enumerate(pairwise(limits)):
        write_array(folder, SIGNATURES, shard, signatures[start:end])
    zeros = np.zeros(len(signatures), np.int16)
    shards = tuple(range(len(limits) - 1))
    return Index(shards, np.array(limits), zeros.astype(np.uint64), zeros, zeros, ("a",))


def one_by_one(signatures: np.ndarray, ranks: np.ndarray) -> list[float]:
    """The same by the definition."""
    num_tables = signatures.shape[1] // 4
    tables = signatures[:, : 4 * num_tables].reshape(len(signatures), num_tables, 4)
    return [
        float(((tables[ranks < rank] == table).all(axis=2)).sum() / num_tables)
        for table, rank in zip(tables, ranks, strict=True)
    ]


def test_earlier_ones_in_the_same_bucket() -> None:
    buckets = np.array([7, 0, 7, 2**32 - 1, 7, 0], np.uint32)
    assert earlier_in_bucket(buckets, np.arange(6)).tolist() == [0, 0, 1, 0, 2, 1]
    assert earlier_in_bucket(buckets, np.array([5, 4, 3, 2, 1, 0])).tolist() == [2, 1, 1, 0, 0, 0]
    assert earlier_in_bucket(buckets[:0], np.arange(0)).tolist() == []


@pytest.mark.parametrize("limits", [[0, 300], [0, 1, 1, 200, 300]])
@pytest.mark.parametrize("memory_mb", [0, 1024])
def test_the_definition(limits: list[int], memory_mb: int, tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    index = written(folder, SIGNATURES_64, limits)
    ranks = RANDOM.permutation(300)
    found = redundancy(folder, index, np.arange(300), ranks, memory_mb)
    assert found.tolist() == one_by_one(SIGNATURES_64, ranks)
    assert found.max() > 1


def test_some_rows_meet_only_each_other(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    index = written(folder, SIGNATURES_64, [0, 150, 300])
    rows, ranks = np.sort(RANDOM.permutation(300)[:50]), RANDOM.permutation(50)
    found = redundancy(folder, index, rows, ranks, 1024)
    assert found.tolist() == one_by_one(SIGNATURES_64[rows], ranks)
    assert redundancy(folder, index, rows[:0], ranks[:0], 1024).tolist() == []


@pytest.mark.parametrize("values", [3, 4, 6, 7])
def test_any_number_of_permutations(values: int, tmp_path: Any) -> None:
    """What does not fill a table is left out, unless it is all there is."""
    folder = LocalFolder(str(tmp_path))
    signatures = SIGNATURES_64[:, :values]
    index = written(folder, signatures, [0, 300])
    found = redundancy(folder, index, np.arange(300), np.arange(300), 1024)
    filled = np.pad(signatures, ((0, 0), (0, 4 - values))) if values < 4 else signatures
    assert found.tolist() == one_by_one(filled, np.arange(300))


def test_copies_come_after_everything_new(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    distinct = RANDOM.integers(0, 256, (20, 128), np.uint8)
    signatures = np.concatenate([np.repeat(distinct[:1], 80, axis=0), distinct[1:]])
    ranks = RANDOM.permutation(99)
    found = redundancy(folder, written(folder, signatures, [0, 99]), np.arange(99), ranks, 1024)
    first = np.lexsort((ranks, found))[:20]
    assert sorted(first[first >= 80]) == list(range(80, 99))  # each other one, and one of the copies
    assert sorted(found[:80]) == list(range(80))
