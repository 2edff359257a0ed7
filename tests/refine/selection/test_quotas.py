"""Groups that take turns: exact counts, and what holds of a beginning of any length."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from evolray.refine.selection.quotas import affordable, in_proportion, interleave

Sizes = Sequence[int]


def shuffled_groups(sizes: Sizes) -> np.ndarray:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(3).shuffle(groups)
    return groups


def first(sizes: Sizes, weights: Sequence[float] | None, records: int) -> list[int]:
    """How many of each group are among the first so many."""
    groups = shuffled_groups(sizes)
    order = interleave(np.arange(len(groups)), groups, weights)
    return np.bincount(groups[order[:records]], minlength=len(sizes)).tolist()


@pytest.mark.parametrize(
    ("sizes", "weights", "records", "counts"),
    [
        ([9, 9, 9], None, 9, [3, 3, 3]),
        ([9, 9, 9], None, 10, [4, 3, 3]),  # due at the same time: the lower number
        ([2, 9, 9], None, 12, [2, 5, 5]),  # a short group leaves its share to the others
        ([2, 3, 50], None, 15, [2, 3, 10]),
        ([2, 3, 4], None, 99, [2, 3, 4]),
        ([0, 5, 5], None, 4, [0, 2, 2]),
        ([100, 100], [0.7, 0.3], 10, [7, 3]),
        ([100, 100], [7, 3], 100, [70, 30]),
        ([100, 100, 100], [0.5, 0.3, 0.2], 90, [45, 27, 18]),
        ([10, 100, 100], [0.5, 0.3, 0.2], 60, [10, 30, 20]),
        ([100, 100, 100], [0.98, 0.01, 0.01], 10, [10, 0, 0]),
    ],
)
def test_counts_are_exact(sizes: Sizes, weights: Sequence[float] | None, records: int, counts: list[int]) -> None:
    assert first(sizes, weights, records) == counts


def test_each_next_record_is_of_the_group_that_has_least_for_its_weight() -> None:
    """Against the method said with fractions, record by record."""
    sizes, weights = [13, 40, 7, 25], [5, 3, 2, 1]
    groups = shuffled_groups(sizes)
    order = interleave(np.arange(len(groups)), groups, weights)
    had = Counter[int]()
    for at in order:
        due = [
            (Fraction(2 * had[group] + 1, 2 * weights[group]), group) for group in range(4) if had[group] < sizes[group]
        ]
        assert min(due)[1] == groups[at]
        had[groups[at]] += 1
    assert had == Counter(dict(enumerate(sizes)))


def test_a_group_keeps_its_order() -> None:
    groups, order = shuffled_groups([30, 50]), np.random.default_rng(4).permutation(80)
    found = interleave(order, groups, [0.9, 0.1])
    assert sorted(found) == list(range(80))
    for group in (0, 1):
        assert found[groups[found] == group].tolist() == order[groups[order] == group].tolist()


def test_a_part_of_the_positions_is_interleaved_by_itself() -> None:
    groups = np.array([0, 0, 0, 1, 1, 1])
    assert interleave(np.array([5, 1, 2]), groups).tolist() == [1, 5, 2]
    assert interleave(np.array([], np.int64), groups).tolist() == []


def test_shares_of_tokens_agree_to_within_a_record() -> None:
    random = np.random.default_rng(5)
    groups, tokens = shuffled_groups([500, 500]), random.integers(1, 100, 1000)
    order = interleave(np.arange(1000), groups, None, tokens)
    for records in (10, 100, 700):
        had = np.bincount(groups[order[:records]], tokens[order[:records]])
        assert abs(had[0] - had[1]) <= 100


@pytest.mark.parametrize(
    ("sizes", "weights", "counts"),
    [
        ([10, 100], [2, 1], [10, 5]),
        ([10, 100], [1, 2], [10, 20]),
        ([3, 7], [0.3, 0.7], [3, 7]),
        ([0, 7], [0.3, 0.7], [0, 7]),  # who has nothing left counts as absent
        ([0, 0], [0.3, 0.7], [0, 0]),
        ([1000, 999, 50], [0.4, 0.4, 0.2], [100, 100, 50]),
        ([11, 104], [1, 10], [10, 100]),  # 10 to 104 would be rounded, too, but by a share of 10.4
        ([5000, 1000], [0.37, 0.63], [587, 999]),
        ([1000, 1], [0.0001, 0.9999], [0, 1]),
    ],
)
def test_the_largest_mix_in_proportion(sizes: Sizes, weights: Sequence[float], counts: list[int]) -> None:
    groups = shuffled_groups(sizes)
    order = interleave(np.arange(len(groups)), groups, weights)
    chosen = in_proportion(order, groups, weights)
    assert np.bincount(groups[chosen], minlength=len(sizes)).tolist() == counts
    for group in range(len(sizes)):  # the first of each
        assert chosen[groups[chosen] == group].tolist() == order[groups[order] == group][: counts[group]].tolist()


def test_a_mix_in_proportion_is_in_proportion() -> None:
    random = np.random.default_rng(6)
    for _ in range(300):
        sizes = random.integers(0, 60, random.integers(1, 5))
        weights = random.choice([0.01, 0.1, 0.3, 1, 3, 7], len(sizes)).tolist()
        groups = shuffled_groups(sizes.tolist())
        chosen = in_proportion(interleave(np.arange(len(groups)), groups, weights), groups, weights)
        again = in_proportion(interleave(chosen, groups, weights), groups, weights)
        assert again.tolist() == chosen.tolist()
        assert len(chosen) or not sizes.any()


def test_budgets() -> None:
    order, tokens = np.array([2, 0, 1, 3]), np.array([5, 5, 10, 1])
    assert [affordable(order, records, None, tokens) for records in (None, 0, 3, 9)] == [4, 0, 3, 4]
    assert [affordable(order, None, limit, tokens) for limit in (9, 10, 14, 15, 20, 21, 99)] == [0, 1, 1, 2, 3, 4, 4]
    assert affordable(order, 2, 99, tokens) == affordable(order, 9, 15, tokens) == 2
    assert affordable(order[:0], None, 5, tokens) == 0
    assert affordable(np.arange(3), None, 2**31, np.full(3, 2**30, np.int32)) == 2  # sums are wider than the counts
