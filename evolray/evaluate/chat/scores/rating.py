"""Mean scores: an answer's rating from 1 to 10, over all turns of all problems (protocol single).

MT-Bench's measure. Turns whose verdict could not be read are left out, and counted elsewhere; an answer that the model
did not give is rated 1. The two turns of a problem depend on each other, so the interval counts problems, not turns.
"""

from collections.abc import Sequence
from typing import Any

from evolray.evaluate.chat.scores.combining import SCORED, Combined, Item
from evolray.evaluate.chat.scores.ratio import ratio

LOWEST, HIGHEST = 1.0, 10.0
WORST = Combined(SCORED, LOWEST)


def scores(items: Sequence[Item]) -> dict[str, Any]:
    """What scores.json says of them; `total` counts ratings."""
    ratings = [(one.problem.id, one.model_score, 1.0) for one in items if one.model_score is not None]
    return {**ratio(ratings).within(LOWEST, HIGHEST), "total": len(ratings)}
