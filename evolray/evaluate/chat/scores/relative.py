"""Relative scores: the sum of the model's scores in percent of the baseline's (protocol two_scores).

WizardLM's and Vicuna's measure: over all problems, and over those of each skill. The papers' "average" is the ratio of
the sums over all 218 problems, not a mean of the skills' percentages. Beside it, who was scored higher how often.

An answer that the model did not give counts as the worst there can be, 1 for the model, 10 for the baseline, a loss;
in the groups, too.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

from evolray.evaluate.chat.scores.combining import LOSS, Combined, Item
from evolray.evaluate.chat.scores.ratio import ratio, rounded
from evolray.evaluate.chat.scores.winning import counts_and_rate

WORST = Combined(LOSS, 1.0, 10.0)


def scores(items: Sequence[Item]) -> dict[str, Any]:
    """What scores.json says of them, in percent. A comparison without scores (a person's who only chose) counts among
    wins, ties and losses alone."""
    parts = [
        (one.problem.id, one.model_score, one.baseline_score) for one in items
        if one.model_score is not None and one.baseline_score is not None
    ]  # fmt: skip
    return {
        **ratio(parts).times(100).within(0.0, inf),
        "total": len(items),
        "model_sum": rounded(sum(model for _, model, _ in parts)),
        "baseline_sum": rounded(sum(baseline for _, _, baseline in parts)),
        **counts_and_rate(items),
    }
