"""How a number changes with the generations: length, constraints and steps, as the middle half and the middle 90 %."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolray.report.drawing.style import FONTS, SOFT, compact, first_of, look, new_figure, nothing, plain
from evolray.report.numbers.evolved import mean, quantiles

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIGHT, HALF, DARK = "#b3d4e8", "#4c9bca", "#0b2545"
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_GENERATIONS = 12
CAPTION = "Bars hold the middle half and the middle 90 % of each generation's records. Generation 0 are the seeds."


@dataclass(frozen=True)
class Panel:
    """`counts[generation]` says how often each value occurs. `unit` is what the axis counts."""

    name: str
    unit: str
    counts: Mapping[int, Counter[int]]


def alt(panels: Sequence[Panel]) -> str:
    each = (
        f"{panel.name}, mean by generation: "
        + ", ".join(f"{g}: {mean(panel.counts[g]):.2f}" for g in sorted(panel.counts) if panel.counts[g].total())
        for panel in panels
    )
    return f"{'. '.join(each)}."


def draw(title: str, panels: Sequence[Panel]) -> "Figure":
    panels = [panel for panel in panels if any(counts.total() for counts in panel.counts.values())]
    if not panels:
        return nothing(title, "There is no instruction to measure yet.")
    with look():
        generations = max(len(panel.counts) for panel in panels)
        figure = new_figure(3.3, first_of(title, MOST_GENERATIONS, generations))
        for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw_panel(ax, panel, named=len(panels) > 1)
        figure.legend(*_key(), loc="outside lower center", ncols=4)
        return figure


def _draw_panel(ax: "Axes", panel: Panel, named: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    counts = {g: panel.counts[g] for g in sorted(panel.counts)[:MOST_GENERATIONS] if panel.counts[g].total()}
    generations = list(counts)
    spread = [quantiles(counts[generation], SHARES) for generation in generations]
    low, first, middle, third, high = zip(*spread, strict=True)
    thickness = 10 if named else 14
    ax.vlines(generations, low, high, color=LIGHT, linewidth=thickness / 2.5)
    ax.vlines(generations, first, third, color=HALF, linewidth=thickness)
    ax.plot(
        generations, middle, color="white", linestyle="none", marker="_", markersize=thickness - 2, markeredgewidth=2
    )
    means = [mean(counts[generation]) for generation in generations]
    ax.plot(generations, means, color=DARK, linewidth=1.2, marker="o", markersize=4)
    for generation, value, top in zip(generations, means, high, strict=True):
        text = f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else compact(round(value))
        ax.annotate(
            text, (generation, max(top, value)), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
            fontsize=FONTS - 1, fontweight="bold", color=DARK,
        )  # fmt: skip
    ax.set_xlim(generations[0] - 0.5, generations[-1] + 0.5)
    ax.set_ylim(0, max(*high, *means, 1.5) * 1.12)
    numbers = [compact(counts[generation].total()) for generation in generations]
    labels = [f"{generation}\n" + (f"n = {n}" if len(generations) * (2 if named else 1) < 9 else n)
              for generation, n in zip(generations, numbers, strict=True)]  # fmt: skip
    ax.set_xticks(generations, labels, fontsize=FONTS - (2 if named and len(generations) > 4 else 1))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("generation, with n" if named else "generation, and how many were measured")
    ax.set_ylabel(panel.unit)
    if named:
        ax.set_title(panel.name)
    plain(ax, grid="y")
    for label in ax.get_yticklabels():
        label.set_color(SOFT)


def _key() -> "tuple[list[Artist], list[str]]":
    from matplotlib.lines import Line2D

    bars: list[Artist] = [
        Line2D([], [], color=LIGHT, linewidth=4),
        Line2D([], [], color=HALF, linewidth=9),
        Line2D([], [], color=DARK, linewidth=1.2, marker="o", markersize=4),
    ]
    return bars, ["middle 90 %", "middle half, with the median", "mean, with its value above"]
