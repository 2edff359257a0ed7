"""Why instructions were eliminated: how many by each reason, and which operators ran into it."""

from collections import Counter
from typing import TYPE_CHECKING

from evolray.report.drawing.flow import OTHER, fates
from evolray.report.drawing.style import (
    FONTS,
    GREY,
    SOFT,
    brief,
    compact,
    joined,
    look,
    new_figure,
    nothing,
    plain,
    shorten,
)
from evolray.report.numbers.evolved import EvolveNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Reasons of elimination"
CAPTION = "How many instructions each rule eliminated, and what share that is of what each operator made."
MOST_OPERATORS = 10
MOST_REASONS = 14


def alt(run: EvolveNumbers) -> str:
    counts = run.eliminated()
    return f"Eliminated: {joined([f'{brief(reason)} {counts[reason]:,}' for reason in counts])}."


def draw(run: EvolveNumbers) -> "Figure":
    """Left: all of a reason. Right: of what each operator made, the share that the reason eliminated."""
    counts, made = run.eliminated(), run.made()
    if not counts:
        return nothing(TITLE, "Nothing was eliminated in this run.")
    reasons, operators = list(counts)[:MOST_REASONS], sorted(list(made)[:MOST_OPERATORS])
    with look():
        figure = new_figure(1.75 + 0.3 * len(reasons), TITLE)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 0.35 + 0.17 * len(operators)))
        _draw_bars(left, run, reasons, counts, made.total())
        _draw_cells(right, run, reasons, operators, made)
        left.set_yticks(range(len(reasons)), [shorten(brief(reason)) for reason in reasons])
        left.set_ylim(len(reasons) - 0.5, -0.5)
        return figure


def _draw_bars(ax: "Axes", run: EvolveNumbers, reasons: list[str], counts: Counter[str], made: int) -> None:
    colors = fates(run)
    values = [counts[reason] for reason in reasons]
    bars = [colors.get(reason, colors.get(OTHER, GREY)) for reason in reasons]
    ax.barh(range(len(reasons)), values, height=0.72, color=bars)
    for at, value in enumerate(values):
        text = f"{compact(value)}  ({100 * value / max(made, 1):.1f} %)"
        ax.annotate(text, (value, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=FONTS - 1)
    ax.set_xlim(0, max(values) * 1.75)
    ax.set_xticks([])
    ax.set_title("instructions (share of all evolved)", fontsize=FONTS, fontweight="normal", color=SOFT)
    plain(ax)


def _draw_cells(ax: "Axes", run: EvolveNumbers, reasons: list[str], operators: list[str], made: Counter[str]) -> None:
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    shares = {
        (reason, operator): sum(
            n for (_, o, fate, why), n in run.accounts.outcomes.items()
            if fate == "eliminated" and (o, why) == (operator, reason)
        ) / max(made[operator], 1)
        for reason in reasons for operator in operators
    }  # fmt: skip
    most = max(shares.values())
    for down, reason in enumerate(reasons):
        for right, operator in enumerate(operators):
            share = shares[reason, operator]
            color = mpl.colormaps["Oranges"](0.04 + 0.66 * share / most) if share else "#f6f7f8"
            ax.add_patch(Rectangle((right - 0.48, down - 0.44), 0.96, 0.88, facecolor=color, linewidth=0))
            text = f"{100 * share:.1f}" if share else "–"
            ax.text(
                right, down, text, ha="center", va="center", fontsize=FONTS - 1.5, color="#3b1700" if share else SOFT
            )
    ax.set_xlim(-0.5, len(operators) - 0.5)
    ax.set_xticks(range(len(operators)), [shorten(brief(operator), 22) for operator in operators])
    ax.tick_params(axis="x", labelrotation=35, labelsize=FONTS - 1)
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    ax.set_title("% of what each operator made", fontsize=FONTS, fontweight="normal", color=SOFT)
    plain(ax)
    ax.tick_params(labelleft=False)
