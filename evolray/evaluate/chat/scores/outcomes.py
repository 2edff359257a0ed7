"""What became of each problem, in a word and a line for people: they stand beside its samples."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from evolray.evaluate.chat.benchmark import Judged
from evolray.evaluate.chat.scores.combining import LOSS, POINTS, SCORED, TIE, WIN, Combined, combined
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, READ

CHOICES = {
    WIN: "the model's answer was preferred", TIE: "neither answer was preferred",
    LOSS: "the baseline's answer was preferred",
}  # fmt: skip


def outcomes_of(judged: Judged, protocol: str, orders: int) -> dict[str, tuple[str, str]]:
    """By problem: win, tie, loss, scored, no_verdict or failed, and why; a problem that nobody judged is left out.

    Several turns have the outcome of their mean, a tie counting half. A turn that could not be read takes no part in
    it, as it takes none in the scores.
    """
    found = combined(judged, orders)
    return {
        problem.id: _unanswered(protocol) if problem.id in judged.unanswered else _of_turns(found[problem.id], protocol)
        for problem in judged.problems.all
        if problem.id in judged.unanswered or problem.id in found
    }


def _unanswered(protocol: str) -> tuple[str, str]:
    if protocol == "single":
        return SCORED, "no answer, which counts as rated 1"
    return LOSS, f"no answer, which counts as a loss{' by 1 : 10' if protocol == 'two_scores' else ''}"


def _of_turns(turns: Mapping[int, Combined], protocol: str) -> tuple[str, str]:
    outcome = _outcome([one.outcome for one in turns.values()])
    if outcome == SCORED:
        return outcome, "rated " + ", ".join(_rating(one) for one in turns.values())
    told = [_comparison(one, protocol) for one in turns.values()]
    if len(told) == 1:
        return outcome, told[0]
    return outcome, "; ".join(f"turn {turn}: {what}" for turn, what in zip(turns, told, strict=True))


def _outcome(turns: Sequence[str]) -> str:
    read = [one for one in turns if one in READ]
    if not read:
        return NO_VERDICT if NO_VERDICT in turns else FAILED
    if SCORED in read:
        return SCORED
    points = fmean(POINTS[one] for one in read)
    return TIE if points == 0.5 else WIN if points > 0.5 else LOSS


def _rating(turn: Combined) -> str:
    return "no verdict" if turn.model_score is None else f"{turn.model_score:.4g}"


def _comparison(turn: Combined, protocol: str) -> str:
    if turn.outcome not in POINTS:
        return turn.message
    what = CHOICES[turn.outcome]
    if protocol == "two_scores" and turn.model_score is not None and turn.baseline_score is not None:
        what = f"{round(turn.model_score, 2)} : {round(turn.baseline_score, 2)} (model : baseline)"
    if turn.orders_agree is not None:
        what += ", both orders agree" if turn.orders_agree else ", the orders disagree"
    return f"{what}, {turn.repeats} repeats" if turn.repeats > 1 else what
