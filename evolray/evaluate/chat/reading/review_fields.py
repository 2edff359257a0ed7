"""What lines of ready verdicts have in common: numbers, which may be texts, the turn, the judge, its words."""

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.reading.finding import identifier, shown
from evolray.evaluate.chat.verdicts import Verdict
from evolray.evaluate.graded import storable

Row = Mapping[str, Any]
Make = partial[Verdict]
"""Makes a verdict of a line of which problem, turn, judge and words are known."""

TEXT_KEYS = ("text", "judgment", "raw_completion", "comment")
JUDGE_KEYS = ("judge", "annotator", "rater")
ORDERS = ("model_first", "baseline_first", "alone", "unknown")
CHOSEN = {"win": (1.0, 0.0), "tie": (0.5, 0.5), "loss": (0.0, 1.0)}
"""The scores where a judge only chose."""
_NUMBER = re.compile(r"[+-]?\d{1,6}(\.\d{1,20})?", re.ASCII)


class BadReview(Exception):
    """Why this one line holds no verdict that can be used; the other lines are not affected."""


def begin(row: Row, problem: Problem) -> Make:
    """What is the same in every format."""
    turn = "1" if is_missing(row.get("turn")) else identifier(row["turn"])
    turns = problem.row.get("turns")
    num_turns = len(turns) if isinstance(turns, list) else 1
    expected = [str(number) for number in range(1, num_turns + 1)]
    if turn not in expected:
        raise BadReview(f"turn {shown(row['turn'])}; expected {' or '.join(expected)}")
    judge, words = _first_text(row, JUDGE_KEYS), _first_text(row, TEXT_KEYS)
    return partial(Verdict, problem.id, turn=int(turn or 1), judge=judge, text=words)


def is_missing(value: object) -> bool:
    """Nothing, or what tables and data frames have for it."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def number_of(value: object) -> float | None:
    """None for what is no number: true and false, text that is no plain decimal, infinity."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e6 else None


def compared(model: float, baseline: float) -> str:
    return "win" if model > baseline else "loss" if model < baseline else "tie"


def _first_text(row: Row, keys: tuple[str, ...]) -> str:
    """FastChat names a judge by a list: the model and its prompt."""
    for key in keys:
        value = row.get(key)
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return storable(" ".join(value))
    return ""
