"""What scores.json says of a judged benchmark: the score of its protocol, by group too, and how far to trust it.

What a score counts is an item, a turn of a problem.

total         items that count; those that the model did not answer as the worst there is
no_verdict    items that do not: the judge did not answer, or could not be read, or in one of two orders only
unanswered    problems without an answer of the model's
unjudged      problems that were answered, and on which there is no verdict of any kind
verdicts      what the judge was asked, by what came of it
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import Entry, Judged
from evolray.evaluate.chat.scores import rating, relative, winning
from evolray.evaluate.chat.scores.combining import POINTS, SCORED, Combined, Item, combined, items
from evolray.evaluate.chat.scores.length_controlled import length_controlled
from evolray.evaluate.chat.scores.outcomes import outcomes_of
from evolray.evaluate.chat.scores.reliability import agreement, position, rating_agreement, self_consistency
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, READ

__all__ = ["label_agreement", "make_entry", "outcomes_of"]

Groups = Mapping[str, Callable[[Problem], str]]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a protocol's verdicts are scored; `worst` stands for an answer that the model did not give."""

    metric: str
    unit: str
    worst: Combined
    scores: Callable[[Sequence[Item]], dict[str, Any]]


SCORINGS = {
    "two_scores": Scoring("relative score", "%", relative.WORST, relative.scores),
    "single": Scoring("mean score", "of 10", rating.WORST, rating.scores),
    "pairwise": Scoring("win rate", "%", winning.WORST, winning.scores),
    "ranking": Scoring("win rate", "%", winning.WORST, winning.scores),
}


def make_entry(judged: Judged, protocol: str, groups: Groups, orders: int) -> Entry:
    """`orders`: in how many each comparison was to be judged. Without a verdict that could be read, score is None."""
    scoring = SCORINGS[protocol]
    counted = items(judged, orders, scoring.worst)
    entry: Entry = {"metric": scoring.metric, "unit": scoring.unit, **scoring.scores(counted)}
    entry |= _counts(judged, orders, sum(one.is_answered for one in counted))
    by_group = _by_group(counted, groups)
    if by_group:
        entry["groups"] = {
            column: {name: scoring.scores(some) for name, some in members.items()}
            for column, members in by_group.items()
        }
    reliability = {"position": position(judged.verdicts), "self_consistency": self_consistency(judged.verdicts)}
    if any(reliability.values()):
        entry["reliability"] = {name: found for name, found in reliability.items() if found}
    if judged.lengths:
        entry["average_length"] = _average_length(judged.lengths)
        if protocol == "ranking":
            entry["length_controlled"] = length_controlled(counted, judged.lengths)
    return entry


def label_agreement(judged: Judged, labels: Judged, protocol: str, orders: int) -> dict[str, Any]:
    """How far the judge agrees with `labels`, verdicts by people or by another judge, turn by turn: outcomes of
    comparisons, ratings of single answers. Only what the judge said counts: no answer is no judgement.

    People see two answers in one order or the other, so of labels any order will do; several on one turn count as
    repeats do, by their majority or mean.
    """
    mine, theirs = _said(judged, orders), _said(labels, 1)
    if protocol == "single":
        return rating_agreement(_ratings(mine), _ratings(theirs))
    return agreement(_outcomes(mine), _outcomes(theirs))


def _counts(judged: Judged, orders: int, with_outcome: int) -> dict[str, Any]:
    answered = {one.id for one in judged.problems.all} - judged.unanswered
    said = [problem for problem, _ in _said(judged, orders) if problem in answered]
    asked = Counter(one.outcome for one in judged.verdicts)
    return {
        "no_verdict": len(said) - with_outcome,
        "unanswered": len(judged.problems.all) - len(answered),
        "unjudged": len(answered - {*said}),
        "verdicts": {
            "read": sum(asked[outcome] for outcome in READ), "no_verdict": asked[NO_VERDICT], "failed": asked[FAILED],
        },
    }  # fmt: skip


def _said(judged: Judged, orders: int) -> dict[tuple[str, int], Combined]:
    """By problem and turn."""
    found = combined(judged, orders)
    return {(problem, turn): one for problem, turns in found.items() for turn, one in turns.items()}


def _outcomes(said: Mapping[tuple[str, int], Combined]) -> dict[tuple[str, int], str]:
    return {turn: one.outcome for turn, one in said.items() if one.outcome in POINTS}


def _ratings(said: Mapping[tuple[str, int], Combined]) -> dict[tuple[str, int], float]:
    return {
        turn: one.model_score for turn, one in said.items()
        if one.outcome == SCORED and one.model_score is not None
    }  # fmt: skip


def _by_group(counted: Sequence[Item], groups: Groups) -> dict[str, dict[str, list[Item]]]:
    """Column -> group -> its items; turns are a column of their own where there are several."""
    columns: dict[str, Callable[[Item], str]] = {}
    if len({one.turn for one in counted}) > 1:
        columns["turn"] = lambda item: str(item.turn)
    columns |= {name: _of_problem(of) for name, of in groups.items()}
    found = {}
    for column, of in columns.items():
        members: dict[str, list[Item]] = defaultdict(list)
        for item in counted:
            members[of(item)].append(item)
        found[column] = dict(sorted(members.items(), key=lambda one: _as_sorted(one[0])))
    return found


def _of_problem(group: Callable[[Problem], str]) -> Callable[[Item], str]:
    return lambda item: group(item.problem)


def _as_sorted(group: str) -> tuple[bool, int, str]:
    """Numbers first and by value, so that difficulty 10 comes after 9."""
    is_number = group.isascii() and group.isdigit()
    return not is_number, int(group) if is_number else 0, group


def _average_length(lengths: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    return {
        "model": round(fmean(model for model, _ in lengths.values()), 1),
        "baseline": round(fmean(baseline for _, baseline in lengths.values()), 1),
    }
