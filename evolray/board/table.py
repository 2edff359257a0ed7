"""The wide table: a line per model, a column per benchmark and set of rules, with mean and rank.

A model that has two results in one column has two lines, told apart by the settings in which those differ, or else by
their runs. The mean is over the benchmarks that every line has; a benchmark with several columns counts once, with
their mean, and scores of 10 count times 10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolray.board.columns import NOTHING, Column, make_columns, settings, telling_apart, words_of
from evolray.board.rows import Row

PERCENT_OF_UNIT = {"%": 1.0, "of 10": 10.0}


@dataclass(frozen=True)
class Line:
    """`label` tells lines of one model apart. `cells`: column title -> row. `mean` and `rank`: None without one."""

    model: str
    label: str
    cells: Mapping[str, Row]
    mean: float | None = None
    rank: int | None = None

    @property
    def name(self) -> str:
        return f"{self.model} ({self.label})" if self.label else self.model


@dataclass(frozen=True)
class Table:
    """Lines are in the order of their ranks. `common`: titles of the columns that the mean is over."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    common: tuple[str, ...]

    def best(self, column: Column) -> float | None:
        """The highest score where there are several to compare."""
        scores = [line.cells[column.title].score for line in self.lines if column.title in line.cells]
        return max(scores) if len(scores) > 1 else None


def make_table(rows: Sequence[Row]) -> Table:
    columns = make_columns(rows)
    title_of = {id(row): column.title for column in columns for row in column.rows}
    by_model: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.model, row.run)):
        by_model.setdefault(row.model, []).append(row)
    lines = [line for model, some in by_model.items() for line in _lines(model, some, title_of)]
    common = tuple(column.title for column in columns if all(column.title in line.cells for line in lines))
    scored = [(line, _mean(line, columns, common)) for line in lines]
    means = [mean for _, mean in scored if mean is not None]
    ranked = [
        Line(line.model, line.label, line.cells, mean, None if mean is None else 1 + sum(m > mean for m in means))
        for line, mean in scored
    ]
    ranked.sort(key=lambda line: (line.rank or len(ranked), -len(line.cells), line.name))
    return Table(tuple(columns), tuple(ranked), common)


def _mean(line: Line, columns: Sequence[Column], common: Sequence[str]) -> float | None:
    by_benchmark: dict[str, list[float]] = {}
    for column in columns:
        if column.title in common:
            score = PERCENT_OF_UNIT[column.unit] * line.cells[column.title].score
            by_benchmark.setdefault(column.benchmark, []).append(score)
    means = [sum(scores) / len(scores) for scores in by_benchmark.values()]
    return round(sum(means) / len(means), 6) if means else None


def _lines(model: str, rows: Sequence[Row], title_of: Mapping[int, str]) -> list[Line]:
    names = _telling_apart(rows, title_of)
    parts: dict[tuple[str, ...], list[Row]] = {}
    without: list[Row] = []  # a setting that others are told apart by means nothing to these
    for row in rows:
        found = settings(row)
        if all(name in found for name in names):
            parts.setdefault(tuple(found[name] for name in names), []).append(row)
        else:
            without.append(row)
    if without:
        parts.setdefault(min(parts, default=(NOTHING,) * len(names)), []).extend(without)
    lines = []
    for values, some in sorted(parts.items()):
        label = ", ".join(words_of(name, value) for name, value in zip(names, values, strict=True))
        packed = _packed(some, title_of)
        for cells in packed:
            runs = ", ".join(dict.fromkeys(row.run for row in cells.values())) if len(packed) > 1 else ""
            lines.append(Line(model, ", ".join(filter(None, (label, runs))), cells))
    return lines


def _telling_apart(rows: Sequence[Row], title_of: Mapping[int, str]) -> list[str]:
    """The settings in which results of one column differ; none where no column has two."""
    names: dict[str, None] = {}
    for title in dict.fromkeys(title_of[id(row)] for row in rows):
        each = [settings(row) for row in rows if title_of[id(row)] == title]
        names |= dict.fromkeys(telling_apart([*dict.fromkeys(name for one in each for name in one)], each))
    return [*names]


def _packed(rows: Sequence[Row], title_of: Mapping[int, str]) -> list[dict[str, Row]]:
    """Each run's results on the first line that has room for all of them."""
    by_run: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_run.setdefault(row.run, {})[title_of[id(row)]] = row
    lines: list[dict[str, Row]] = []
    for cells in by_run.values():
        place = next((line for line in lines if not line.keys() & cells.keys()), None)
        if place is None:
            lines.append(dict(cells))
        else:
            place.update(cells)
    return lines
