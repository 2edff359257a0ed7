import pytest

from evolray.blind.agreement import agreement
from evolray.blind.counting import Said


def said(*outcomes: str) -> list[Said]:
    """A string per problem, a letter per rater: w, t, l, or - for not rated."""
    words = {"w": "win", "t": "tie", "l": "loss"}
    return [
        Said(f"rater-{rater}", str(problem), words[letter])
        for problem, some in enumerate(outcomes)
        for rater, letter in enumerate(some)
        if letter != "-"
    ]


def test_two_raters_by_hand() -> None:
    """3 of 4 agree; by chance (2 * 1 + 1 * 2 + 1 * 1) / 16 = 5/16, so kappa is (12 - 5) / (16 - 5)."""
    found = agreement(said("ww", "wt", "tt", "ll"))
    assert found["items"] == 4 and found["pairs_of_raters"] == 1 and found["percent"] == 75.0
    assert found["cohen_kappa"] == pytest.approx(7 / 11, abs=1e-4)


def test_three_raters_of_whom_not_all_rated_all() -> None:
    """Pairs that agree: 3 of 3, 1 of 1, 1 of 3; an item rated by one says nothing."""
    found = agreement(said("www", "l-l", "ttw", "w--"))
    assert found["items"] == 3 and found["pairs_of_raters"] == 3
    assert found["percent"] == pytest.approx(100 * 5 / 7, abs=1e-4)
    # Fleiss: agreement (1 + 1 + 1/3) / 3; by chance (4^2 + 2^2 + 2^2) / 8^2
    assert found["fleiss_kappa"] == pytest.approx((7 / 9 - 3 / 8) / (1 - 3 / 8), abs=1e-4)


def test_numbers_that_mean_nothing_are_none() -> None:
    alone = agreement(said("w", "l"))
    assert alone == {"items": 0, "pairs_of_raters": 0, "percent": None, "cohen_kappa": None, "fleiss_kappa": None}
    always = agreement(said("ww", "ww"))
    assert always["percent"] == 100.0 and always["cohen_kappa"] is None and always["fleiss_kappa"] is None
