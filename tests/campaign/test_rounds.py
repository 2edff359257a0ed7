"""The stop rule, as a table: scores round by round, and what follows from them."""

import pytest

from evolray.campaign.rounds import Decision, Score, decide, has_fallen


def rule(
    values: list[float], *, first: int = 1, rounds: int = 9, patience: int = 1, tolerance: float = 0.0
) -> Decision:
    """Each score with an interval of 2 points to both sides."""
    scores = {first + place: Score(value, value - 2, value + 2) for place, value in enumerate(values)}
    return decide(scores, rounds, patience, tolerance)


@pytest.mark.parametrize(
    ("values", "goes_on", "best", "fallen"),
    [
        ([], True, None, ()),
        ([40], True, 1, ()),
        ([40, 50], True, 2, ()),
        ([40, 50, 49.9], False, 2, (3,)),
        ([40, 39.9], False, 1, (2,)),
        ([40, 40], True, 1, ()),  # of equals the earlier one
        ([40, 50, 50, 50], True, 2, ()),
    ],
)
def test_a_fall_by_anything_at_all_stops(
    values: list[float], goes_on: bool, best: int | None, fallen: tuple[int, ...]
) -> None:
    decision = rule(values)
    assert (decision.goes_on, decision.best, decision.fallen) == (goes_on, best, fallen)


@pytest.mark.parametrize(
    ("values", "goes_on", "best", "fallen"),
    [
        ([50, 49], True, 1, (2,)),
        ([50, 49, 48], False, 1, (2, 3)),
        ([50, 49, 50], True, 1, (2,)),  # a round that did not fall ends the row
        ([50, 49, 50, 49], True, 1, (2, 4)),
        ([50, 49, 51, 50], True, 3, (2, 4)),
        ([50, 49, 51, 50, 50], False, 3, (2, 4, 5)),
        ([50, 49, 48, 60], True, 4, (2, 3)),  # patience was raised after it had stopped
    ],
)
def test_patience_counts_rounds_in_a_row(
    values: list[float], goes_on: bool, best: int, fallen: tuple[int, ...]
) -> None:
    decision = rule(values, patience=2)
    assert (decision.goes_on, decision.best, decision.fallen) == (goes_on, best, fallen)


@pytest.mark.parametrize(
    ("score", "tolerance", "fell"),
    [
        (Score(50), 1.0, False),
        (Score(49.99), 0.0, True),
        (Score(49.99), 1.0, True),  # without an interval nothing is tolerated
        (Score(49, 47, 51), 0.5, False),
        (Score(48.9, 46.9, 50.9), 0.5, True),
        (Score(48, 46, 50), 1.0, False),  # the best score is the upper bound
        (Score(47.9, 45.9, 49.9), 1.0, True),
        (Score(49, 40, 49.5), 1.0, True),  # what counts is how far the interval reaches upwards
    ],
)
def test_a_tolerance_is_a_share_of_the_interval(score: Score, tolerance: float, fell: bool) -> None:
    assert has_fallen(score, Score(50, 20, 80), tolerance) == fell


def test_a_tolerated_round_is_not_the_best_and_falls_are_measured_against_the_best() -> None:
    decision = rule([50, 49.5, 49, 48.5], tolerance=0.5)  # each but the last within a point of 50
    assert (decision.goes_on, decision.best, decision.fallen) == (False, 1, (4,))


def test_a_first_round_below_the_baseline_stops() -> None:
    decision = rule([50, 45], first=0)
    assert (decision.goes_on, decision.best, decision.fallen) == (False, 0, (1,))


def test_the_rounds_are_bounded() -> None:
    assert rule([40, 50], rounds=2) == Decision(False, "all 2 rounds are done", 2)
    assert rule([40, 50], rounds=3).goes_on
    assert rule([30, 40, 50], first=0, rounds=2) == Decision(False, "all 2 rounds are done", 2)  # the baseline is none


@pytest.mark.parametrize(
    ("values", "patience", "why"),
    [
        ([], 1, "no round has a score yet"),
        ([40, 50], 1, "round 2 is the best so far, with 50.0 %"),
        ([40, 50, 45.25], 1, "round 3 scored 45.2 %, below the 50.0 % of round 2"),
        ([40, 50, 45], 2, "round 3 scored 45.0 %, below the 50.0 % of round 2; there is patience left"),
        ([50, 45, 44], 2, "round 3 scored 44.0 %, below the 50.0 % of round 1, the 2 rounds after it being worse"),
    ],
)
def test_the_reason_is_told(values: list[float], patience: int, why: str) -> None:
    assert rule(values, patience=patience).why == why
