"""How far a judge can be trusted: kappas against textbooks and scikit-learn, position bias and consistency by hand."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from evolray.evaluate.chat.scores.kappas import cohen_kappa, fleiss_kappa, spearman
from evolray.evaluate.chat.scores.reliability import agreement, position, rating_agreement, self_consistency
from evolray.evaluate.chat.verdicts import Verdict
from tests.evaluate.chat.judged_by_hand import ORDERS, chosen, rated, scored

CHOICES = ("win", "tie", "loss")

# --- kappas ---


def test_cohens_kappa_of_a_worked_example() -> None:
    """Two readers of 50 proposals: both yes 20, both no 15, 5 and 10 apart. Observed 0.7, by chance 0.5."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_cohens_kappa_at_its_ends() -> None:
    assert cohen_kappa(["a", "b", "a"], ["a", "b", "a"]) == 1.0
    assert cohen_kappa(["a", "b"], ["b", "a"]) == -1.0
    assert cohen_kappa(["a", "a"], ["b", "b"]) == 0.0  # neither agrees more than chance would, which is never


@pytest.mark.parametrize("some", [[], ["a"], ["a"] * 7])
def test_no_kappa_where_chance_explains_everything(some: list[str]) -> None:
    assert cohen_kappa(some, some) is None


def test_raters_of_different_things_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 and 2 verdicts"):
        cohen_kappa(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="got 1 and 2 ratings"):
        spearman([1], [1, 2])


def test_cohens_kappa_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for seed in range(20):
        random = Random(seed)
        first = [random.choice(CHOICES) for _ in range(40)]
        second = [one if random.random() < seed / 20 else random.choice(CHOICES) for one in first]
        assert cohen_kappa(first, second) == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-12)


def test_fleiss_kappa_of_his_kind_of_table() -> None:
    """Fourteen raters, ten things, five categories; observed 0.378, by chance 0.213, kappa 0.210."""
    table = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    rows = [{str(category): count for category, count in enumerate(row)} for row in table]
    assert fleiss_kappa(rows) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_of_what_cannot_be_compared() -> None:
    assert fleiss_kappa([]) is None
    assert fleiss_kappa([{"win": 1}, {"loss": 1}]) is None  # one rater each
    assert fleiss_kappa([{"win": 3}, {"win": 2, "loss": 0}]) is None  # always the same
    assert fleiss_kappa([{"win": 3}, {"loss": 2}, {"tie": 1}]) == 1.0  # the last has nobody to agree with


def test_spearman_by_hand_and_by_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert spearman([3, 3], [1, 2]) is None and spearman([], []) is None
    for seed in range(10):
        random = Random(seed)
        first, second = ([random.randint(1, 10) for _ in range(30)] for _ in range(2))
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)


# --- the order of answers ---


def both(problem: str, model_first: tuple[float, float], baseline_first: tuple[float, float]) -> list[Verdict]:
    return [scored(problem, *model_first), scored(problem, *baseline_first, ORDERS[1])]


def test_position_bias_by_hand() -> None:
    verdicts = [
        *both("a", (9, 7), (8, 7)),  # a win in both orders, by 2 when first, by 1 when second
        *both("b", (8, 7), (6, 8)),  # whoever comes first wins
        *both("c", (5, 5), (6, 5)),  # the model only wins when it is second
    ]
    found = position(verdicts)
    assert found is not None
    assert {name: found[name] for name in ("pairs", "agree", "first", "second")} == {
        "pairs": 3, "agree": 1, "first": 1, "second": 1,
    }  # fmt: skip
    assert found["agreement"]["score"] == pytest.approx(100 / 3, abs=1e-4)
    # First shown minus second: a 2 and -1, b 1 and 2, c 0 and -1.
    assert found["bias"]["score"] == pytest.approx((0.5 + 1.5 - 0.5) / 3, abs=1e-4)
    # The first shown wins 1 of a's two, both of b's, and half of one of c's: 3.5 of 6.
    assert found["first_wins"]["score"] == pytest.approx(100 * 3.5 / 6, abs=1e-4)
    assert found["first_wins"]["low"] < 50 < found["first_wins"]["high"]


@pytest.mark.parametrize(("favoured", "wins"), [("first", 100.0), ("second", 0.0)])
def test_a_judge_that_only_looks_at_the_place(favoured: str, wins: float) -> None:
    outcomes = ("win", "loss") if favoured == "first" else ("loss", "win")
    verdicts = [
        chosen(str(i), outcome, order) for i in range(20) for outcome, order in zip(outcomes, ORDERS, strict=True)
    ]
    found = position(verdicts)
    assert found is not None
    assert (found["agree"], found[favoured], found["first_wins"]["score"]) == (0, 20, wins)
    assert found["bias"]["score"] == (1.0 if favoured == "first" else -1.0)
    assert found["agreement"] == {"score": 0.0, "low": 0.0, "high": pytest.approx(16.11, abs=0.01)}


def test_a_model_that_always_wins_shows_no_bias() -> None:
    found = position([chosen(str(i), "win", order) for i in range(5) for order in ORDERS])
    assert found is not None
    assert (found["agree"], found["first_wins"]["score"], found["bias"]["score"]) == (5, 50.0, 0.0)


@pytest.mark.parametrize(
    "verdicts",
    [
        [],
        [chosen("a", "win"), chosen("b", "win", ORDERS[1])],
        [chosen("a", "win"), chosen("a", "no_verdict", ORDERS[1])],
        [chosen("a", "win"), chosen("a", "win", ORDERS[1], repeat=1)],
        [chosen("a", "win"), chosen("a", "win", ORDERS[1], turn=2)],
        [rated("a", 1, 7), rated("a", 1, 7, repeat=1)],
    ],
)
def test_without_both_orders_of_the_same_there_is_no_pair(verdicts: list[Verdict]) -> None:
    assert position(verdicts) is None


def test_choices_without_scores_have_no_bias_in_points() -> None:
    found = position([Verdict("a", "win", order=order) for order in ORDERS])
    assert found is not None
    assert (found["agree"], found["bias"]["score"]) == (1, None)


# --- the same question again ---


def test_self_consistency_by_hand() -> None:
    verdicts = [
        *(scored("a", model, 7, repeat=repeat) for repeat, model in enumerate((8, 8, 5))),  # 1 of 3 pairs the same
        *(scored("b", 6, 7, repeat=repeat) for repeat in range(2)),
        scored("c", 1, 10),  # asked once
        scored("a", 1, 10, ORDERS[1]),  # in another order: not the same question
    ]
    found = self_consistency(verdicts)
    assert found is not None
    assert (found["pairs"], found["same"]["score"]) == (4, 50.0)
    # Squares about the means: 1 + 1 + 4 of a's model, 0 of the rest; 2 + 2 + 1 + 1 degrees of freedom.
    assert found["score_sd"] == 1.0


def test_ratings_are_the_same_when_they_are_equal() -> None:
    found = self_consistency([rated("a", 1, 7), rated("a", 1, 7, 1), rated("a", 2, 5), rated("a", 2, 6, 1)])
    assert found is not None
    assert (found["pairs"], found["same"]["score"]) == (2, 50.0)
    assert found["score_sd"] == pytest.approx(0.5)  # squares 0 and 0.5, two degrees of freedom


def test_what_was_read_once_is_not_compared() -> None:
    assert self_consistency([rated("a", 1, 7), rated("a", 1, None, 1), rated("b", 1, 7)]) is None


# --- people ---


def by_number(outcomes: Sequence[str]) -> dict[str, str]:
    return {str(number): outcome for number, outcome in enumerate(outcomes)}


def test_agreement_with_labels() -> None:
    judge = by_number(["win", "win", "tie", "loss", "loss", "no_verdict"])
    people = by_number(["win", "loss", "tie", "loss", "tie", "win", "win"])
    found = agreement(judge, people)
    assert (found["items"], found["left_out"], found["agree"]) == (5, 2, 60.0)
    # By chance: 2/5 * 1/5 + 1/5 * 2/5 + 2/5 * 2/5 = 0.32.
    assert found["kappa"] == pytest.approx((0.6 - 0.32) / 0.68, abs=1e-4)
    assert found["confusion"] == {
        "win": {"win": 1, "tie": 0, "loss": 1},
        "tie": {"win": 0, "tie": 1, "loss": 0},
        "loss": {"win": 0, "tie": 1, "loss": 1},
    }


def test_agreement_in_everything_is_no_certainty_either() -> None:
    found = agreement(by_number(CHOICES), by_number(CHOICES))
    assert (found["agree"], found["kappa"]) == (100.0, 1.0)
    assert found["low"] == pytest.approx(43.85, abs=0.01)


@pytest.mark.parametrize(
    ("compare", "one", "other"),
    [(agreement, {"a": "win"}, {"b": "win"}), (rating_agreement, {"a": 7.0}, {"b": 7.0})],
)
def test_labels_of_other_problems(compare: Callable[..., dict[str, object]], one: object, other: object) -> None:
    found = compare(one, other)
    assert (found["items"], found["left_out"]) == (0, 2)
    assert found.get("kappa") is found.get("spearman") is None


def test_ratings_that_are_milder_but_order_alike() -> None:
    found = rating_agreement({"a": 9, "b": 8, "c": 7.5}, {"a": 7, "b": 6, "c": 2})
    assert found == {"items": 3, "left_out": 0, "spearman": 1.0, "difference": pytest.approx(9.5 / 3, abs=1e-4)}
