"""Where the time of each round went: seconds by stage."""

from typing import TYPE_CHECKING

from evolray.campaign.drawing.scores import name_of
from evolray.campaign.manifest import CampaignManifest
from evolray.display import duration
from evolray.report.drawing.style import BLUE, FONTS, GREEN, SKY, YELLOW, joined, look, new_figure, nothing, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Time by round and stage"
CAPTION = "What the stages of each round took, reruns included, without the wait for a place in the cluster."
COLORS = {"evolve": BLUE, "refine": SKY, "train": YELLOW, "evaluate": GREEN}
MOST_ROUNDS = 20


def draw(manifest: CampaignManifest) -> "Figure":
    """A bar per round."""
    rounds = [one for one in manifest.rounds if sum(one.get("seconds", {}).values())][-MOST_ROUNDS:]
    if not rounds:
        return nothing(TITLE, "No round is finished yet.")
    with look():
        figure = new_figure(1.1 + 0.36 * len(rounds), TITLE)
        ax = figure.subplots()
        for at, one in enumerate(rounds):
            left = 0.0
            for stage, color in COLORS.items():
                seconds = one["seconds"].get(stage, 0.0)
                ax.barh(at, seconds, left=left, height=0.66, color=color, label=None if at else stage)
                left += seconds
            ax.annotate(duration(left), (left, at), xytext=(5, 0), textcoords="offset points", va="center",
                        fontsize=FONTS - 1)  # fmt: skip
        longest = max(sum(one["seconds"].values()) for one in rounds)
        ax.set_xlim(0, 1.15 * longest)
        ax.set_ylim(len(rounds) - 0.5, -0.5)  # the first on top
        ax.set_yticks(range(len(rounds)), [name_of(one) for one in rounds])
        ax.set_xticks([])
        plain(ax)
        figure.legend(loc="outside lower center", ncols=len(COLORS))
        return figure


def alt(manifest: CampaignManifest) -> str:
    each = [f"{name_of(one)} {duration(sum(one.get('seconds', {}).values()))}" for one in manifest.rounds]
    return f"Time: {joined(each)}."
