"""`board`: all results of some folders in, one page, one table and figures out.

board.html      the leaderboard, with its figures in it; sorts by a click, needs no network
board.csv       a line per result, with all that is known of it
figures/*.png   the figures

The same results give the same bytes: nothing but the results' own dates says when.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evolray.board.collecting import LeftOut, collect
from evolray.board.csv_file import to_csv
from evolray.board.figures import FigureEntry, figures
from evolray.board.page.content import make_content
from evolray.board.page.rendering import render
from evolray.board.rows import Row
from evolray.board.table import Table, make_table
from evolray.config import BoardConfig
from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder
from evolray.report.drawing.style import to_png, to_svg
from evolray.report.page.blocks import Picture
from evolray.report.texts import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger("evolray")

PAGE, CSV, FIGURES = "board.html", "board.csv", "figures"
MOST_SAID = 8


@dataclass(frozen=True)
class Board:
    """A leaderboard as it was written. `path`: of the page. `left_out`: what is not on it, and why."""

    path: str
    csv: str
    rows: tuple[Row, ...]
    table: Table = field(repr=False)
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    entries: Mapping[str, FigureEntry] = field(repr=False)
    """The figures with their words, by name."""

    @property
    def figures(self) -> "dict[str, Figure]":
        """matplotlib Figures by name, for example "scores" and "radar-wizard-eval"; a notebook shows one."""
        return {name: entry.figure for name, entry in self.entries.items()}

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """By line of the table and column: {"wizard-13b": {"WizardEval": 89.1}}; the best line first."""
        return {line.name: {title: row.score for title, row in line.cells.items()} for line in self.table.lines}

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict per result, for example for pandas.DataFrame."""
        title = {id(row): column.title for column in self.table.columns for row in column.rows}
        names = ("model", "benchmark", "metric", "unit", "score", "low", "high", "total", "judge", "baseline", "run")
        return [{**{name: getattr(row, name) for name in names}, "column": title[id(row)]} for row in self.rows]

    def __str__(self) -> str:
        models, benchmarks = len({row.model for row in self.rows}), len({row.benchmark for row in self.rows})
        lines = [
            f"{self.path}: {_some(len(self.rows), 'result')} of {_some(models, 'model')} on "
            f"{_some(benchmarks, 'benchmark')}, {_some(len(self.entries), 'figure')}",
            f"{self.csv}: a line per result",
            *self.notes,
        ]
        if self.left_out:
            lines.append(f"{len(self.left_out):,} left out, or in part:")
            lines += [f"  {_where(one)}: {one_line(one.reason, 200)}" for one in self.left_out[:MOST_SAID]]
        if len(self.left_out) > MOST_SAID:
            lines.append(f"  and {len(self.left_out) - MOST_SAID:,} more, all of them in {PAGE}")
        return "\n".join(lines)


def board(config: BoardConfig) -> Board:
    """Write the leaderboard. Raises UserError where there is no result, or one of the settings fits none."""
    if not config.output.strip():
        raise UserError("output is empty; expected a path or a URL of a folder.")
    target = open_folder(config.output)
    collected = collect(config.results, config.names)
    rows = _wanted(collected.rows, config.benchmarks)
    if not rows:
        raise UserError(_no_results(config.results, collected.left_out))
    notes = _unused_names(config.names, collected.rows)
    table = make_table(rows)
    entries = figures(table)
    pictures = [_write_picture(target, name, entry) for name, entry in entries.items()]
    page = render(make_content(config.title, table, collected.left_out, notes, pictures))
    target.write(CSV, to_csv(rows).encode())
    target.write(PAGE, page.encode())
    where = target.url.rstrip("/")
    return Board(f"{where}/{PAGE}", f"{where}/{CSV}", tuple(rows), table, collected.left_out, tuple(notes), entries)


def _wanted(rows: Sequence[Row], benchmarks: Sequence[str]) -> list[Row]:
    found = sorted({row.benchmark for row in rows})
    for name in benchmarks:
        if rows and name not in found:
            raise UserError(f"benchmarks: there is no result of {name!r}; found are {', '.join(found)}.")
    return [row for row in rows if not benchmarks or row.benchmark in benchmarks]


def _no_results(results: Sequence[str], left_out: Sequence[LeftOut]) -> str:
    where = ", ".join(open_folder(path).url for path in results)
    if not left_out:
        return f"{where}: there is no scores.json at any depth; expected runs of evolray evaluate, grade or sweep."
    why = "; ".join(f"{_where(one)}: {one_line(one.reason, 200)}" for one in left_out[:MOST_SAID])
    return f"{where}: no result can be used, {len(left_out)} were left out. {why}."


def _unused_names(names: Mapping[str, str], rows: Sequence[Row]) -> list[str]:
    called = {row.called for row in rows}
    unused = [one_line(name, 80) for name in names if name not in called]
    return [f"names: no model in these results is called {', '.join(unused)}"] if unused else []


def _write_picture(target: Folder, name: str, entry: FigureEntry) -> Picture:
    file = f"{FIGURES}/{name}.png"
    target.write(file, to_png(entry.figure))
    return Picture(name, entry.title, entry.caption, to_svg(entry.figure, name=name, alt=entry.alt), file)


def _where(one: LeftOut) -> str:
    return one_line(f"{one.run}, {one.benchmark}" if one.benchmark else one.run, 120)


def _some(number: int, name: str) -> str:
    return f"{number:,} {name}" + ("" if number == 1 else "s")
