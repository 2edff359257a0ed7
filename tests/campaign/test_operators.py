"""Operator weights that were learned, against values worked out by hand."""

import math

import pytest

from evolray.campaign.operators import Round, weights

EVEN = {"deepen": 10, "mutate": 10}


def kept(deepen: int, mutate: int) -> dict[str, int]:
    return {"deepen": deepen, "mutate": mutate}


def test_nothing_seen_nothing_learned() -> None:
    assert weights([]) == {}
    assert weights([Round(0, 40.0)]) == {}


def test_acceptance_alone_while_no_score_has_changed() -> None:
    """(8 + 1) / 12 and (2 + 1) / 12: shares 3/4 and 1/4 of a sum of 2, a quarter of which is even."""
    assert weights([Round(0, 40.0), Round(1, 40.0, EVEN, kept(8, 2))]) == {2: {"deepen": 1.375, "mutate": 0.625}}
    assert weights([Round(1, 40.0, EVEN, kept(8, 2))], least=0.0) == {2: {"deepen": 1.5, "mutate": 0.5}}
    assert weights([Round(1, None, EVEN, kept(8, 2))], least=1.0) == {2: {"deepen": 1.0, "mutate": 1.0}}


def test_what_helped_is_the_share_of_new_records_times_the_change() -> None:
    """3 and 1 of 4 new records, 5 points up: the exponents are 2 x 3.75 / 10 and 2 x 1.25 / 10."""
    asked = {"deepen": 6, "mutate": 2}  # accepted alike: (3 + 1) / 8 and (1 + 1) / 4
    learned = weights([Round(0, 40.0), Round(1, 45.0, asked, kept(3, 1))], least=0.0)[2]
    assert learned["deepen"] / learned["mutate"] == pytest.approx(math.exp(0.5), rel=1e-3)
    assert sum(learned.values()) == pytest.approx(2, abs=2e-4)


def test_a_fall_turns_it_around() -> None:
    asked = {"deepen": 6, "mutate": 2}
    learned = weights([Round(0, 45.0), Round(1, 40.0, asked, kept(3, 1))], least=0.0)[2]
    assert learned["mutate"] / learned["deepen"] == pytest.approx(math.exp(0.5), rel=1e-3)


def test_each_generation_learns_from_the_rounds_before_it_alone() -> None:
    rounds = [Round(0, 40.0), Round(1, 50.0, EVEN, kept(9, 1)), Round(2, 30.0, EVEN, kept(5, 5)), Round(3, None)]
    assert list(weights(rounds)) == [2, 3, 4]
    assert weights(rounds[:2])[2] == weights(rounds)[2]
    assert weights(rounds[:3])[3] == weights(rounds)[3] == weights(rounds)[4]
    assert weights(list(reversed(rounds))) == weights(rounds)


def test_without_a_baseline_the_first_round_changes_nothing() -> None:
    alone = weights([Round(1, 90.0, EVEN, kept(5, 5))])
    assert alone == {2: {"deepen": 1.0, "mutate": 1.0}}


def test_no_operator_is_given_up() -> None:
    """However bad: a hundred points down in a round that was all its own."""
    rounds = [Round(0, 100.0), Round(1, 0.0, {"deepen": 1000, "mutate": 1000}, kept(1000, 0))]
    assert weights(rounds, least=0.25)[2] == {"deepen": 0.25, "mutate": 1.75}


def test_many_rounds_do_not_overflow() -> None:
    rounds = [Round(number, 100.0 * (number % 2), EVEN, kept(10, 0)) for number in range(2)]
    rounds += [Round(number, 100.0 * number, EVEN, kept(10, 0)) for number in range(2, 200)]
    assert weights(rounds)[200] == {"deepen": 1.75, "mutate": 0.25}


def test_what_the_config_weighs_stays_a_factor_and_the_unasked_are_not_named() -> None:
    rounds = [Round(1, None, {**EVEN, "simplify": 0}, kept(8, 2))]
    assert weights(rounds, prior={"deepen": 0.5, "simplify": 0.0}) == {2: {"deepen": 0.6875, "mutate": 0.625}}


def test_the_same_counts_give_the_same_text() -> None:
    """In whatever order the names came: the weights are part of what a pool is."""
    one = weights([Round(1, None, {"a": 7, "b": 5, "c": 3}, {"a": 1, "b": 4, "c": 3})])
    other = weights([Round(1, None, {"c": 3, "b": 5, "a": 7}, {"b": 4, "c": 3, "a": 1})])
    assert repr(one) == repr(other)
