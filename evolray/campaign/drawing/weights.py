"""Operators by generation: the weight each was given, and what share of what it made was kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolray.campaign.manifest import CampaignManifest
from evolray.report.drawing.style import FONTS, SOFT, brief, first_of, look, new_figure, nothing, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Operator weights by generation"
CAPTION = (
    "Large: the weight an operator had, learned from the rounds before; 1 is an equal share. Small: what share of the "
    "instructions it made in that generation was kept."
)
MOST_GENERATIONS, MOST_OPERATORS = 8, 12


def draw(manifest: CampaignManifest) -> "Figure":
    """A cell per operator and generation, darker the more often the operator was chosen."""
    weights = by_generation(manifest)
    if not weights:
        return nothing(TITLE, "Weights of operators were not learned in this campaign.")
    names = operators(manifest)[:MOST_OPERATORS]
    shown = dict([*weights.items()][:MOST_GENERATIONS])
    with look():
        figure = new_figure(1.25 + 0.42 * len(names), first_of(TITLE, len(shown), len(weights)))
        ax = figure.subplots()
        kept = _kept(manifest)
        most = max(max(some.values()) for some in shown.values())
        for right, (generation, some) in enumerate(shown.items()):
            for down, name in enumerate(names):
                _draw_cell(ax, (right, down), some.get(name), kept.get((generation, name)), most)
        _scale(ax, names, list(shown))
        return figure


def alt(manifest: CampaignManifest) -> str:
    each = (
        f"generation {generation}: {', '.join(f'{brief(name)} {weight:.2f}' for name, weight in some.items())}"
        for generation, some in by_generation(manifest).items()
    )
    return f"{'; '.join(each)}."


def by_generation(manifest: CampaignManifest) -> dict[int, dict[str, float]]:
    """The learned weights, without generations that have none."""
    found = {int(number): dict(some) for number, some in manifest.weights.items() if some}
    return dict(sorted(found.items()))


def operators(manifest: CampaignManifest) -> list[str]:
    """Those with a weight, the heaviest of the last generation first."""
    weights = by_generation(manifest)
    last = [*weights.values()][-1] if weights else {}
    return sorted({name for some in weights.values() for name in some}, key=lambda name: (-last.get(name, 0.0), name))


def _kept(manifest: CampaignManifest) -> dict[tuple[int, str], float]:
    """The share of what was made and kept; a round makes the generation of its number."""
    return {
        (one["round"], name): counts["kept"] / counts["asked"]
        for one in manifest.rounds
        for name, counts in one.get("operators", {}).items()
        if counts.get("asked")
    }


def _draw_cell(ax: "Axes", place: tuple[int, int], weight: float | None, kept: float | None, most: float) -> None:
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    x, y = place
    if weight is None:
        ax.text(x, y, "–", ha="center", va="center", color=SOFT)
        return
    share = weight / most if most else 0.0
    color = mpl.colormaps["Blues"](0.08 + 0.77 * share)
    ax.add_patch(Rectangle((x - 0.485, y - 0.46), 0.97, 0.92, facecolor=color, linewidth=0))
    ink = "white" if share > 0.7 else "#0b2545"
    ax.text(x, y - (0.12 if kept is not None else 0), f"{weight:.2f}", ha="center", va="center", color=ink,
            fontweight="bold")  # fmt: skip
    if kept is not None:
        ax.text(x, y + 0.25, f"{100 * kept:.0f} % kept", ha="center", va="center", color=ink, fontsize=FONTS - 2)


def _scale(ax: "Axes", names: Sequence[str], generations: Sequence[int]) -> None:
    ax.set_xlim(-0.5, len(generations) - 0.5)
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    ax.set_xticks(range(len(generations)), [*map(str, generations)])
    ax.set_yticks(range(len(names)), [shorten(brief(name)) for name in names])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("generation")
    plain(ax)
