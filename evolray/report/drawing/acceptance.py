"""Acceptance by operator and generation: what share of the evolved instructions was kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolray.report.drawing.style import (
    FONTS,
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
)
from evolray.report.numbers.evolved import EvolveNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Acceptance by operator and generation"
CAPTION = (
    "Of the instructions that each operator made in each generation: how many were kept. "
    "Those whose calls failed are not counted."
)
ALL = "all"
MOST_GENERATIONS, MOST_OPERATORS = 8, 12  # that have cells; what is beyond is in "all" alone
MOST_WIDE = 5  # generations whose cells have room for both numbers


def draw(run: EvolveNumbers) -> "Figure":
    """A cell per operator and generation: kept as a share of kept and eliminated, and both numbers."""
    generations = [one for one in run.generations if one][:MOST_GENERATIONS]
    names = [operator for operator in run.made() if any(_cell(run, operator, None))]
    if not names:
        return nothing(TITLE, "No instruction was evolved in this run.")
    del names[MOST_OPERATORS:]
    names.sort(key=lambda name: (-acceptance(*_cell(run, name, None)), name))
    with look():
        title = first_of(TITLE, len(generations), sum(map(bool, run.generations)))
        figure = new_figure(1.35 + 0.4 * (len(names) + 1), title)
        ax = figure.subplots()
        for down, operator in enumerate([*names, ALL]):
            for right, generation in enumerate([*generations, None]):
                cell = _cell(run, None if operator == ALL else operator, generation)
                place = (right + 0.12 * (generation is None), down + 0.12 * (operator == ALL))
                _draw_cell(ax, place, cell, is_narrow=len(generations) > MOST_WIDE)
        _scale(ax, names, generations)
        return figure


def alt(run: EvolveNumbers) -> str:
    kept, eliminated = _cell(run, None, None)
    each = (f"{brief(name)} {100 * acceptance(*_cell(run, name, None)):.0f} %" for name in run.made())
    return f"Kept {kept:,} of {kept + eliminated:,} evolved instructions. By operator: {joined([*each])}."


def acceptance(kept: int, eliminated: int) -> float:
    return kept / max(kept + eliminated, 1)


def _cell(run: EvolveNumbers, operator: str | None, generation: int | None) -> tuple[int, int]:
    """Kept and eliminated, without seeds and failures."""
    pairs = [
        (number if fate == "kept" else 0, number if fate == "eliminated" else 0)
        for (g, o, fate, _), number in run.accounts.outcomes.items()
        if g and operator in (None, o) and generation in (None, g)
    ]
    return sum(kept for kept, _ in pairs), sum(eliminated for _, eliminated in pairs)


def _draw_cell(ax: "Axes", place: tuple[float, float], cell: tuple[int, int], is_narrow: bool) -> None:
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    (x, y), (kept, eliminated) = place, cell
    if not kept + eliminated:
        ax.text(x, y, "–", ha="center", va="center", color=SOFT)
        return
    share = acceptance(kept, eliminated)
    color = mpl.colormaps["Blues"](0.08 + 0.77 * share)
    ax.add_patch(Rectangle((x - 0.485, y - 0.46), 0.97, 0.92, facecolor=color, linewidth=0))
    ink = "white" if share > 0.7 else "#0b2545"
    ax.text(x, y - 0.12, f"{100 * share:.0f} %", ha="center", va="center", color=ink, fontweight="bold")
    counts = f"{'' if is_narrow else compact(kept)} of {compact(kept + eliminated)}".strip()
    ax.text(x, y + 0.24, counts, ha="center", va="center", color=ink, fontsize=FONTS - 2)


def _scale(ax: "Axes", names: Sequence[str], generations: Sequence[int]) -> None:
    ax.set_xlim(-0.5, len(generations) + 0.62)
    ax.set_ylim(len(names) + 0.62, -0.5)  # the first on top
    ax.set_xticks([*range(len(generations)), len(generations) + 0.12], [*map(str, generations), ALL])
    ax.set_yticks([*range(len(names)), len(names) + 0.12], [*(shorten(brief(name)) for name in names), ALL])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("generation")
    plain(ax)
