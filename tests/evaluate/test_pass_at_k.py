"""pass@k against values worked out by hand, and intervals against those that textbooks have."""

from itertools import combinations

import pytest

from evolray.evaluate.pass_at_k import pass_at_k, score


@pytest.mark.parametrize(
    ("samples", "passed", "k", "expected"),
    [
        (1, 1, 1, 1.0),
        (1, 0, 1, 0.0),
        (20, 5, 1, 0.25),
        (4, 2, 2, 1 - 1 / 6),  # of the six pairs, one has neither
        (5, 1, 3, 0.6),
        (5, 3, 3, 1.0),  # any three of five hold one of the three
        (200, 0, 100, 0.0),
        (200, 200, 1, 1.0),
    ],
)
def test_the_estimator(samples: int, passed: int, k: int, expected: float) -> None:
    assert pass_at_k(samples, passed, k) == pytest.approx(expected, abs=1e-12)


def test_it_is_the_share_of_all_choices_that_hold_one_that_passed() -> None:
    for samples in range(1, 8):
        for passed in range(samples + 1):
            for k in range(1, samples + 1):
                chosen = list(combinations([True] * passed + [False] * (samples - passed), k))
                assert pass_at_k(samples, passed, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))


@pytest.mark.parametrize(("samples", "passed", "k"), [(1, 2, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_impossible_counts_are_refused(samples: int, passed: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@{k} of {passed} passed among {samples}"):
        pass_at_k(samples, passed, k)


def test_one_sample_per_problem_gives_wilsons_interval() -> None:
    """98 of 164, WizardCoder's HumanEval: Wilson's interval is 52.1 to 66.9 %."""
    found = score([(1, 1)] * 98 + [(1, 0)] * 66, 1)
    assert found.value == pytest.approx(98 / 164)
    assert (found.low, found.high) == (pytest.approx(0.5212, abs=1e-4), pytest.approx(0.6695, abs=1e-4))


def test_nothing_and_everything_passed_are_not_certain() -> None:
    nothing, everything = score([(1, 0)] * 10, 1), score([(1, 1)] * 10, 1)
    assert (nothing.value, nothing.low, nothing.high) == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert (everything.value, everything.low, everything.high) == pytest.approx((1.0, 0.7225, 1.0), abs=1e-4)


def test_more_samples_narrow_the_interval_but_not_below_what_the_problems_allow() -> None:
    one = score([(1, number % 2) for number in range(40)], 1)
    many = score([(20, 10)] * 20 + [(20, 9), (20, 11)] * 10, 1)
    split = score([(20, 20 * (number % 2)) for number in range(40)], 1)
    assert one.value == many.value == split.value == 0.5
    assert many.high - many.low < (one.high - one.low) / 3
    assert split.high - split.low == pytest.approx(one.high - one.low)  # twenty times the same says nothing new


def test_problems_may_have_different_numbers_of_samples() -> None:
    assert score([(1, 1), (4, 1)], 1).value == pytest.approx((1 + 0.25) / 2)
