"""Verdicts on one turn become one outcome: orders that disagree, repeats, what could not be read."""

import pytest

from evolray.evaluate.chat.scores.combining import Combined, combine, combined, items
from evolray.evaluate.chat.verdicts import Verdict
from tests.evaluate.chat.judged_by_hand import ORDERS, chosen, judged, rated, scored

FAILED = Verdict("p", "failed", order=ORDERS[1], message="timeout: no answer in 60 s")
UNREAD = Verdict("p", "no_verdict", order=ORDERS[1])


@pytest.mark.parametrize(
    ("model_first", "baseline_first", "outcome"),
    [
        ("win", "win", "win"),
        ("loss", "loss", "loss"),
        ("tie", "tie", "tie"),
        ("win", "loss", "tie"),
        ("win", "tie", "tie"),
        ("tie", "win", "tie"),
        ("tie", "loss", "tie"),
    ],
)
def test_orders_that_disagree_are_a_tie(model_first: str, baseline_first: str, outcome: str) -> None:
    found = combine([chosen("p", model_first), chosen("p", baseline_first, ORDERS[1])], orders=2)
    assert (found.outcome, found.orders_agree) == (outcome, model_first == baseline_first)


def test_scores_are_means_over_both_orders() -> None:
    found = combine([scored("p", 9, 8), scored("p", 7, 7, ORDERS[1])], orders=2)
    assert found == Combined("tie", 8.0, 7.5, repeats=1, orders_agree=False)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (UNREAD, "judged in one order only"),
        (FAILED, "judged in one order only: timeout: no answer in 60 s"),
        (chosen("p", "win"), "judged in one order only"),  # the same order again is no second one
    ],
)
def test_one_of_two_orders_says_nothing(other: Verdict, message: str) -> None:
    verdicts = [chosen("p", "win"), other]
    assert combine(verdicts, orders=2) == Combined("no_verdict", message=message)
    assert combine(verdicts, orders=1).outcome == "win"


def test_a_judge_that_failed_is_told_from_one_that_cannot_be_read() -> None:
    assert combine([FAILED, FAILED], 2) == Combined("failed", message="timeout: no answer in 60 s")
    assert combine([FAILED, UNREAD], 2).outcome == "no_verdict"
    assert combine([UNREAD], 1) == Combined("no_verdict", message="the judge's answer holds no verdict")


@pytest.mark.parametrize(
    ("outcomes", "majority"),
    [
        ("win win loss", "win"),
        ("win tie tie", "tie"),
        ("win loss", "tie"),
        ("win loss tie", "tie"),
        ("loss loss win win", "tie"),
        ("win win tie loss", "tie"),  # the most, but not more than half
        ("loss", "loss"),
    ],
)
def test_repeats_are_decided_by_more_than_half_of_them(outcomes: str, majority: str) -> None:
    verdicts = [
        chosen("p", outcome, order, repeat) for repeat, outcome in enumerate(outcomes.split()) for order in ORDERS
    ]
    found = combine(verdicts, orders=2)
    assert (found.outcome, found.repeats) == (majority, len(outcomes.split()))


def test_a_repeat_that_lacks_an_order_is_left_out_and_the_others_count() -> None:
    lacking = [scored("p", 10, 1, repeat=1), UNREAD]
    complete = [scored("p", 5, 6), scored("p", 5, 8, ORDERS[1])]
    assert combine([*lacking, *complete], orders=2) == Combined("loss", 5.0, 7.0, repeats=1, orders_agree=True)


@pytest.mark.parametrize("order", ["model_first", "alone", "unknown"])
def test_one_order_is_enough_where_one_was_asked_for(order: str) -> None:
    assert combine([scored("p", 8, 9, order)], 1) == Combined("loss", 8.0, 9.0, repeats=1)


def test_ratings_are_means_over_repeats_by_turn() -> None:
    verdicts = [rated("p", 1, 7), rated("p", 1, 8, repeat=1), rated("p", 2, 5), rated("p", 2, None, repeat=1)]
    found = combined(judged(verdicts), orders=2)  # an answer alone has no order that could be missing
    assert found == {"p": {1: Combined("scored", 7.5, repeats=2), 2: Combined("scored", 5.0, repeats=1)}}


def test_an_answer_that_is_missing_is_the_worst_in_every_turn_that_is_judged() -> None:
    verdicts = [rated("a", 1, 9), rated("a", 2, None), rated("b", 1, 9), rated("b", 2, 9), rated("c", 1, 10)]
    found = items(judged(verdicts, unanswered=["c"]), 1, Combined("scored", 1.0))
    assert [(one.problem.id, one.turn, one.model_score, one.is_answered) for one in found] == [
        ("a", 1, 9, True), ("b", 1, 9, True), ("b", 2, 9, True), ("c", 1, 1.0, False), ("c", 2, 1.0, False),
    ]  # fmt: skip


def test_verdicts_on_other_problems_are_not_counted() -> None:
    assert combined(judged([chosen("p", "win"), chosen("q", "win")], problems=["q"]), 1).keys() == {"q"}


def test_nothing_judged_and_nothing_answered() -> None:
    assert items(judged([], problems=["a"]), 2, Combined("loss")) == []
    assert len(items(judged([], problems=["a"], unanswered=["a"]), 2, Combined("loss"))) == 1
