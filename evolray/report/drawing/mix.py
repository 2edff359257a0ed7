"""The mix beside what came in: shares by generation, operator, source and domain; and skills."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evolray.report.drawing.style import (
    BLUE,
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
)  # fmt: skip
from evolray.report.numbers.refined import RefineNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "The mix beside what came in"
SKILLS_TITLE = "Skills that the instructions call for"
CAPTION = "Shares of the records that came in and of those in the mix, and how many of each are in it."
SKILLS_CAPTION = "As the judge names them, up to three for each instruction; shares of all that were named."
ATTRIBUTES = ("generation", "operator", "source", "domain")
MOST = 12  # bars of one panel; the rest is one bar
MOST_SKILLS = 29
OTHERS = "all others"


@dataclass(frozen=True)
class Bar:
    name: str
    before: int
    after: int


def draw(run: RefineNumbers) -> "Figure":
    """A panel for each attribute in which the records differ."""
    panels = {name: bars(run.before.get(name, Counter()), run.after.get(name, Counter()), name) for name in ATTRIBUTES}
    panels = {name: found for name, found in panels.items() if len(found) > 1} or {
        name: found for name, found in panels.items() if found and name == "generation"
    }
    if not panels or not run.mix:
        return nothing(TITLE, "There is no mix yet." if not run.mix else "There is nothing to compare.")
    with look():
        rows = [len(found) for found in panels.values()]
        figure = new_figure(0.95 + sum(0.27 * number + 0.45 for number in rows), TITLE)
        axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[n + 0.6 for n in rows])[:, 0]
        for ax, (name, found) in zip(axes, panels.items(), strict=True):
            _draw_panel(ax, found, run.records, run.mix)
            ax.set_title(f"by {name}", fontsize=FONTS)
        axes[0].set_title("records in the mix", loc="right", fontsize=FONTS - 1, fontweight="normal", color=SOFT)
        _legend(figure, "share of what came in", "share of the mix")
        return figure


def alt(run: RefineNumbers) -> str:
    found = bars(run.before.get("generation", Counter()), run.after.get("generation", Counter()), "generation")
    each = [f"{bar.name}: {bar.after:,} of {bar.before:,}" for bar in found]
    return f"{run.mix:,} of {run.records:,} records are in the mix; by generation, {joined(each)}."


def skills_alt(run: RefineNumbers) -> str:
    found = bars(run.skills.get("judged", Counter()), run.skills.get("mix", Counter()), "skill", MOST_SKILLS)
    return f"Named for judged records: {joined([f'{brief(bar.name)} {bar.before:,}' for bar in found])}."


def draw_skills(run: RefineNumbers) -> "Figure":
    """A record may call for several skills; each is counted."""
    judged, mix = run.skills.get("judged", Counter()), run.skills.get("mix", Counter())
    found = bars(judged, mix, "skill", MOST_SKILLS)
    if not found:
        return nothing(SKILLS_TITLE, "The judge was not asked for skills in this run.")
    with look():
        figure = new_figure(1.15 + 0.27 * len(found), SKILLS_TITLE)
        ax = figure.subplots()
        _draw_panel(ax, found, judged.total(), mix.total())
        _legend(figure, "share of all skills named, of what was judged", "of the mix")
        return figure


def bars(before: Mapping[Any, int], after: Mapping[Any, int], kind: str, most: int = MOST) -> list[Bar]:
    """Generations in their order, all else from the most frequent to the least; beyond `most`, the rest in one."""
    keys = set(before) | set(after)
    if kind == "generation":
        names = sorted(keys)
    else:
        names = sorted(keys, key=lambda key: (-before.get(key, 0), -after.get(key, 0), str(key)))
    found = [Bar(_bar_name(kind, key), before.get(key, 0), after.get(key, 0)) for key in names]
    if len(found) > most:
        rest = found[most - 1 :]
        found = [*found[: most - 1], Bar(OTHERS, sum(one.before for one in rest), sum(one.after for one in rest))]
    return found


def _bar_name(kind: str, key: Any) -> str:
    if kind == "generation" and key == 0:
        return "seeds"
    return (brief(key) if kind == "operator" else str(key)) or "(none)"


def _draw_panel(ax: "Axes", found: list[Bar], all_before: int, all_after: int) -> None:
    most = 0.0
    for at, bar in enumerate(found):
        shares = [100 * bar.before / max(all_before, 1), 100 * bar.after / max(all_after, 1)]
        ax.barh(at - 0.2, shares[0], height=0.36, color=GREY)
        ax.barh(at + 0.2, shares[1], height=0.36, color=BLUE)
        most = max(most, *shares)
        text = f"{shares[0]:.0f} → {shares[1]:.0f} %" if max(shares) >= 1 else f"{shares[0]:.1f} → {shares[1]:.1f} %"
        ax.annotate(text, (max(shares), at), xytext=(5, 0), textcoords="offset points", va="center", fontsize=FONTS - 1)
        ax.annotate(
            f"{compact(bar.after)} of {compact(bar.before)}", (1, at), xycoords=("axes fraction", "data"), ha="right",
            va="center", fontsize=FONTS - 1, color=SOFT,
        )  # fmt: skip
    ax.set_yticks(range(len(found)), [shorten(bar.name) for bar in found])
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.set_xlim(0, most * 1.45 or 1)
    ax.set_xticks([])
    plain(ax)


def _legend(figure: "Figure", before: str, after: str) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=GREY, label=before), Patch(color=BLUE, label=after)]
    figure.legend(handles=patches, loc="outside lower center", ncols=2)
