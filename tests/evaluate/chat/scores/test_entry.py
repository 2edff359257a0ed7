"""What scores.json says of a judged benchmark, and what stands beside each sample."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.scores.entry import SCORINGS, label_agreement, make_entry, outcomes_of
from evolray.evaluate.chat.verdicts import Verdict
from tests.evaluate.chat.judged_by_hand import ORDERS, chosen, judged, rated, scored


def column(name: str) -> dict[str, Callable[[Problem], str]]:
    return {name: lambda problem: str(problem.row[name])}


def both(problem: str, *scores: tuple[float, float]) -> list[Verdict]:
    return [scored(problem, *some, order) for some, order in zip(scores, ORDERS, strict=True)]


UNREAD = Verdict("d", "no_verdict", order=ORDERS[0])
FAILED = [Verdict("e", "failed", order=order, message="timeout: no answer") for order in ORDERS]
WIZARD = judged(
    [
        *both("a", (9, 8), (8, 7)), *both("b", (7, 8), (8, 7)), *both("c", (5, 9), (5, 9)),
        UNREAD, scored("d", 10, 1, ORDERS[1]), *FAILED,
    ],
    {name: {"skill": skill} for name, skill in zip("abcdefg", ["Math", *["Code"] * 6], strict=True)},
    unanswered=["f"],
)  # fmt: skip


def test_relative_scores() -> None:
    found = make_entry(WIZARD, "two_scores", column("skill"), orders=2)
    assert (found["metric"], found["unit"]) == ("relative score", "%")
    assert (found["model_sum"], found["baseline_sum"]) == (8.5 + 7.5 + 5 + 1, 7.5 + 7.5 + 9 + 10)
    assert found["score"] == pytest.approx(100 * 22 / 34, abs=1e-4)
    assert {name: found[name] for name in ("total", "wins", "ties", "losses")} == {
        "total": 4, "wins": 1, "ties": 1, "losses": 2,
    }  # fmt: skip
    assert found["win_rate"]["score"] == 37.5
    assert {name: found[name] for name in ("no_verdict", "unanswered", "unjudged")} == {
        "no_verdict": 2, "unanswered": 1, "unjudged": 1,
    }  # fmt: skip
    assert found["verdicts"] == {"read": 7, "no_verdict": 1, "failed": 2}
    assert found["reliability"]["position"]["pairs"] == 3
    assert "self_consistency" not in found["reliability"] and "length_controlled" not in found


def test_groups_add_up_and_hold_the_missing_answers() -> None:
    found = make_entry(WIZARD, "two_scores", column("skill"), orders=2)
    code, math = found["groups"]["skill"]["Code"], found["groups"]["skill"]["Math"]
    assert (math["score"], math["low"], math["total"]) == (pytest.approx(100 * 8.5 / 7.5, abs=1e-4), None, 1)
    assert (code["total"], code["losses"], code["model_sum"], code["baseline_sum"]) == (3, 2, 13.5, 26.5)
    for name in ("total", "wins", "ties", "losses", "model_sum", "baseline_sum"):
        assert code[name] + math[name] == found[name]


def test_numbered_groups_are_in_the_order_of_their_numbers() -> None:
    problems = {name: {"difficulty": name} for name in ("10", "9", "1", "hard")}
    found = make_entry(
        judged([scored(name, 5, 5) for name in problems], problems), "two_scores", column("difficulty"), 1
    )
    assert [*found["groups"]["difficulty"]] == ["1", "9", "10", "hard"]


def test_mean_scores_by_turn_and_category() -> None:
    verdicts = [rated("a", 1, 9), rated("a", 2, 7), rated("b", 1, 8), rated("b", 2, None), rated("c", 1, 3)]
    rows = {"a": {"category": "math"}, "b": {"category": "writing"}, "c": {"category": "math"}}
    found = make_entry(judged(verdicts, rows, unanswered=["c"]), "single", column("category"), 1)
    assert (found["metric"], found["unit"], found["score"], found["total"]) == ("mean score", "of 10", 5.2, 5)
    assert (found["no_verdict"], found["unanswered"], found["unjudged"]) == (1, 1, 0)
    assert {name: one["score"] for name, one in found["groups"]["turn"].items()} == {"1": 6.0, "2": 4.0}
    assert {name: one["score"] for name, one in found["groups"]["category"].items()} == {"math": 4.5, "writing": 8.0}
    assert "reliability" not in found and "wins" not in found


def test_win_rates_with_lengths() -> None:
    verdicts = [chosen(str(i), "loss" if i % 4 == 3 else "win") for i in range(40)]
    lengths = {str(i): (600, 500) if i % 2 else (500, 600) for i in range(40)}
    found = make_entry(judged(verdicts, lengths=lengths), "ranking", {}, 1)
    assert (found["metric"], found["score"], found["wins"], found["losses"]) == ("win rate", 75.0, 30, 10)
    assert found["average_length"] == {"model": 550.0, "baseline": 550.0}
    assert found["length_controlled"]["items"] == 40 and found["length_controlled"]["score"] > 75
    assert "groups" not in found
    assert "length_controlled" not in make_entry(judged(verdicts, lengths=lengths), "pairwise", {}, 1)


@pytest.mark.parametrize("protocol", [*SCORINGS])
@pytest.mark.parametrize("verdicts", [[], FAILED, [UNREAD]])
def test_without_a_verdict_there_is_no_score(protocol: str, verdicts: list[Verdict]) -> None:
    some = judged(verdicts, {name: {"skill": "Math"} for name in "de"}, lengths={"d": (1, 2)})
    found = make_entry(some, protocol, column("skill"), 2)
    assert (found["score"], found["low"], found["high"], found["total"]) == (None, None, None, 0)
    assert found["no_verdict"] + found["unjudged"] == 2
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("protocol", "verdict"),
    [("single", chosen("a", "win")), ("pairwise", rated("a", 1, 7)), ("ranking", rated("a", 1, 7))],
)
def test_verdicts_of_another_kind_are_none(protocol: str, verdict: Verdict) -> None:
    found = make_entry(judged([verdict]), protocol, {}, 1)
    assert (found["score"], found["total"], found["no_verdict"]) == (None, 0, 1)


@pytest.mark.parametrize("protocol", [*SCORINGS])
def test_nothing_answered_at_all(protocol: str) -> None:
    found = make_entry(judged([], "ab", unanswered="ab"), protocol, {}, 2)
    assert found["score"] == {"two_scores": 10.0, "single": 1.0}.get(protocol, 0.0)
    assert (found["unanswered"], found["total"]) == (2, 2)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("protocol", [*SCORINGS])
def test_every_problem_is_counted_once(protocol: str, seed: int) -> None:
    """Whatever goes wrong: what counts, what has no verdict and what was not judged are all problems together. And
    a score never rises when one more answer goes missing."""
    random, verdicts = Random(seed), []
    for problem in map(str, range(30)):
        for order in ("alone",) if protocol == "single" else ORDERS:
            scores = random.randint(1, 10), random.randint(1, 10)
            fine = rated(problem, 1, scores[0]) if protocol == "single" else scored(problem, *scores, order)
            kind = random.choices(["fine", "no_verdict", "failed", "none"], [6, 1, 1, 1])[0]
            if kind != "none":
                verdicts.append(fine if kind == "fine" else Verdict(problem, kind, order=order))
    groups: Any = {"last digit": lambda problem: problem.id[-1]}
    unanswered = set(map(str, random.sample(range(30), 5)))
    some = judged(verdicts, map(str, range(30)), unanswered)
    found = make_entry(some, protocol, groups, 2)
    assert found["total"] + found["no_verdict"] + found["unjudged"] == 30
    assert sum(one["total"] for one in found["groups"]["last digit"].values()) == found["total"]
    assert found["low"] <= found["score"] <= found["high"]
    told = outcomes_of(some, protocol, 2)
    assert len(told) == 30 - found["unjudged"]
    assert sum(outcome in ("no_verdict", "failed") for outcome, _ in told.values()) == found["no_verdict"]
    one_less = judged(verdicts, map(str, range(30)), unanswered | {random.choice(sorted(told.keys() - unanswered))})
    assert make_entry(one_less, protocol, groups, 2)["score"] <= found["score"]


# --- a line per problem ---


def test_comparisons_told_in_a_line() -> None:
    assert outcomes_of(WIZARD, "two_scores", 2) == {
        "a": ("win", "8.5 : 7.5 (model : baseline), both orders agree"),
        "b": ("tie", "7.5 : 7.5 (model : baseline), the orders disagree"),
        "c": ("loss", "5.0 : 9.0 (model : baseline), both orders agree"),
        "d": ("no_verdict", "judged in one order only"),
        "e": ("failed", "timeout: no answer"),
        "f": ("loss", "no answer, which counts as a loss by 1 : 10"),
    }


@pytest.mark.parametrize(
    ("verdicts", "orders", "told"),
    [
        ([chosen("a", "win")], 1, ("win", "the model's answer was preferred")),
        ([chosen("a", "tie")], 1, ("tie", "neither answer was preferred")),
        ([chosen("a", "loss", one) for one in ORDERS], 2,
         ("loss", "the baseline's answer was preferred, both orders agree")),
        ([chosen("a", "loss", repeat=repeat) for repeat in range(3)], 1,
         ("loss", "the baseline's answer was preferred, 3 repeats")),
        ([chosen("a", "win"), chosen("a", "tie", turn=2)], 1,
         ("win", "turn 1: the model's answer was preferred; turn 2: neither answer was preferred")),
        ([chosen("a", "win"), chosen("a", "loss", turn=2)], 1,
         ("tie", "turn 1: the model's answer was preferred; turn 2: the baseline's answer was preferred")),
        ([chosen("a", "no_verdict"), chosen("a", "loss", turn=2)], 1,
         ("loss", "turn 1: the judge's answer holds no verdict; turn 2: the baseline's answer was preferred")),
    ],
)  # fmt: skip
def test_choices_told_in_a_line(verdicts: list[Verdict], orders: int, told: tuple[str, str]) -> None:
    assert outcomes_of(judged(verdicts), "pairwise", orders) == {"a": told}


def test_ratings_told_in_a_line() -> None:
    verdicts = [
        rated("a", 1, 7), rated("a", 2, 5), rated("b", 1, 7), rated("b", 1, 8, 1), rated("b", 2, None),
        rated("c", 1, None), rated("c", 2, None),
    ]  # fmt: skip
    assert outcomes_of(judged(verdicts, "abcd", unanswered="d"), "single", 1) == {
        "a": ("scored", "rated 7, 5"),
        "b": ("scored", "rated 7.5, no verdict"),
        "c": ("no_verdict", "turn 1: the judge's answer holds no verdict; turn 2: the judge's answer holds no verdict"),
        "d": ("scored", "no answer, which counts as rated 1"),
    }


# --- labels ---


def test_labels_of_people_need_one_order_only() -> None:
    labels = judged([chosen("a", "win", "unknown"), chosen("b", "loss", "unknown"), chosen("d", "win", "unknown")])
    found = label_agreement(WIZARD, labels, "two_scores", 2)
    assert (found["items"], found["agree"], found["left_out"]) == (2, 50.0, 2)  # c has no label, d no outcome
    assert found["confusion"]["tie"]["loss"] == 1


def test_several_people_are_one_label_by_majority() -> None:
    people = [chosen("c", outcome, "unknown", rater) for rater, outcome in enumerate(("loss", "win", "loss"))]
    assert label_agreement(WIZARD, judged(people), "two_scores", 2)["agree"] == 100.0


def test_ratings_are_compared_by_turn() -> None:
    judge = [rated("a", 1, 9), rated("a", 2, 7), rated("b", 1, 3)]
    people = [rated("a", 1, 8), rated("a", 2, 5), rated("b", 1, 4), rated("b", 2, 4)]
    found = label_agreement(judged(judge), judged(people), "single", 1)
    assert found == {"items": 3, "left_out": 1, "spearman": 1.0, "difference": pytest.approx(2 / 3, abs=1e-4)}
