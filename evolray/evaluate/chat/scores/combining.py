"""From the verdicts on one turn of a problem to its outcome, and from all verdicts to the items that scores count.

A judge leans to the answer that it sees first (or last). So where both orders are asked for, both must have been
read: a repeat that was judged in one order only says nothing. Two orders that disagree are a tie, as in MT-Bench
(Zheng et al. 2023, arXiv 2306.05685, section 3.4), one tie among them included. Of several repeats the outcome is
that of more than half, else a tie.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import Judged
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, READ, Verdict

WIN, TIE, LOSS, SCORED = READ
POINTS: Mapping[str, float] = {WIN: 1.0, TIE: 0.5, LOSS: 0.0}


@dataclass(frozen=True, slots=True)
class Combined:
    """`outcome` as a verdict's. The scores are means over the verdicts that count, None where there are none.

    `repeats`: how many were read in full. `orders_agree`: None where each repeat has one order. `message`: why there
    is no outcome.
    """

    outcome: str
    model_score: float | None = None
    baseline_score: float | None = None
    repeats: int = 0
    orders_agree: bool | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """What a score counts: a turn of a problem. `is_answered` is False where the model gave no answer, which counts
    as the worst there is."""

    problem: Problem
    turn: int
    outcome: str
    model_score: float | None
    baseline_score: float | None
    is_answered: bool = True


def combine(verdicts: Sequence[Verdict], orders: int) -> Combined:
    """`verdicts`: all on one turn of one problem. `orders`: in how many of them each repeat was to be judged, 1 or
    2."""
    read = [one for one in verdicts if one.outcome in READ]
    ratings = [one for one in read if one.outcome == SCORED]
    if ratings:  # an answer alone has no order
        return Combined(SCORED, *_mean_scores(ratings), repeats=len({one.repeat for one in ratings}))
    repeats: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in read:
        repeats[verdict.repeat].append(verdict)
    complete = [some for some in repeats.values() if len(_orders(some)) >= orders]
    if not complete:
        return _without_outcome(verdicts, read)
    agreed = [len({one.outcome for one in some}) == 1 for some in complete if len(_orders(some)) > 1]
    return Combined(
        _majority([_of_orders(some) for some in complete]),
        *_mean_scores([one for some in complete for one in some]),
        repeats=len(complete),
        orders_agree=all(agreed) if agreed else None,
    )


def combined(judged: Judged, orders: int) -> dict[str, dict[int, Combined]]:
    """By problem, in the problems' order, and by turn; a problem without any verdict is left out."""
    verdicts: dict[str, dict[int, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for verdict in judged.verdicts:
        verdicts[verdict.problem][verdict.turn].append(verdict)
    return {
        problem.id: {turn: combine(some, orders) for turn, some in sorted(verdicts[problem.id].items())}
        for problem in judged.problems.all
        if problem.id in verdicts
    }


def items(judged: Judged, orders: int, worst: Combined) -> list[Item]:
    """All that a score counts: ratings where the worst is one, else comparisons.

    A problem to which the model gave no answer counts as `worst` in every turn that is judged of others, whatever
    verdicts there are on it: a score never rises because something went missing.
    """
    counts = {SCORED} if worst.outcome == SCORED else POINTS.keys()
    found = combined(judged, orders)
    turns = sorted({turn for by_turn in found.values() for turn in by_turn}) or [1]
    listed = []
    for problem in judged.problems.all:
        is_answered = problem.id not in judged.unanswered
        by_turn = found.get(problem.id, {}) if is_answered else dict.fromkeys(turns, worst)
        listed += [
            Item(problem, turn, one.outcome, one.model_score, one.baseline_score, is_answered)
            for turn, one in by_turn.items()
            if one.outcome in counts
        ]
    return listed


def _orders(verdicts: Iterable[Verdict]) -> set[str]:
    return {one.order for one in verdicts}


def _of_orders(verdicts: Sequence[Verdict]) -> str:
    outcomes = {one.outcome for one in verdicts}
    return outcomes.pop() if len(outcomes) == 1 else TIE


def _majority(outcomes: Sequence[str]) -> str:
    outcome, number = Counter(outcomes).most_common(1)[0]
    return outcome if 2 * number > len(outcomes) else TIE


def _mean_scores(verdicts: Iterable[Verdict]) -> tuple[float | None, float | None]:
    """Each side over the verdicts that score it."""
    model = [one.model_score for one in verdicts if one.model_score is not None]
    baseline = [one.baseline_score for one in verdicts if one.baseline_score is not None]
    return fmean(model) if model else None, fmean(baseline) if baseline else None


def _without_outcome(verdicts: Sequence[Verdict], read: Sequence[Verdict]) -> Combined:
    cause = next((one.message for one in verdicts if one.outcome not in READ and one.message), "")
    if not read and all(one.outcome == FAILED for one in verdicts):
        return Combined(FAILED, message=cause or "the judge did not answer")
    what = "judged in one order only" if read else "the judge's answer holds no verdict"
    return Combined(NO_VERDICT, message=f"{what}: {cause}" if cause else what)
