"""Difficulty by generation and by operator: the figure of the paper that asks whether evolution makes it harder.

WizardLM (arXiv 2304.12244, section 4) has a judge rate instructions from 1 to 10 and compares the means.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from evolray.report.drawing.style import (
    BLUE,
    FONTS,
    GREY,
    INK,
    ORANGE,
    SOFT,
    brief,
    compact,
    first_of,
    joined,
    look,
    new_figure,
    nothing,
    plain,
    shorten,
)  # fmt: skip
from evolray.report.numbers.evolved import mean
from evolray.report.numbers.refined import RefineNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Difficulty by generation, as the judge rates it"
CAPTION = (
    "Of all records that were judged, before anything was selected. Orange: the mean, with its 95 % interval. A "
    "judge's scores compare generations of one run; they are no absolute measure."
)
SCORES = range(1, 11)
MOST_GENERATIONS = 8
MOST_OPERATORS = 10


def draw(run: RefineNumbers) -> "Figure":
    """Left: each generation's scores as shares of what was judged, and their mean. Right: means by operator."""
    judged = {g: run.difficulty[g] for g in sorted(run.difficulty)[:MOST_GENERATIONS] if run.difficulty[g].total()}
    if not judged:
        return nothing(TITLE, "The judge was not asked for difficulty in this run.")
    with look():
        figure = new_figure(1.25 + 0.58 * max(len(judged), 3), first_of(TITLE, MOST_GENERATIONS, len(run.difficulty)))
        grid = figure.add_gridspec(len(judged), 2, width_ratios=(1.5, 1))
        most = max(counts[score] / counts.total() for counts in judged.values() for score in SCORES)
        axes = [figure.add_subplot(grid[at, 0]) for at in range(len(judged))]
        for ax, (generation, counts) in zip(axes, judged.items(), strict=True):
            _draw_generation(ax, generation, counts, most)
            ax.set_xticks(SCORES if ax is axes[-1] else [])
        axes[-1].set_xlabel("difficulty, 1 to 10")
        _draw_operators(figure.add_subplot(grid[:, 1]), run.difficulty_by_operator)
        return figure


def alt(run: RefineNumbers) -> str:
    each = [f"{g}: {mean(counts):.2f}" for g, counts in sorted(run.difficulty.items()) if counts.total()]
    return f"Mean difficulty by generation, {joined(each)}."


def half_width(counts: Counter[int]) -> float:
    """Of the mean's 95 % interval, by the normal approximation."""
    number, middle = counts.total(), mean(counts)
    squares = sum(n * (value - middle) ** 2 for value, n in counts.items())
    return 1.96 * math.sqrt(squares / max(number - 1, 1) / number)


def _draw_generation(ax: "Axes", generation: int, counts: Counter[int], most: float) -> None:
    number, middle = counts.total(), mean(counts)
    ax.bar(SCORES, [counts[score] / number for score in SCORES], color=BLUE, width=0.86, alpha=0.85)
    ax.axvline(middle, color=ORANGE, linewidth=1.6)
    ax.text(
        0.995, 0.82, f"mean {middle:.2f} ± {half_width(counts):.2f}", transform=ax.transAxes, ha="right",
        fontsize=FONTS - 1, color=ORANGE, fontweight="bold",
    )  # fmt: skip
    ax.text(0.995, 0.52, f"n = {compact(number)}", transform=ax.transAxes, ha="right", fontsize=FONTS - 1, color=SOFT)
    ax.set_ylim(0, most * 1.08)
    ax.set_xlim(0.4, 13.2)
    ax.set_yticks([])
    name = "seeds" if generation == 0 else f"gen. {generation}"
    ax.set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
    plain(ax)
    ax.spines["bottom"].set_visible(True)


def _draw_operators(ax: "Axes", operators: Mapping[str, Counter[int]]) -> None:
    judged = {name: counts for name, counts in operators.items() if counts.total()}
    names = sorted(judged, key=lambda name: (mean(judged[name]), name))[-MOST_OPERATORS:]
    for at, name in enumerate(names):
        middle, half = mean(judged[name]), half_width(judged[name])
        color = GREY if name == "seed" else BLUE
        ax.errorbar(middle, at, xerr=half, color=color, marker="o", markersize=5, elinewidth=1.4, capsize=0)
        ax.annotate(
            f"{middle:.1f}", (middle + half, at), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=FONTS - 1,
        )  # fmt: skip
    ax.set_yticks(range(len(names)), [shorten(brief(name), 22) for name in names])
    ax.set_ylim(-0.6, len(names) - 0.4)
    ends = [mean(judged[name]) + sign * half_width(judged[name]) for name in names for sign in (-1, 1)]
    ax.set_xlim(max(min(ends) - 0.4, 0.9), min(max(ends) + 0.9, 10.6))
    ax.set_xlabel("mean, with its 95 % interval")
    ax.set_title("by operator", fontsize=FONTS)
    plain(ax, grid="x")
    ax.tick_params(axis="x", labelcolor=SOFT)
