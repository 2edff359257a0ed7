"""Win rates: what share of comparisons the model won, a tie counting half (protocols ranking and pairwise).

That is AlpacaEval's win rate, with its standard error, and MT-Bench's adjusted win rate. An answer that the model did
not give is a loss. Where all outcomes are the same the standard error is 0, as AlpacaEval has it, but the interval is
Wilson's: three wins of three are no certainty.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evolray.evaluate.chat.scores.combining import LOSS, POINTS, TIE, WIN, Combined, Item
from evolray.evaluate.chat.scores.ratio import Ratio, ratio, rounded
from evolray.evaluate.pass_at_k import score

WORST = Combined(LOSS, 0.0, 1.0)


def scores(items: Sequence[Item]) -> dict[str, Any]:
    """What scores.json says of them, in percent; every outcome is a win, a tie or a loss."""
    counted = counts_and_rate(items)
    error = rounded(win_rate(items).standard_error)
    return {**counted["win_rate"], "standard_error": error, "total": len(items), **counted}


def counts_and_rate(items: Sequence[Item]) -> dict[str, Any]:
    outcomes, found = Counter(one.outcome for one in items), win_rate(items)
    low, high = _interval(items, found)
    return {
        "wins": outcomes[WIN],
        "ties": outcomes[TIE],
        "losses": outcomes[LOSS],
        "win_rate": {"score": rounded(found.value), "low": rounded(low), "high": rounded(high)},
    }


def win_rate(items: Sequence[Item]) -> Ratio:
    """In percent, not rounded."""
    return ratio((one.problem.id, POINTS[one.outcome], 1.0) for one in items).times(100)


def _interval(items: Sequence[Item], found: Ratio) -> tuple[float | None, float | None]:
    if found.standard_error or not items:
        return found.interval(0.0, 100.0)
    wilson = score([(2, int(2 * POINTS[one.outcome])) for one in items], 1)  # a tie is one point of two
    return 100 * wilson.low, 100 * wilson.high
