"""Win rates: what share of comparisons the model won, a tie counting half (protocols ranking and pairwise).

That is AlpacaEval's win rate, with its standard error, and MT-Bench's adjusted win rate. An answer that the model did
not give is a loss.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evolray.evaluate.chat.scores.combining import LOSS, POINTS, TIE, WIN, Combined, Item
from evolray.evaluate.chat.scores.ratio import Parts, ratio, rounded, share

WORST = Combined(LOSS, 0.0, 1.0)


def scores(items: Sequence[Item]) -> dict[str, Any]:
    """What scores.json says of them, in percent; every outcome is a win, a tie or a loss."""
    error = ratio(points(items)).times(100).standard_error
    counted = counts_and_rate(items)
    return {**counted["win_rate"], "standard_error": rounded(error), "total": len(items), **counted}


def counts_and_rate(items: Sequence[Item]) -> dict[str, Any]:
    outcomes = Counter(one.outcome for one in items)
    return {
        "wins": outcomes[WIN],
        "ties": outcomes[TIE],
        "losses": outcomes[LOSS],
        "win_rate": share(points(items)),
    }


def points(items: Sequence[Item]) -> Parts:
    return [(one.problem.id, POINTS[one.outcome], 1.0) for one in items]
