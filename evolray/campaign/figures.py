"""The figures of a campaign, for its page and for notebooks.

    from evolray.campaign.figures import figure, weights

    figure("runs/coder")        # one matplotlib Figure; a notebook shows it
    weights("runs/coder")

Each takes a run directory, or the manifest that was read there. Nothing is written, and pyplot is left alone.
"""

from typing import TYPE_CHECKING

from evolray.campaign import manifest as manifests
from evolray.campaign.drawing import scores as fig_scores
from evolray.campaign.drawing import times as fig_times
from evolray.campaign.drawing import weights as fig_weights
from evolray.campaign.manifest import CampaignManifest
from evolray.pool.layout import open_folder
from evolray.report.drawing.style import mark
from evolray.report.figures import FigureEntry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureEntry", "figure", "figures", "times", "weights"]

SIMULATED = "simulated"


def figure(run: str | CampaignManifest) -> "Figure":
    """The score of each round with its interval, the best of them, and why the campaign stopped."""
    return _by_teacher(_read(run), fig_scores.draw(_read(run)))


def weights(run: str | CampaignManifest) -> "Figure":
    """Operator weights by generation, where they were learned, and what was kept."""
    return _by_teacher(_read(run), fig_weights.draw(_read(run)))


def times(run: str | CampaignManifest) -> "Figure":
    """Seconds by round and stage."""
    return fig_times.draw(_read(run))


def figures(run: str | CampaignManifest) -> dict[str, FigureEntry]:
    """Those that the campaign has data for, by name, in the order in which a page shows them.

    Raises UserError when there is no campaign.
    """
    manifest = _read(run)
    if not manifest.rounds:
        return {}
    found = {"scores": FigureEntry(
        fig_scores.TITLE, fig_scores.caption(manifest), fig_scores.alt(manifest), figure(manifest)
    )}  # fmt: skip
    if fig_weights.by_generation(manifest):
        found["weights"] = FigureEntry(
            fig_weights.TITLE, fig_weights.CAPTION, fig_weights.alt(manifest), weights(manifest)
        )
    if any(sum(one.get("seconds", {}).values()) for one in manifest.rounds):
        found["times"] = FigureEntry(fig_times.TITLE, fig_times.CAPTION, fig_times.alt(manifest), times(manifest))
    return found


def _read(run: str | CampaignManifest) -> CampaignManifest:
    return manifests.find(open_folder(run)) if isinstance(run, str) else run


def _by_teacher(manifest: CampaignManifest, drawn: "Figure") -> "Figure":
    return mark(drawn, "simulated teacher") if manifest.teacher == SIMULATED else drawn
