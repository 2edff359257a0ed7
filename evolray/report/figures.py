"""The figures of a run of evolve or refine, for the report and for notebooks.

    from evolray.report.figures import acceptance, figures

    acceptance("runs/code")                    # one matplotlib Figure; a notebook shows it
    for name, entry in figures("runs/code").items():
        open(f"{name}.svg", "w").write(to_svg(entry.figure))

Each function takes a run directory, or what `read_evolved` or `read_refined` read of it, so that several figures read
it once. Nothing is written, and pyplot is left alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolray.report import fig_acceptance, fig_flow, fig_spread, fig_reasons, fig_spending
from evolray.report.readers import Evolved, read_evolved
from evolray.report.style import to_png, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureEntry", "acceptance", "figures", "to_png", "to_svg"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure with its words. `alt` says what it shows to those who do not see it, numbers included."""

    title: str
    caption: str
    alt: str
    figure: "Figure"


def figures(run: str) -> dict[str, FigureEntry]:
    """Those that the run has data for, by name, in the order in which a page shows them.

    Raises UserError when `run` is no run of evolve or refine.
    """
    evolved = read_evolved(run)
    return {
        "acceptance": FigureEntry(
            fig_acceptance.TITLE,
            "Kept instructions as a share of those evolved; what failed at the endpoint is not counted.",
            fig_acceptance.TITLE,
            acceptance(evolved),
        ),
        "flow": FigureEntry(fig_flow.TITLE, "", fig_flow.TITLE, fig_flow.draw(evolved)),
        "lengths": FigureEntry(
            "Length of instructions by generation",
            "",
            "",
            fig_spread.draw(
                "Length of instructions by generation", [fig_spread.Panel("words", "words", evolved.words)]
            ),
        ),
        "reasons": FigureEntry("Length of instructions by generation", "", "", fig_reasons.draw(evolved)),
        "spending": FigureEntry("Length of instructions by generation", "", "", fig_spending.draw(evolved)),
    }


def acceptance(run: str | Evolved) -> "Figure":
    """Kept as a share of kept and eliminated, by operator and generation."""
    return fig_acceptance.draw(read_evolved(run))
