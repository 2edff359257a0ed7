"""A round's score: the mean over the development benchmarks, out of 100, from what `evolray evaluate` left.

Scores "of 10" count times 10. The mean of independent scores is as uncertain as the root of the sum of squares of their
half-widths, divided by how many there are; of benchmarks that share problems that is too narrow.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evolray.campaign.rounds import Score
from evolray.errors import UserError
from evolray.pool.layout import Folder
from evolray.pool.manifest import MANIFEST

SCORES = "scores.json"
FACTORS = {"%": 1.0, "of 10": 10.0}
DIGITS = 4  # of a mean: beyond them only the order of the sum is seen


def read_entries(folder: Folder, name: str) -> dict[str, Any] | None:
    """What a finished evaluation scored, by benchmark; None when it is not finished."""
    manifest, entries = _json(folder, f"{name}/{MANIFEST}"), _json(folder, f"{name}/{SCORES}")
    return entries if manifest and manifest.get("status") == "complete" and entries else None


def score_of(entries: Mapping[str, Mapping[str, Any]]) -> Score:
    """Raises UserError for a benchmark without a score, and for one whose score is no share of something."""
    return mean([_score(name, entry) for name, entry in entries.items()])


def mean(scores: Sequence[Score]) -> Score:
    """No interval when one of them has none."""
    value = math.fsum(score.value for score in scores) / len(scores)
    downs = [score.value - score.low for score in scores if score.low is not None]
    ups = [score.high - score.value for score in scores if score.high is not None]
    if len(downs) < len(scores) or len(ups) < len(scores):
        return Score(round(value, DIGITS))
    low = max(0.0, value - math.hypot(*downs) / len(scores))
    high = min(100.0, value + math.hypot(*ups) / len(scores))
    return Score(round(value, DIGITS), round(low, DIGITS), round(high, DIGITS))


def _score(name: str, entry: Mapping[str, Any]) -> Score:
    unit, value = str(entry.get("unit", "%")), entry.get("score")
    factor = FACTORS.get(unit)
    if factor is None:
        raise UserError(
            f"evaluate.benchmarks: {name} gives {entry.get('metric') or 'a number'}, which is no score out of so many; "
            "a campaign needs benchmarks with percentages or points of 10. Choose another run= without it."
        )
    if value is None:
        raise UserError(f"evaluate.benchmarks: {name} has no score: nothing could be graded. See its scores.json.")
    low, high = entry.get("low"), entry.get("high")
    return Score(factor * value, None if low is None else factor * low, None if high is None else factor * high)


def _json(folder: Folder, name: str) -> dict[str, Any] | None:
    try:
        content = json.loads(folder.read(name))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{folder.url}/{name} cannot be read ({error}); was it edited?") from None
    return content if isinstance(content, dict) else None
