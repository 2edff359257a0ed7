"""Relative scores: sums by hand, the published reviews of Vicuna, and answers that are missing."""

import json
from pathlib import Path

import pytest

from evolray.evaluate.chat.scores.combining import Item
from evolray.evaluate.chat.scores.combining import items as counted
from evolray.evaluate.chat.scores.relative import WORST, scores
from evolray.evaluate.chat.verdicts import Verdict
from tests.evaluate.chat.judged_by_hand import ORDERS, chosen, judged, scored

DATA = Path(__file__).parents[4] / "../shared/data/vicuna_bench"
REVIEWS = ("gpt4_review_gpt35_vs_vicuna13b.jsonl", "gpt4_review_bard_vs_vicuna13b.jsonl")


def of(*verdicts: Verdict, unanswered: tuple[str, ...] = (), orders: int = 1) -> list[Item]:
    problems = [*dict.fromkeys(one.problem for one in verdicts), *unanswered]
    return counted(judged(verdicts, problems, unanswered), orders, WORST)


def test_it_is_the_ratio_of_the_sums_not_the_mean_of_ratios() -> None:
    found = scores(of(scored("a", 9, 10), scored("b", 2, 1)))
    assert (found["score"], found["model_sum"], found["baseline_sum"]) == (100.0, 11.0, 11.0)
    assert (found["wins"], found["ties"], found["losses"]) == (1, 0, 1)


def test_the_interval_by_hand() -> None:
    """R = 12/10; the error, 21.07 points, is worked out with the estimator's tests."""
    found = scores(of(scored("a", 5, 3), scored("b", 4, 4), scored("c", 3, 3)))
    assert found["score"] == 120.0
    assert (found["low"], found["high"]) == (pytest.approx(78.70, abs=0.01), pytest.approx(161.30, abs=0.01))


def test_both_orders_are_averaged_and_count_once() -> None:
    found = scores(of(scored("a", 9, 8), scored("a", 7, 8, ORDERS[1]), scored("b", 6, 8), orders=2))
    assert (found["total"], found["model_sum"], found["baseline_sum"], found["ties"]) == (1, 8.0, 8.0, 1)


def test_equal_scores_are_certain_to_be_equal() -> None:
    found = scores(of(scored("a", 9, 9), scored("b", 4, 4)))
    assert (found["score"], found["low"], found["high"]) == (100.0, 100.0, 100.0)
    assert found["win_rate"]["low"] < 50 < found["win_rate"]["high"]


def test_a_missing_answer_is_one_to_ten() -> None:
    found = scores(of(scored("a", 9, 9), unanswered=("b",)))
    assert (found["model_sum"], found["baseline_sum"], found["total"], found["losses"]) == (10.0, 19.0, 2, 1)
    assert found["score"] == pytest.approx(100 * 10 / 19, abs=1e-4)


@pytest.mark.parametrize("kept", [(5, 5), (1, 10), (10, 1), (1, 1), (10, 10)])
def test_a_score_never_rises_because_an_answer_went_missing(kept: tuple[int, int]) -> None:
    for model in range(1, 11):
        for baseline in range(1, 11):
            with_it = scores(of(scored("a", *kept), scored("b", model, baseline)))
            without = scores(of(scored("a", *kept), unanswered=("b",)))
            assert without["score"] <= with_it["score"]
            assert without["win_rate"]["score"] <= with_it["win_rate"]["score"]


def test_a_choice_without_scores_counts_among_wins_alone() -> None:
    choice = Verdict("b", "win", order="unknown")
    found = scores(of(scored("a", 4, 5), choice))
    assert (found["score"], found["total"], found["wins"], found["losses"]) == (80.0, 2, 1, 1)
    assert scores(of(choice))["score"] is None


def test_nothing_to_count() -> None:
    found = scores(of(chosen("a", "no_verdict")))
    assert (found["score"], found["low"], found["high"], found["total"], found["model_sum"]) == (None, None, None, 0, 0)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
@pytest.mark.parametrize(
    ("name", "model_sum", "baseline_sum", "score", "counts"),
    [(REVIEWS[0], 684.0, 633.5, 107.9716, (42, 16, 22)), (REVIEWS[1], 661.5, 662.0, 99.9245, (28, 13, 39))],
)
def test_the_reviews_of_vicuna(
    name: str, model_sum: float, baseline_sum: float, score: float, counts: tuple[int, int, int]
) -> None:
    """Of two scores the second is Vicuna's, here the baseline."""
    reviews = [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    verdicts = [scored(str(review["question_id"]), *review["score"]) for review in reviews]
    found = scores(of(*verdicts))
    assert (found["model_sum"], found["baseline_sum"], found["total"]) == (model_sum, baseline_sum, 80)
    assert found["score"] == score
    assert (found["wins"], found["ties"], found["losses"]) == counts
    assert found["low"] < score < found["high"] < found["low"] + 15
