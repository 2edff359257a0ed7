"""The stop rule: another round while the score rises, stop when it falls, keep the best (arXiv 2306.08568, section 3).

A score has fallen when it is below the best one before it by more than `tolerance` times what its 95 % interval reaches
upwards: with 0 by anything at all, with 1 when the best score lies above the whole interval. Rounds that fell count in
a row, and `patience` of them stop the campaign; one that did not fall, whether it rose or not, ends the row. Of equal
scores the earlier round is the best, since it was the cheaper one.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """Out of 100, with the bounds of a 95 % interval, None where there are none."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"{self.value:.1f} %"


@dataclass(frozen=True)
class Decision:
    """`best`: the round to keep, None before there is a score. `fallen`: those whose score fell. `why`: for people."""

    goes_on: bool
    why: str
    best: int | None = None
    fallen: tuple[int, ...] = ()


def decide(scores: Mapping[int, Score], rounds: int, patience: int, tolerance: float) -> Decision:
    """`scores`: of all finished rounds; 0 is that of the seeds alone. `rounds`: the most there may be beside it."""
    best: int | None = None
    fallen, row = [], 0
    for number in sorted(scores):
        score = scores[number]
        if best is not None and has_fallen(score, scores[best], tolerance):
            fallen.append(number)
            row += 1
            continue
        row = 0
        if best is None or score.value > scores[best].value:
            best = number
    last = max(scores, default=0)
    if best is not None and row >= patience:
        return Decision(False, _fell(scores, last, best, row), best, tuple(fallen))
    if last >= rounds:
        return Decision(False, f"all {rounds} rounds are done", best, tuple(fallen))
    return Decision(True, _on(scores, last, best, row), best, tuple(fallen))


def has_fallen(score: Score, best: Score, tolerance: float) -> bool:
    reach = 0.0 if score.high is None else score.high - score.value
    return score.value + tolerance * reach < best.value


def _fell(scores: Mapping[int, Score], last: int, best: int, row: int) -> str:
    several = f", the {row} rounds after it being worse" if row > 1 else ""
    return f"round {last} scored {scores[last]}, below the {scores[best]} of round {best}{several}"


def _on(scores: Mapping[int, Score], last: int, best: int | None, row: int) -> str:
    if best is None:
        return "no round has a score yet"
    if row:
        return f"{_fell(scores, last, best, row)}; there is patience left"
    return f"round {best} is the best so far, with {scores[best]}"
