import pytest

from evolray.blind.counting import both_ways, by_group, criteria_means, majority, mean_ranks, outcome, outcomes
from evolray.blind.reading import Rating, Ratings
from evolray.blind.results import label_names, results_of
from tests.blind.studies import MODELS, rating

PUBLISHED = {"alpaca": (90, 76, 52), "vicuna": (90, 65, 63), "chatgpt": (61, 68, 89)}
PUBLISHED_HARD = {"alpaca": (41, 6, 16), "vicuna": (30, 12, 21), "chatgpt": (27, 14, 22)}
RANKS = [(1, 2), (1, 1), (2, 1)]


def test_an_outcome_is_the_first_models() -> None:
    assert [outcome(*ranks) for ranks in [(1, 2), (2, 2), (3, 1)]] == ["win", "tie", "loss"]


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        (["win"], "win"),
        (["win", "win", "loss"], "win"),
        (["win", "loss"], "tie"),
        (["win", "tie"], "tie"),
        (["win", "tie", "loss"], "tie"),
        (["loss", "loss", "win", "tie"], "tie"),
    ],
)
def test_a_majority_is_more_than_half(some: list[str], expected: str) -> None:
    assert majority(some) == expected


@pytest.mark.parametrize("other", PUBLISHED)
def test_the_papers_counts(other: str) -> None:
    """Ratings as in the study of WizardLM-7B, 218 items, 63 of them hard, are counted as it counts them."""
    ratings, split = [], {}
    hard, easy = PUBLISHED_HARD[other], [a - h for a, h in zip(PUBLISHED[other], PUBLISHED_HARD[other], strict=True)]
    for name, numbers in (("hard (8-10)", hard), ("easy (1-7)", easy)):
        for ranks, number in zip(RANKS, numbers, strict=True):
            for _ in range(number):
                split[str(len(split))] = name
                ratings.append(rating("rater-01", str(len(split) - 1), *ranks))
    results = results_of(Ratings(ratings), MODELS, [], {"split": split})
    one = results["comparisons"]["alpaca"]
    for counts, expected in (
        (one["ratings"], PUBLISHED[other]),
        (one["majority"], PUBLISHED[other]),
        (one["groups"]["split"]["hard (8-10)"]["ratings"], hard),
        (one["groups"]["split"]["easy (1-7)"]["ratings"], easy),
    ):
        assert (counts["wins"], counts["ties"], counts["losses"], counts["total"]) == (*expected, sum(expected))
    assert one["ratings"]["total"] == 218
    if other == "chatgpt":
        counts = one["groups"]["split"]["hard (8-10)"]["ratings"]
        assert round(100 * counts["wins"] / counts["total"], 1) == 42.9
        assert round(100 * counts["losses"] / counts["total"], 1) == 34.9


def test_a_tie_is_half_a_win() -> None:
    said = outcomes(
        [rating("r", "1", 1, 2), rating("r", "2", 1, 1), rating("r", "3", 1, 1), rating("r", "4", 2, 1)], *MODELS
    )
    assert both_ways(said)["ratings"]["win_rate"]["score"] == 50.0


def test_raters_of_one_problem_are_no_independent_evidence() -> None:
    alone = [rating("rater-01", str(at), *RANKS[at % 3]) for at in range(30)]
    copied = [rating(f"rater-{one:02d}", str(at), *RANKS[at % 3]) for at in range(30) for one in range(5)]
    rates = [both_ways(outcomes(some, *MODELS))["ratings"]["win_rate"] for some in (alone, copied)]
    assert rates[0] == pytest.approx(rates[1])


def test_groups_sort_as_numbers_where_they_are() -> None:
    said = outcomes([rating("r", str(at), 1, 2) for at in (1, 2, 10)], *MODELS)
    groups = by_group(said, {"difficulty": {"1": "10", "2": "9", "10": "10"}})["difficulty"]
    assert list(groups) == ["9", "10"]
    assert groups["10"]["ratings"]["wins"] == 2


def test_answers_that_tie_share_their_places() -> None:
    models = ("a", "b", "c")
    some = [Rating("r", "1", dict(zip(models, ranks, strict=True))) for ranks in [(1, 1, 3), (1, 1, 2), (2, 3, 1)]]
    assert mean_ranks(some, models) == {"a": 1.6667, "b": 2.0, "c": 2.3333}
    assert mean_ranks([], models) == {"a": None, "b": None, "c": None}


def test_means_of_criteria_are_over_those_who_gave_them() -> None:
    some = [
        Rating("r", "1", {"a": 1, "b": 2}, {"a": {"relevance": 5}, "b": {"relevance": 2}}),
        Rating("r", "2", {"a": 1, "b": 2}, {"a": {"relevance": 4}}),
    ]
    assert criteria_means(some, ["a", "b"], ["relevance", "depth"]) == {
        "relevance": {"a": {"mean": 4.5, "ratings": 2}, "b": {"mean": 2.0, "ratings": 1}},
        "depth": {"a": {"mean": None, "ratings": 0}, "b": {"mean": None, "ratings": 0}},
    }


def test_labels_have_names_that_files_can_have() -> None:
    assert label_names(["a/b", "c d", "c:d", "e"]) == [
        "labels/a_b_vs_c_d.csv", "labels/a_b_vs_c_d_3.csv", "labels/a_b_vs_e.csv",
    ]  # fmt: skip
