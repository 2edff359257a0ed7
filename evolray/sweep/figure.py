"""Rows as a picture: score over step with 95 % intervals, a line per benchmark, checkpoint and settings.

Few lines share one panel; more get a panel per benchmark, and so do scores of different kinds. Checkpoints without a
step are horizontal lines to compare with, and where nothing can be a line, all are bars. The best checkpoint of each
benchmark has a ring, and is named in the legend. Colours are those of Okabe and Ito, which colour-blind readers can
tell apart; markers differ, too.
"""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from evolray.sweep.lines import MOST_LINES, Line, Panel, errors, limits, panels_of_bars, panels_of_lines
from evolray.sweep.rows import Row, find_best

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6BB1")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
STYLES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))  # from one round of colours to the next
MOST_TICKS = 8
PANEL_COLUMNS = 3
PAD_INCHES = 0.1  # around a panel
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


def figure(rows: Sequence[Row], title: str | None = None) -> "Figure":
    """A matplotlib Figure of the rows that have a score. Nothing is shown or saved, and pyplot is left alone."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    scored = [row for row in rows if row.score is not None]
    with mpl.rc_context(LOOK):  # type: ignore[arg-type]
        picture = Figure(layout=ConstrainedLayoutEngine(w_pad=PAD_INCHES, h_pad=PAD_INCHES))
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
    panels = panels_of_lines(rows)
    columns = min(len(panels), PANEL_COLUMNS)
    down = -(-len(panels) // columns)
    entries = max(len(panel.lines) for panel in panels)
    picture.set_size_inches(max(7.0, 3.8 * columns), 3.6 * down + 0.22 * entries)
    grid = picture.subplots(down, columns, squeeze=False)
    for ax, panel in zip(grid.flat, panels, strict=False):
        _draw_panel(ax, panel.lines, find_best(rows).benchmarks)
        ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1 if columns > 1 else 2, fontsize=8.5)
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    for place, panel in enumerate(panels):
        if place % columns == 0 or panel.axis != panels[place - 1].axis:
            grid.flat[place].set_ylabel(_axis(panel))


def _axis(panel: Panel) -> str:
    return f"{panel.axis}{', 95 % intervals' if _has_intervals(panel.rows) else ''}"


def _has_intervals(rows: Sequence[Row]) -> bool:
    return any(row.low is not None for row in rows)


def _color(place: int) -> str:
    return COLORS[place % len(COLORS)]


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
    down, up = errors(line.rows)
    has_bars = not as_band and _has_intervals(line.rows)
    if as_band:
        low = [score - less for score, less in zip(scores, down, strict=True)]
        high = [score + more for score, more in zip(scores, up, strict=True)]
        ax.fill_between(steps, low, high, color=_color(line.place), alpha=0.15, linewidth=0)
    ax.errorbar(
        steps, scores, yerr=[down, up] if has_bars else None, color=_color(line.place), linewidth=1.6, elinewidth=0.9,
        capsize=2.5, marker=MARKERS[line.place % len(MARKERS)], markersize=3.5 if as_band else 5,
        linestyle=STYLES[line.place // len(COLORS) % len(STYLES)], label=_label(line, chosen),
    )  # fmt: skip
    if chosen is not None:
        ax.plot(
            (chosen.step or 0) + aside, chosen.score or 0.0, marker="o", markersize=13, fillstyle="none",
            markeredgecolor=_color(line.place), markeredgewidth=1.5, linestyle="none",
            clip_on=False,
        )  # fmt: skip


def _draw_level(ax: "Axes", line: Line, best: Mapping[str, Row]) -> None:
    row = line.rows[0]
    chosen = row if best.get(row.benchmark) == row else None
    ax.axhline(
        row.score or 0.0, color=_color(line.place), linestyle=(0, (4, 3)), linewidth=1.3, label=_label(line, chosen)
    )
    if row.low is not None and row.high is not None:
        ax.axhspan(row.low, row.high, color=_color(line.place), alpha=0.08, linewidth=0)


def _label(line: Line, chosen: Row | None) -> str:
    if line.is_level:
        return f"{line.label}: {line.rows[0].score_text}{' (best)' if chosen else ''}"
    return f"{line.label} (best {chosen.score_text} at step {chosen.step:,})" if chosen else line.label


def _scale(ax: "Axes", steps: Sequence[int], gap: float, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_xlabel("step")
    ax.set_ylim(*limits(rows))
    if not steps:  # nothing but levels
        ax.set_xticks([])
        return
    ax.set_xlim(steps[0] - 0.5 * gap, steps[-1] + 0.5 * gap)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    if len(steps) <= MOST_TICKS:
        ax.set_xticks(steps)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(MOST_TICKS - 2, integer=True))


# --- bars ---


def _draw_bars(picture: "Figure", rows: Sequence[Row]) -> None:
    """Panels beside each other share the names on the left."""
    names = list(dict.fromkeys(_bar_name(row) for row in rows))
    titles = dict.fromkeys(row.benchmark for row in rows)
    panels = panels_of_bars(rows)
    columns = min(len(panels), PANEL_COLUMNS)
    down = -(-len(panels) // columns)
    bars = max(len({row.benchmark for row in panel.rows}) for panel in panels)
    picture.set_size_inches(max(7.0, 3.8 * columns), (1.6 + 0.3 * len(names) * (bars + 0.5)) * down)
    grid = picture.subplots(down, columns, squeeze=False)
    best = find_best(rows).benchmarks
    for place, (ax, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(titles)}
        _draw_bar_panel(ax, panel, names, colors, best)
        ax.set_yticks(range(len(names)), names if place % columns == 0 else [""] * len(names))
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    if len(panels) == 1 and len(titles) > 1:
        picture.legend(loc="outside lower center", ncols=min(len(titles), 4))


def _draw_bar_panel(
    ax: "Axes", panel: Panel, names: Sequence[str], colors: Mapping[str, str], best: Mapping[str, Row]
) -> None:
    benchmarks = list(dict.fromkeys(row.benchmark for row in panel.rows))
    thickness = 0.8 / len(benchmarks)
    for number, benchmark in enumerate(benchmarks):
        some = [row for row in panel.rows if row.benchmark == benchmark]
        places = [names.index(_bar_name(row)) + (number - (len(benchmarks) - 1) / 2) * thickness for row in some]
        ax.barh(
            places, [row.score or 0.0 for row in some], height=thickness * 0.9,
            xerr=errors(some) if _has_intervals(some) else None, color=colors[benchmark], label=some[0].title,
            ecolor="#444444", error_kw={"elinewidth": 0.9, "capsize": 2.5},
        )  # fmt: skip
        for place, row in zip(places, some, strict=True):
            is_best = best.get(benchmark) == row
            ax.annotate(
                f"{row.score:.{row.digits}f}{'  best' if is_best else ''}",
                (max(row.high or 0.0, row.score or 0.0), place), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=8.5, fontweight="bold" if is_best else "normal",
            )  # fmt: skip
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, limits(panel.rows)[1] * (1.25 if panel.title else 1.15))
    ax.set_xlabel(_axis(panel))
    ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")


def _bar_name(row: Row) -> str:
    step = "" if row.step is None else f", step {row.step:,}"
    return f"{row.checkpoint}{step}" + (f"\n{row.settings_text}" if row.settings else "")
