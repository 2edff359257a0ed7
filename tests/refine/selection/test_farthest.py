"""Farthest-first against its definition, with a working set that is too small on purpose."""

from itertools import islice

import numpy as np
import pytest

from evolray.refine.selection import farthest
from evolray.refine.selection.farthest import farthest_first


def some_vectors(number: int, dimensions: int = 8) -> np.ndarray:
    """On a coarse grid, so that all sums are exact and there are many ties."""
    return np.random.default_rng(number).integers(-2, 3, (number, dimensions)).astype(np.float32) / 8


def by_definition(vectors: np.ndarray, order: np.ndarray, turns: np.ndarray, groups: np.ndarray) -> list[int]:
    chosen: list[int] = []
    for turn in turns:
        left = [at for at in order if groups[at] == turn and at not in chosen]
        nearest = [max((float(vectors[at] @ vectors[other]) for other in chosen), default=-np.inf) for at in left]
        chosen.append(int(left[int(np.argmin(nearest))]))
    return chosen


@pytest.mark.parametrize("working_set", [1, 5, 1000])
@pytest.mark.parametrize("chunk", [3, 1000])
@pytest.mark.parametrize("num_groups", [1, 3])
def test_the_definition(working_set: int, chunk: int, num_groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farthest, "WORKING_SET", working_set)
    monkeypatch.setattr(farthest, "CHUNK", chunk)
    random = np.random.default_rng(2)
    vectors, order = some_vectors(60), random.permutation(60)
    groups = random.integers(0, num_groups, 60) * 2  # numbers may have gaps
    turns = groups[random.permutation(60)]
    assert list(farthest_first(vectors, order, turns, groups)) == by_definition(vectors, order, turns, groups)


def test_corners_come_first() -> None:
    around = np.repeat(np.eye(4, dtype=np.float32), 25, axis=0)
    found = list(islice(farthest_first(around, np.arange(99, -1, -1), np.zeros(100, int), np.zeros(100, int)), 4))
    assert found[0] == 99
    assert sorted(at // 25 for at in found) == [0, 1, 2, 3]


def test_copies_are_all_taken_in_the_end() -> None:
    same = np.ones((10, 3), np.float32)
    assert list(farthest_first(same, np.arange(10), np.zeros(10, int), np.zeros(10, int))) == list(range(10))


def test_nobody() -> None:
    nobody = np.zeros(0, np.int64)
    assert list(farthest_first(np.zeros((0, 0), np.float32), nobody, nobody, nobody)) == []
