"""What stands on a leaderboard's page: the wide table, the rules of each column, all results, what was left out.

Pure data, every text made visible; the template draws it and escapes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolray.board.collecting import LeftOut
from evolray.board.columns import DECIDING, NOTHING, Column, plain, settings, words_of
from evolray.board.csv_file import when
from evolray.board.rows import Row
from evolray.board.table import PERCENT_OF_UNIT, Line, Table
from evolray.report.drawing.style import joined
from evolray.report.page import blocks
from evolray.report.page.blocks import Number, Picture
from evolray.report.texts import one_line, visible

NAMES = {"data": "data (sha256)", "release": "data release", "unit": "scores are"}
TROUBLE = {
    "missing": "without a sample", "failed": "failed", "unanswered": "unanswered", "no_verdict": "without a verdict",
    "unjudged": "not judged",
}  # fmt: skip
MOST_CHARS = 200


@dataclass(frozen=True)
class Head:
    """`times`: what makes a score one in percent. `is_marked`: how the models were asked differs within the column."""

    title: str
    benchmark: str
    times: float
    what: str
    is_marked: bool


@dataclass(frozen=True)
class Cell:
    """`value` is what sorting goes by; "" stands for no result. `note`: another score of the same answers. `remark`:
    what did not go well."""

    value: str = ""
    score: str = "–"
    interval: str = ""
    note: str = ""
    remark: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class LineOnPage:
    """`found_by`: what the filter looks at."""

    rank: str
    model: str
    label: str
    mean: Cell
    cells: tuple[Cell, ...]
    found_by: str


@dataclass(frozen=True)
class Rules:
    """`decided`: name and value. `differing`: setting, and who has which value."""

    title: str
    decided: tuple[tuple[str, str], ...]
    differing: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Content:
    title: str
    facts: tuple[str, ...]
    numbers: tuple[Number, ...]
    about_mean: str
    heads: tuple[Head, ...]
    lines: tuple[LineOnPage, ...]
    pictures: tuple[Picture, ...]
    rules: tuple[Rules, ...]
    results: blocks.Table
    left_out: blocks.Table | None
    notes: tuple[str, ...]


def make_content(
    title: str, table: Table, left_out: Sequence[LeftOut], notes: Sequence[str], pictures: Sequence[Picture]
) -> Content:
    rows = [row for column in table.columns for row in sorted(column.rows, key=lambda row: (row.model, row.run))]
    models = len({row.model for row in rows})
    numbers = (
        Number("models", f"{models:,}"),
        Number("benchmarks", f"{len({row.benchmark for row in rows}):,}"),
        Number("results", f"{len(rows):,}", f"of {len({row.run for row in rows}):,} runs"),
        Number("left out", f"{len(left_out):,}", "with the reason, below" if left_out else ""),
    )
    return Content(
        title=visible(title), facts=_dates(rows), numbers=numbers, about_mean=_about_mean(table),
        heads=tuple(_head(column) for column in table.columns),
        lines=tuple(_line(line, table) for line in table.lines), pictures=tuple(pictures),
        rules=tuple(_rules(column) for column in table.columns), results=_results(table),
        left_out=_left_out(left_out) if left_out else None, notes=tuple(map(visible, notes)),
    )  # fmt: skip


def shown(score: float, unit: str) -> str:
    """As the papers print it: 59.8 in percent, 6.35 of 10."""
    return f"{score:.1f}" if unit == "%" else f"{score:.2f}"


def interval(row: Row) -> str:
    if row.low is None or row.high is None:
        return ""
    return f"{shown(row.low, row.unit)} – {shown(row.high, row.unit)}"


def _dates(rows: Sequence[Row]) -> tuple[str, ...]:
    days = sorted(filter(None, (when(row.updated_at, only_day=True) for row in rows)))
    if not days:
        return ()
    return (f"Results of {days[0]}" if days[0] == days[-1] else f"Results of {days[0]} to {days[-1]}",)


def _about_mean(table: Table) -> str:
    of_ten = any(column.unit != "%" for column in table.columns if column.title in table.common)
    if not table.common:
        return "No benchmark has a result of every model here, so there is neither a mean nor a rank."
    over = "all of them" if len(table.common) == len(table.columns) > 1 else joined(table.common)
    return (
        f"The mean is over the benchmarks that every model here has: {over}"
        f"{'; a score of 10 counts times 10' if of_ten else ''}. Ranks go by it."
    )


def _head(column: Column) -> Head:
    what = f"{one_line(column.metric, 40)}, {column.unit}"
    times = PERCENT_OF_UNIT[column.unit]
    return Head(column.title, one_line(column.benchmark, MOST_CHARS), times, what, bool(column.differing))


def _line(line: Line, table: Table) -> LineOnPage:
    best = {column.title: table.best(column) for column in table.columns}
    cells = (_cell(line.cells.get(column.title), best[column.title]) for column in table.columns)
    mean = Cell() if line.mean is None else Cell(f"{line.mean:.10g}", shown(line.mean, "%"))
    runs = dict.fromkeys(row.run for row in line.cells.values())
    model, label = one_line(line.model, MOST_CHARS) or "(no name)", one_line(line.label, MOST_CHARS)
    return LineOnPage(
        "" if line.rank is None else str(line.rank), model, label, mean, tuple(cells),
        " ".join([model, label, *(one_line(run, MOST_CHARS) for run in runs)]).lower(),
    )  # fmt: skip


def _cell(row: Row | None, best: float | None) -> Cell:
    if row is None:
        return Cell()
    score = shown(row.score, row.unit)
    is_best = best is not None and score == shown(best, row.unit)
    return Cell(f"{row.score:.10g}", score, interval(row), _note(row), _trouble(row), is_best)


def _note(row: Row) -> str:
    return "" if row.length_controlled is None else f"{shown(row.length_controlled, row.unit)} length-controlled"


def _trouble(row: Row) -> str:
    return ", ".join(f"{row.counts[name]:,} {words}" for name, words in TROUBLE.items() if row.counts.get(name))


def _rules(column: Column) -> Rules:
    names = [*DECIDING, *(name for name in column.decided if name not in DECIDING)]
    decided = [
        (NAMES.get(name, plain(name)), one_line(column.decided[name], MOST_CHARS))
        for name in names
        if column.decided[name] != NOTHING
    ]
    differing = [
        (plain(name), "; ".join(_who(value, models) for value, models in values.items()))
        for name, values in column.differing.items()
    ]
    return Rules(column.title, tuple(decided), tuple(differing))


def _who(value: str, models: Sequence[str]) -> str:
    return f"{one_line(value, 60)}: {joined([one_line(model, 60) for model in models])}"


def _results(table: Table) -> blocks.Table:
    rows = []
    for column in table.columns:
        for row in sorted(column.rows, key=lambda row: (row.model, row.run)):
            rows.append((
                one_line(row.model, MOST_CHARS), column.title, shown(row.score, row.unit), interval(row),
                "" if row.total is None else f"{row.total:,}", _settings(row, column.differing),
                when(row.updated_at, only_day=True), one_line(row.run, MOST_CHARS),
            ))  # fmt: skip
    return blocks.Table(
        "Every result, as board.csv has it, too; a run is a folder's path.",
        ("model", "benchmark", "score", "95 % interval", "of", "asked with", "date", "run"), rows,
        texts=("model", "benchmark", "asked with"), ids=("run",),
    )  # fmt: skip


def _settings(row: Row, differing: Mapping[str, object]) -> str:
    """The form of the prompt ("plain"), the temperature, and what else others in the column have otherwise."""
    found = settings(row)
    names = [name for name in found if name in ("prompt", "temperature") or name in differing]
    said = {name: found[name] if name == "prompt" else words_of(name, found[name]) for name in names}
    return ", ".join(one_line(said[name], 60) for name in names if found[name] != NOTHING)


def _left_out(left_out: Sequence[LeftOut]) -> blocks.Table:
    rows = [tuple(one_line(text, MOST_CHARS) for text in (one.run, one.benchmark, one.reason)) for one in left_out]
    return blocks.Table(
        "What was found and is not on the board, or not whole.", ("run", "benchmark", "why"), rows,
        texts=("benchmark",), ids=("run",), long=("why",),
    )  # fmt: skip
