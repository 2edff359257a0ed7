"""Win rates and relative scores and ratings rest on one estimator: against published values and ones by hand."""

from math import sqrt
from random import Random
from statistics import fmean, stdev

import pytest

from evolray.evaluate.chat.scores.ratio import Ratio, ratio, share
from evolray.evaluate.chat.scores.winning import points, scores
from tests.evaluate.chat.judged_by_hand import items

WIZARDLM_13B = items(["win"] * 601 + ["loss"] * 194 + ["tie"] * 9)


def test_alpaca_evals_published_win_rate_and_standard_error() -> None:
    found = ratio(points(WIZARDLM_13B)).times(100)
    assert found.value == pytest.approx(75.31094527363184, rel=1e-12)
    assert found.standard_error == pytest.approx(1.5101858292160824, rel=1e-12)


def test_what_scores_json_says() -> None:
    rate = {"score": 75.3109, "low": 72.351, "high": 78.2709}  # 1.96 standard errors to each side
    assert scores(WIZARDLM_13B) == {
        **rate, "standard_error": 1.5102, "total": 804, "wins": 601, "ties": 9, "losses": 194, "win_rate": rate,
    }  # fmt: skip


def test_the_interval_stays_within_what_is_possible() -> None:
    found = scores(items(["win"] * 9 + ["loss"]))
    assert (found["score"], found["high"]) == (90.0, 100.0)
    assert found["low"] == pytest.approx(90 - 1.96 * 10, abs=0.01)  # the deviation of nine ones and a zero is 0.316


@pytest.mark.parametrize(
    ("outcome", "low", "high"), [("win", 43.85, 100.0), ("loss", 0.0, 56.15), ("tie", 12.53, 87.47)]
)
def test_three_of_three_are_no_certainty(outcome: str, low: float, high: float) -> None:
    """Wilson's interval, since the standard error is 0."""
    found = scores(items([outcome] * 3))
    assert found["standard_error"] == 0.0
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_a_single_comparison_has_no_standard_error() -> None:
    found = scores(items(["tie"]))
    assert (found["score"], found["standard_error"]) == (50.0, None)
    assert 0 < found["low"] < 50 < found["high"] < 100


def test_nothing_to_count() -> None:
    nothing = {"score": None, "low": None, "high": None}
    assert scores([]) == {
        **nothing, "standard_error": None, "total": 0, "wins": 0, "ties": 0, "losses": 0, "win_rate": nothing,
    }  # fmt: skip


# --- the estimator ---


def test_a_ratio_of_sums_worked_out_by_hand() -> None:
    """Sums 12 and 10, so R is 1.2; residuals 5 - 3.6 = 1.4, 4 - 4.8 = -0.8, 3 - 3.6 = -0.6, squared 1.96, 0.64 and 0.36
    (2.96 in all), so the error is sqrt(3/2 * 2.96) / 10."""
    found = ratio([("a", 5, 3), ("b", 4, 4), ("c", 3, 3)])
    assert found.value == pytest.approx(1.2)
    assert found.standard_error == pytest.approx(sqrt(1.5 * 2.96) / 10)


def test_over_ones_it_is_the_standard_error_of_the_mean() -> None:
    values = [Random(2).random() for _ in range(50)] + [0.0, 1.0]
    found = ratio([(str(number), value, 1.0) for number, value in enumerate(values)])
    assert found.value == pytest.approx(fmean(values))
    assert found.standard_error == pytest.approx(stdev(values) / sqrt(len(values)))


def test_turns_of_one_problem_are_not_independent() -> None:
    """Saying everything twice makes nothing surer."""
    once = [(str(number), float(number % 3), 1.0) for number in range(30)]
    assert ratio(once * 2) == ratio(once)
    apart = ratio([*once, *((f"other {problem}", above, below) for problem, above, below in once)])
    assert apart.standard_error < 0.75 * ratio(once).standard_error  # type: ignore[operator]


def test_nothing_to_divide_by_is_no_score() -> None:
    assert ratio([]) == ratio([("a", 3.0, 0.0)]) == Ratio(None, None)
    assert share([]) == {"score": None, "low": None, "high": None}


def test_the_interval_covers_the_truth_about_95_times_of_100() -> None:
    random, truth, hits = Random(7), 0.6, 0
    for _ in range(400):
        drawn = [(str(number), float(random.random() < truth), 1.0) for number in range(60)]
        found = ratio(drawn).within(0, 1)
        hits += found["low"] <= truth <= found["high"]  # type: ignore[operator]
    assert 370 <= hits <= 392
