"""Rows as a picture: score over step with 95 % intervals, a line per benchmark, checkpoint and settings.

Few lines share one panel; more get a panel per benchmark. Checkpoints without a step are horizontal lines to compare
with, and where nothing can be a line, all are bars. The best checkpoint of each benchmark has a ring, and is named in
the legend. Colours are those of Okabe and Ito, which colour-blind readers can tell apart; markers differ, too.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evolray.sweep.rows import Row, find_best

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6BB1")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
STYLES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))  # from one round of colours to the next
MOST_LINES = 4  # in one panel that all benchmarks share
MOST_TICKS = 8
PANEL_COLUMNS = 3
DOTS_PER_INCH = 200
# Shares of the smallest distance between steps: what each line moves aside so that intervals can be told apart.
ASIDE, MOST_ASIDE = 0.06, 0.3
LOOK = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "svg.hashsalt": "evolray",  # the same rows, the same file
}


@dataclass(frozen=True)
class Line:
    """One checkpoint's, or one training's, scores on one benchmark with one setting. `rows` are by step."""

    label: str
    rows: tuple[Row, ...]
    place: int

    @property
    def color(self) -> str:
        return COLORS[self.place % len(COLORS)]

    @property
    def is_level(self) -> bool:
        """Without steps: the same everywhere."""
        return self.rows[0].step is None


def figure(rows: Sequence[Row], title: str | None = None) -> "Figure":
    """A matplotlib Figure of the rows that have a score. Nothing is shown or saved, and pyplot is left alone."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scored = [row for row in rows if row.score is not None]
    with mpl.rc_context(LOOK):  # type: ignore[arg-type]
        picture = Figure(layout="constrained")
        FigureCanvasAgg(picture)
        if _has_lines(scored):
            _draw_lines(picture, scored)
        else:
            _draw_bars(picture, scored)
        if title:
            picture.suptitle(title)
        return picture


def files(rows: Sequence[Row]) -> dict[str, bytes]:
    """The figure as it is saved, by file name. The same rows give the same files."""
    import matplotlib as mpl

    picture, made = figure(rows), {}
    for kind, metadata in {"png": {}, "svg": {"Date": None}}.items():
        file = io.BytesIO()
        with mpl.rc_context(LOOK):  # type: ignore[arg-type]
            picture.savefig(file, format=kind, metadata=metadata, dpi=DOTS_PER_INCH)
        made[f"figure.{kind}"] = file.getvalue()
    return made


def _has_lines(rows: Sequence[Row]) -> bool:
    """Whether some training has two steps, or there is nothing but one step to show."""
    steps = {(row.checkpoint, row.step) for row in rows if row.step is not None}
    trainings = {checkpoint for checkpoint, _ in steps}
    return len(steps) > len(trainings) or (len(steps) == 1 and all(row.step is not None for row in rows))


# --- lines ---


def _draw_lines(picture: "Figure", rows: Sequence[Row]) -> None:
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    number = len({(row.benchmark, row.checkpoint, row.settings_text) for row in rows})
    if number <= MOST_LINES or len(benchmarks) == 1:
        panels = [("", _lines(rows, _names(rows, ("title", "checkpoint", "settings_text"))))]
    else:
        names = _names(rows, ("checkpoint", "settings_text"))
        panels = [(some[0].title, _lines(some, names)) for some in _by_benchmark(rows, benchmarks)]
    columns = min(len(panels), PANEL_COLUMNS)
    down = -(-len(panels) // columns)
    entries = max(len(lines) for _, lines in panels)
    picture.set_size_inches(max(7.0, 3.8 * columns), 3.6 * down + 0.22 * entries)
    grid = picture.subplots(down, columns, squeeze=False)
    for ax, (name, lines) in zip(grid.flat, panels, strict=False):
        _draw_panel(ax, lines, find_best(rows).benchmarks)
        ax.set_title(name, loc="left", fontsize=10, fontweight="bold")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1 if columns > 1 else 2, fontsize=8.5)
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    for ax in grid[:, 0]:
        ax.set_ylabel("pass@1 in %, 95 % intervals")


def _by_benchmark(rows: Sequence[Row], benchmarks: Sequence[str]) -> list[list[Row]]:
    return [[row for row in rows if row.benchmark == name] for name in benchmarks]


def _names(rows: Sequence[Row], parts: Sequence[str]) -> dict[tuple[Any, ...], int]:
    """What tells lines apart, with a number that stands for a colour and a marker; not what all of them share."""
    differing = [part for part in parts if len({getattr(row, part) for row in rows}) > 1] or list(parts[:1])
    keys = dict.fromkeys(tuple((part, getattr(row, part)) for part in differing) for row in rows)
    return {key: number for number, key in enumerate(keys)}


def _lines(rows: Sequence[Row], names: Mapping[tuple[Any, ...], int]) -> list[Line]:
    lines = []
    for key, number in names.items():
        members = [row for row in rows if all(getattr(row, part) == value for part, value in key)]
        label = ", ".join(value or "default settings" for _, value in key)
        stepped = sorted((row for row in members if row.step is not None), key=lambda row: row.step or 0)
        level = [(row,) for row in members if row.step is None]
        lines += [Line(label, tuple(some), number) for some in ([stepped] if stepped else []) + [*map(list, level)]]
    return lines


def _draw_panel(ax: "Axes", lines: Sequence[Line], best: Mapping[str, Row]) -> None:
    steps = sorted({row.step for line in lines for row in line.rows if row.step is not None})
    gap = min((b - a for a, b in pairwise(steps)), default=1)
    stepped = [line for line in lines if not line.is_level]
    as_bands = len(steps) > MOST_TICKS and len(stepped) <= MOST_LINES
    apart = 0.0 if as_bands else gap * min(ASIDE, MOST_ASIDE / max(len(stepped) - 1, 1))
    for number, line in enumerate(stepped):
        _draw_line(ax, line, apart * (number - (len(stepped) - 1) / 2), as_bands, best)
    for line in lines:
        if line.is_level:
            _draw_level(ax, line, best)
    _scale(ax, steps, gap, [row for line in lines for row in line.rows])


def _draw_line(ax: "Axes", line: Line, aside: float, as_band: bool, best: Mapping[str, Row]) -> None:
    """Intervals as bars, or as a band where there are many."""
    steps = [(row.step or 0) + aside for row in line.rows]
    scores = [row.score or 0.0 for row in line.rows]
    chosen = next((row for row in line.rows if best.get(row.benchmark) == row), None)
    down, up = _errors(line.rows)
    if as_band:
        low = [score - less for score, less in zip(scores, down, strict=True)]
        high = [score + more for score, more in zip(scores, up, strict=True)]
        ax.fill_between(steps, low, high, color=line.color, alpha=0.15, linewidth=0)
    ax.errorbar(
        steps, scores, yerr=None if as_band else [down, up], color=line.color, linewidth=1.6, elinewidth=0.9,
        capsize=2.5, marker=MARKERS[line.place % len(MARKERS)], markersize=3.5 if as_band else 5,
        linestyle=STYLES[line.place // len(COLORS) % len(STYLES)], label=_label(line, chosen),
    )  # fmt: skip
    if chosen is not None:
        ax.plot(
            (chosen.step or 0) + aside, chosen.score or 0.0, marker="o", markersize=13, fillstyle="none",
            markeredgecolor=line.color, markeredgewidth=1.5, linestyle="none",
            clip_on=False,
        )  # fmt: skip


def _draw_level(ax: "Axes", line: Line, best: Mapping[str, Row]) -> None:
    row = line.rows[0]
    chosen = row if best.get(row.benchmark) == row else None
    ax.axhline(row.score or 0.0, color=line.color, linestyle=(0, (4, 3)), linewidth=1.3, label=_label(line, chosen))
    if row.low is not None and row.high is not None:
        ax.axhspan(row.low, row.high, color=line.color, alpha=0.08, linewidth=0)


def _label(line: Line, chosen: Row | None) -> str:
    if line.is_level:
        return f"{line.label}: {line.rows[0].score:.1f} %{' (best)' if chosen else ''}"
    return f"{line.label} (best {chosen.score:.1f} % at step {chosen.step:,})" if chosen else line.label


def _scale(ax: "Axes", steps: Sequence[int], gap: float, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_xlabel("step")
    ax.set_xlim(steps[0] - 0.5 * gap, steps[-1] + 0.5 * gap)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    if len(steps) <= MOST_TICKS:
        ax.set_xticks(steps)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(MOST_TICKS - 2, integer=True))
    ax.set_ylim(*_limits(rows))


# --- bars ---


def _draw_bars(picture: "Figure", rows: Sequence[Row]) -> None:
    names = list(dict.fromkeys(_bar_name(row) for row in rows))
    titles = dict.fromkeys(row.benchmark for row in rows)
    best = find_best(rows).benchmarks
    picture.set_size_inches(7.0, 1.6 + 0.3 * len(names) * (len(titles) + 0.5))
    ax = picture.subplots()
    thickness = 0.8 / max(len(titles), 1)
    for number, benchmark in enumerate(titles):
        some = [row for row in rows if row.benchmark == benchmark]
        places = [names.index(_bar_name(row)) + (number - (len(titles) - 1) / 2) * thickness for row in some]
        ax.barh(
            places, [row.score or 0.0 for row in some], height=thickness * 0.9, xerr=_errors(some),
            color=COLORS[number % len(COLORS)], label=some[0].title, ecolor="#444444",
            error_kw={"elinewidth": 0.9, "capsize": 2.5},
        )  # fmt: skip
        for place, row in zip(places, some, strict=True):
            is_best = best.get(benchmark) == row
            ax.annotate(
                f"{row.score:.1f}{'  best' if is_best else ''}", (max(row.high or 0.0, row.score or 0.0), place),
                xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5,
                fontweight="bold" if is_best else "normal",
            )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, _limits(rows)[1] * 1.12)
    ax.set_xlabel("pass@1 in %, 95 % intervals")
    if len(titles) > 1:
        picture.legend(loc="outside lower center", ncols=min(len(titles), 4))


def _bar_name(row: Row) -> str:
    step = "" if row.step is None else f", step {row.step:,}"
    return f"{row.checkpoint}{step}" + (f"\n{row.settings_text}" if row.settings else "")


# --- both ---


def _errors(rows: Sequence[Row]) -> list[list[float]]:
    """Down and up from the score; nothing where there is no interval."""
    scores = [row.score or 0.0 for row in rows]
    down = [max(score - (score if row.low is None else row.low), 0.0) for score, row in zip(scores, rows, strict=True)]
    up = [max((score if row.high is None else row.high) - score, 0.0) for score, row in zip(scores, rows, strict=True)]
    return [down, up]


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """All intervals with some air, within 0 to 100 but for the air that marks need."""
    ends = [end for row in rows for end in (row.low, row.high, row.score) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=100.0)
    air = max(0.08 * (high - low), 1.0)
    return max(low - air, -2.0), min(high + air, 102.0)
