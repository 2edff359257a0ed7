"""The plan of batches: nothing lost, nothing twice, and the same steps however they are computed."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from evolray.errors import UserError
from evolray.train.batches import Batches, accumulation_for, deal, size

LENGTHS = np.random.default_rng(5).integers(10, 120, 53)


def plan(lengths: np.ndarray = LENGTHS, **changes: object) -> Batches:
    settings = {"global_batch": 8, "epochs": 3, "seed": 4, "workers": 1, "accumulation": 1, **changes}
    return Batches(lengths, **settings)  # type: ignore[arg-type]


def passes(batches: Batches, step: int) -> list[list[int]]:
    number = batches.workers * batches.accumulation
    return [batches.micro_batch(step * number + place).tolist() for place in range(number)]


@pytest.mark.parametrize(("workers", "accumulation", "packing"), [*product((1, 2, 3), (1, 2, 5), (True, False))])
def test_every_example_is_seen_once_per_epoch(workers: int, accumulation: int, packing: bool) -> None:
    batches = plan(workers=workers, accumulation=accumulation, packing=packing)
    alone = plan()
    assert (batches.steps_per_epoch, batches.steps) == (7, 21)  # six steps of 8 examples and one of 5
    assert len(batches) == 21 * workers * accumulation
    for epoch in range(3):
        seen: list[int] = []
        for step in range(epoch * 7, epoch * 7 + 7):
            dealt = [number for one in passes(batches, step) for number in one]
            assert sorted(dealt) == sorted(batches.examples(step).tolist())
            assert batches.examples(step).tolist() == alone.examples(step).tolist()
            seen += dealt
        assert sorted(seen) == list(range(53))


def test_the_order_is_another_in_every_epoch_and_for_every_seed() -> None:
    def order(epoch: int, seed: int) -> list[int]:
        batches = plan(seed=seed)
        return [number for step in range(7) for number in batches.examples(epoch * 7 + step).tolist()]

    orders = [order(epoch, seed) for epoch, seed in product(range(3), (4, 5))]
    assert all(one != other for one, other in combinations(orders, 2))
    assert list(range(53)) not in orders
    assert order(1, 4) == orders[2]


def test_a_plan_is_the_same_when_it_is_made_again() -> None:
    """A restarted worker asks for an item in the middle, not from the first on."""
    first, again = (plan(workers=2, accumulation=3) for _ in range(2))
    later = [again.micro_batch(item).tolist() for item in range(60, 80)]
    assert later == [first.micro_batch(item).tolist() for item in range(80)][60:]


@pytest.mark.parametrize(("max_steps", "steps"), [(None, 21), (5, 5), (100, 21)])
def test_max_steps_ends_the_plan_early(max_steps: int | None, steps: int) -> None:
    assert plan(max_steps=max_steps).steps == steps


def tokens(batches: Batches) -> int:
    return sum(int(LENGTHS[batches.examples(step)].sum()) for step in range(batches.steps))


def test_tokens_end_the_plan_before_they_are_exceeded() -> None:
    """The step that would not fit is left out; the ones before it are those of the whole plan."""
    whole = plan()
    of_five = sum(int(LENGTHS[whole.examples(step)].sum()) for step in range(5))
    assert [plan(max_tokens=of_five + more).steps for more in (-1, 0, 1)] == [4, 5, 5]
    assert plan(max_tokens=of_five).examples(4).tolist() == whole.examples(4).tolist()
    assert plan(max_tokens=of_five, max_steps=3).steps == 3
    assert plan(max_tokens=3 * int(LENGTHS.sum())).steps == plan(max_tokens=10**9).steps == 21


def test_plans_of_other_data_get_equal_tokens_to_within_a_step() -> None:
    longer = plan(LENGTHS * 2, max_tokens=5000, epochs=100)
    shorter = plan(max_tokens=5000, epochs=100)
    assert longer.steps < shorter.steps
    assert 5000 - 8 * 120 < tokens(shorter) <= 5000


def test_tokens_that_no_step_fits_in_are_refused() -> None:
    with pytest.raises(UserError, match=r"max_tokens=9 is less than the first step, \d+ tokens\. Raise it\."):
        assert plan(max_tokens=9).steps


def test_fewer_examples_than_a_global_batch_make_one_step() -> None:
    batches = plan(np.array([7, 9]), global_batch=64, epochs=2)
    assert (batches.steps_per_epoch, batches.steps) == (1, 2)
    assert sorted(batches.examples(1).tolist()) == [0, 1]


def test_the_longest_are_dealt_first_each_to_the_fewest_tokens() -> None:
    assert deal([3, 9, 5, 8, 2, 4], 2) == [[1, 5, 0], [3, 2, 4]]  # 9+4+3 and 8+5+2


def test_piles_differ_by_one_example_at_most() -> None:
    """By the length of one, that is: each goes to the pile with the fewest tokens."""
    lengths = LENGTHS.tolist()
    sizes = [sum(lengths[place] for place in pile) for pile in deal(lengths, 6)]
    assert max(sizes) - min(sizes) <= max(lengths)
    assert sum(sizes) == sum(lengths)


@pytest.mark.parametrize("packing", [True, False])
def test_with_fewer_examples_than_piles_some_are_empty(packing: bool) -> None:
    assert sorted(deal([5, 6], 4, packing)) == [[], [], [0], [1]]
    assert deal([], 2, packing) == [[], []]


def test_padded_piles_are_runs_of_like_length_and_cost_as_little_as_can_be() -> None:
    lengths = [30, 4, 28, 5, 6, 29, 3, 12]
    dealt = deal(lengths, 3, packing=False)
    assert [place for pile in dealt for place in pile] == [0, 5, 2, 7, 4, 3, 1, 6]  # the longest first
    in_order = sorted(lengths, reverse=True)
    costs = []
    for cuts in combinations(range(1, 8), 2):
        bounds = (0, *cuts, 8)
        costs.append(max(in_order[a] * (b - a) for a, b in pairwise(bounds)))
    assert max(size([lengths[place] for place in pile], packing=False) for pile in dealt) == min(costs)


def test_the_size_of_a_pass_counts_its_padding() -> None:
    assert size([4, 9, 2], packing=True) == 15
    assert size([4, 9, 2], packing=False) == 27
    assert size([], packing=True) == size([], packing=False) == 0


@pytest.mark.parametrize(("workers", "packing", "most"), [*product((1, 2), (True, False), (120, 200, 300, 100_000))])
def test_accumulation_is_the_least_that_keeps_every_pass_within_its_tokens(
    workers: int, packing: bool, most: int
) -> None:
    found = accumulation_for(plan(workers=workers, packing=packing), most)

    def largest(accumulation: int) -> int:
        batches = plan(workers=workers, packing=packing, accumulation=accumulation)
        return max(
            size(LENGTHS[numbers].tolist(), packing)
            for step in range(batches.steps)
            for numbers in passes(batches, step)
        )

    assert largest(found) <= most
    assert found == 1 or largest(found - 1) > most
    assert (found > 1) == (most < 100_000)


def test_one_example_per_pass_is_the_limit() -> None:
    lengths = np.array([50] * 8)
    assert accumulation_for(plan(lengths), 50) == 8
    with pytest.raises(UserError, match="micro_batch_tokens=49 is less than the longest example, 50 tokens"):
        accumulation_for(plan(lengths), 49)
