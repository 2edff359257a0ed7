"""What a sweep's picture shows, before it is drawn: panels of rows that share an axis, and lines through them.

Scores in different units, or of different things, never share an axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from evolray.sweep.rows import OF_TEN, PERCENT, Row

MOST_LINES = 4  # in one panel that all benchmarks share
HUNDREDTHS = {PERCENT: 1.0, OF_TEN: 0.1}  # of the highest score there is
UNBOUNDED = ("relative score",)  # a model may score more than the baseline
Names = Mapping[tuple[tuple[str, Any], ...], int]


@dataclass(frozen=True)
class Line:
    """One checkpoint's, or one training's, scores on one benchmark with one setting. `rows` are by step; `place`
    stands for a colour and a marker."""

    label: str
    rows: tuple[Row, ...]
    place: int

    @property
    def is_level(self) -> bool:
        """Without steps: the same everywhere."""
        return self.rows[0].step is None


@dataclass(frozen=True)
class Panel:
    """Rows on one axis. `title`: "" where the legend says which benchmarks they are of."""

    title: str
    rows: tuple[Row, ...]
    lines: tuple[Line, ...] = ()

    @property
    def axis(self) -> str:
        """For example "pass@1 in %", "mean score of 10"."""
        metric, unit = self.rows[0].metric, self.rows[0].unit
        return f"{metric} in {unit}" if unit == PERCENT else f"{metric} {unit}".rstrip()


def panels_of_lines(rows: Sequence[Row]) -> list[Panel]:
    """One for all while there are few lines of one kind, else one per benchmark."""
    number = len({(row.benchmark, row.checkpoint, row.settings_text) for row in rows})
    apart = _apart(rows)
    if len(apart) == 1 or (number <= MOST_LINES and _is_of_one_kind(rows)):
        return [Panel("", tuple(rows), _lines(rows, _names(rows, ("title", "checkpoint", "settings_text"))))]
    names = _names(rows, ("checkpoint", "settings_text"))
    return [Panel(title, some, _lines(some, names)) for title, some in apart.items()]


def panels_of_bars(rows: Sequence[Row]) -> list[Panel]:
    """One for all that is of one kind, else one per benchmark."""
    if _is_of_one_kind(rows) and len({row.benchmark for row in rows}) > 1:
        return [Panel("", tuple(rows))]
    return [Panel(title, some) for title, some in _apart(rows).items()]


def limits(rows: Sequence[Row]) -> tuple[float, float]:
    """All intervals with some air, within the lowest and the highest score there is but for the air that marks need."""
    ends = [end for row in rows for end in (row.low, row.high, row.score) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=100.0)
    hundredth = HUNDREDTHS.get(rows[0].unit if rows else PERCENT, abs(high) / 100 or 1.0)
    air = max(0.08 * (high - low), hundredth)
    is_bounded = all(row.unit in HUNDREDTHS and row.metric not in UNBOUNDED for row in rows)
    return max(low - air, -2 * hundredth), min(high + air, 102 * hundredth if is_bounded else inf)


def errors(rows: Sequence[Row]) -> list[list[float]]:
    """Down and up from the score; nothing where there is no interval."""
    scores = [row.score or 0.0 for row in rows]
    down = [max(score - (score if row.low is None else row.low), 0.0) for score, row in zip(scores, rows, strict=True)]
    up = [max((score if row.high is None else row.high) - score, 0.0) for score, row in zip(scores, rows, strict=True)]
    return [down, up]


def _is_of_one_kind(rows: Sequence[Row]) -> bool:
    return len({(row.metric, row.unit) for row in rows}) <= 1


def _apart(rows: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    """By title: a benchmark's rows, and where it was measured in several ways, those of each."""
    found: dict[str, tuple[Row, ...]] = {}
    for name in dict.fromkeys(row.benchmark for row in rows):
        some = [row for row in rows if row.benchmark == name]
        for metric, unit in dict.fromkeys((row.metric, row.unit) for row in some):
            alike = tuple(row for row in some if (row.metric, row.unit) == (metric, unit))
            found[some[0].title if len(alike) == len(some) else f"{some[0].title}, {metric}"] = alike
    return found


def _names(rows: Sequence[Row], parts: Sequence[str]) -> Names:
    """What tells lines apart, numbered; not what all of them share."""
    differing = [part for part in parts if len({getattr(row, part) for row in rows}) > 1] or list(parts[:1])
    keys = dict.fromkeys(tuple((part, getattr(row, part)) for part in differing) for row in rows)
    return {key: number for number, key in enumerate(keys)}


def _lines(rows: Sequence[Row], names: Names) -> tuple[Line, ...]:
    lines = []
    for key, number in names.items():
        members = [row for row in rows if all(getattr(row, part) == value for part, value in key)]
        label = ", ".join(value or "default settings" for _, value in key)
        stepped = sorted((row for row in members if row.step is not None), key=lambda row: row.step or 0)
        level = [(row,) for row in members if row.step is None]
        lines += [Line(label, tuple(some), number) for some in ([stepped] if stepped else []) + [*map(list, level)]]
    return tuple(lines)
