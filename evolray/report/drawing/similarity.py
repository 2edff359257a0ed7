"""Duplicates: how much those that were dropped resemble what stayed, and how many share one place."""

from collections import Counter
from typing import TYPE_CHECKING

from evolray.report.drawing.style import BLUE, FONTS, ORANGE, SOFT, YELLOW, compact, look, new_figure, nothing, plain
from evolray.report.numbers.refined import SIMILARITIES, RefineNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Duplicates: similarity and clusters"
CAPTION = (
    "Left: how similar the dropped records are to the one that stays. Right: how many records a cluster has, with the "
    "one that stays."
)
EXACT = 1.035  # where exact duplicates stand on the axis
BIN = 2  # hundredths
SIZES = ((2, 2, "2"), (3, 3, "3"), (4, 5, "4–5"), (6, 10, "6–10"), (11, 100, "11–100"), (101, 2**62, "> 100"))


def draw(run: RefineNumbers) -> "Figure":
    """Left: near-duplicates by similarity, exact ones beside them. Right: clusters by the number of their records."""
    if not run.exact + run.similarity.total():
        return nothing(TITLE, "No duplicates were found in this run.")
    with look():
        figure = new_figure(3.0, TITLE)
        left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
        _draw_similarity(left, run)
        _draw_sizes(right, run.sizes)
        return figure


def alt(run: RefineNumbers) -> str:
    near, clusters = run.similarity.total(), run.sizes.total()
    return f"{run.exact:,} exact duplicates and {near:,} near-duplicates were dropped, in {clusters:,} clusters."


def _draw_similarity(ax: "Axes", run: RefineNumbers) -> None:
    bins: Counter[int] = Counter()
    for hundredth, number in run.similarity.items():
        bins[hundredth // BIN] += number
    places = [(at + 0.5) * BIN / SIMILARITIES for at in bins]
    ax.bar(places, list(bins.values()), width=0.9 * BIN / SIMILARITIES, color=BLUE)
    if run.exact:
        ax.bar(EXACT, run.exact, width=0.026, color=YELLOW)
    if run.threshold is not None:
        ax.axvline(run.threshold, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.annotate(
            f"threshold {run.threshold:g}", (run.threshold, 1), xycoords=("data", "axes fraction"), xytext=(5, 2),
            textcoords="offset points", color=ORANGE, fontsize=FONTS - 1,
        )  # fmt: skip
    lowest = min([*places, 0.9 if run.threshold is None else run.threshold])
    ticks = [tick / 10 for tick in range(int(lowest * 10), 11)]
    ax.set_xlim(lowest - 0.03, 1.06 if run.exact else 1.01)
    shown = [*((tick, f"{tick:g}") for tick in ticks), *([(EXACT, "\nexact")] if run.exact else [])]
    ax.set_xticks([place for place, _ in shown], [text for _, text in shown])
    ax.set_xlabel("similarity to the record that stays (estimated Jaccard)")
    ax.set_ylabel("dropped records")
    _count_axis(ax)


def _draw_sizes(ax: "Axes", sizes: Counter[int]) -> None:
    names, values = [], []
    for low, high, name in SIZES:
        number = sum(n for size, n in sizes.items() if low <= size <= high)
        if number:
            names.append(name)
            values.append(number)
    ax.bar(range(len(names)), values, color=BLUE, width=0.66)
    for at, value in enumerate(values):
        ax.annotate(
            compact(value), (at, value), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=FONTS - 1
        )
    ax.set_xticks(range(len(names)), names, fontsize=FONTS - 1)
    ax.set_xlabel("records of a cluster")
    ax.set_ylabel("clusters")
    ax.set_ylim(0, max(values, default=1) * 1.1)
    _count_axis(ax)


def _count_axis(ax: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    plain(ax, grid="y")
    ax.tick_params(axis="y", labelcolor=SOFT)
