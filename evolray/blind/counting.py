"""What ratings are counted as: wins, ties and losses, mean ranks, means of criteria.

The paper's human study counts every rating (WizardLM, arXiv 2304.12244, section 4.4). Beside that stands the majority
of an item's raters: an outcome that more than half of them gave, and a tie where there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from evolray.blind.reading import Rating
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.scores.combining import Item as Judged
from evolray.evaluate.chat.scores.winning import counts_and_rate

WIN, TIE, LOSS = "win", "tie", "loss"
OUTCOMES = (WIN, TIE, LOSS)


@dataclass(frozen=True, slots=True)
class Said:
    """One rater's outcome on one problem, from the side of the first model of a comparison."""

    rater: str
    problem: str
    outcome: str


def outcomes(ratings: Iterable[Rating], first: str, other: str) -> list[Said]:
    return [Said(one.rater, one.problem, outcome(one.ranks[first], one.ranks[other])) for one in ratings]


def outcome(first: int, other: int) -> str:
    """Of two ranks; the lower one is the better."""
    return WIN if first < other else LOSS if first > other else TIE


def majorities(said: Iterable[Said]) -> dict[str, str]:
    """By problem, in the order in which the problems come."""
    by_problem: dict[str, list[str]] = defaultdict(list)
    for one in said:
        by_problem[one.problem].append(one.outcome)
    return {problem: majority(some) for problem, some in by_problem.items()}


def majority(some: Sequence[str]) -> str:
    most, number = Counter(some).most_common(1)[0]
    return most if 2 * number > len(some) else TIE


def counted(said: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Of problems and outcomes: total, wins, ties, losses, and a win rate (a tie is half a win) with its interval,
    which takes several ratings of one problem for what they are."""
    items = [Judged(Problem(problem, {}), 1, one, None, None) for problem, one in said]
    return {"total": len(items), **counts_and_rate(items)}


def by_group(said: Sequence[Said], groups: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """`groups`: by column, each problem's group. By column and group, what `both_ways` says of its problems."""
    found: dict[str, Any] = {}
    for column, group_of in groups.items():
        parts: dict[str, list[Said]] = defaultdict(list)
        for one in said:
            parts[group_of[one.problem]].append(one)
        found[column] = {group: both_ways(parts[group]) for group in sorted(parts, key=_natural)}
    return found


def both_ways(said: Sequence[Said]) -> dict[str, Any]:
    return {
        "ratings": counted((one.problem, one.outcome) for one in said),
        "majority": counted(majorities(said).items()),
    }


def mean_ranks(ratings: Sequence[Rating], models: Sequence[str]) -> dict[str, float | None]:
    """Answers that tie share the places they take: of three, the ranks 1, 1, 3 and 1, 1, 2 are both 1.5, 1.5, 3."""
    places = [_places(rating.ranks) for rating in ratings]
    return {model: round(fmean(one[model] for one in places), 4) if places else None for model in models}


def _places(ranks: Mapping[str, int]) -> dict[str, float]:
    better = {model: sum(other < rank for other in ranks.values()) for model, rank in ranks.items()}
    equal = Counter(ranks.values())
    return {model: better[model] + (equal[rank] + 1) / 2 for model, rank in ranks.items()}


def criteria_means(
    ratings: Sequence[Rating], models: Sequence[str], criteria: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """By criterion and model: the mean from 1 to 5 over those who gave it, and how many did."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in criteria:
        found[name] = {}
        for model in models:
            given = [one.criteria[model][name] for one in ratings if name in one.criteria.get(model, {})]
            found[name][model] = {"mean": round(fmean(given), 4) if given else None, "ratings": len(given)}
    return found


def _natural(group: str) -> tuple[bool, int, str]:
    return not group.isdigit(), int(group) if group.isdigit() else 0, group
