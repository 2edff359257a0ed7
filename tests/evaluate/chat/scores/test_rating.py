"""Mean scores: over turns, with intervals that count problems, and missing answers rated 1."""

from math import sqrt

import pytest

from evolray.evaluate.chat.scores.combining import Item
from evolray.evaluate.chat.scores.combining import items as counted
from evolray.evaluate.chat.scores.rating import WORST, scores
from evolray.evaluate.chat.verdicts import Verdict
from tests.evaluate.chat.judged_by_hand import judged, rated


def of(*verdicts: Verdict, unanswered: tuple[str, ...] = ()) -> list[Item]:
    problems = [*dict.fromkeys(one.problem for one in verdicts), *unanswered]
    return counted(judged(verdicts, problems, unanswered), 1, WORST)


def test_the_mean_of_all_turns() -> None:
    found = scores(of(rated("a", 1, 9), rated("a", 2, 6), rated("b", 1, 7), rated("b", 2, 4)))
    # By problem the residuals are 15 - 13 and 11 - 13: the error is sqrt(2/1 * 8) / 4.
    half = 1.96 * sqrt(16) / 4
    assert (found["score"], found["total"]) == (6.5, 4)
    assert (found["low"], found["high"]) == (pytest.approx(6.5 - half, abs=1e-3), pytest.approx(6.5 + half, abs=1e-3))


def test_a_turn_that_cannot_be_read_is_left_out() -> None:
    found = scores(of(rated("a", 1, 9), rated("a", 2, None), rated("b", 1, 6), rated("b", 2, 6)))
    assert (found["score"], found["total"]) == (7.0, 3)


def test_repeats_are_averaged_within_their_turn() -> None:
    found = scores(of(rated("a", 1, 10), rated("a", 1, 4, repeat=1), rated("a", 1, 4, repeat=2), rated("b", 1, 2)))
    assert (found["score"], found["total"]) == (4.0, 2)


def test_a_missing_answer_is_rated_one_in_each_turn() -> None:
    found = scores(of(rated("a", 1, 9), rated("a", 2, 9), unanswered=("b",)))
    assert (found["score"], found["total"]) == (5.0, 4)
    assert scores(of(unanswered=("b",)))["score"] == 1.0


def test_the_interval_stays_on_the_scale() -> None:
    found = scores(of(rated("a", 1, 10), rated("b", 1, 1)))
    assert (found["low"], found["high"]) == (1.0, 10.0)


def test_one_problem_has_no_interval_and_none_has_no_score() -> None:
    assert scores(of(rated("a", 1, 8), rated("a", 2, 9))) == {"score": 8.5, "low": None, "high": None, "total": 2}
    assert scores(of(rated("a", 1, None))) == {"score": None, "low": None, "high": None, "total": 0}
