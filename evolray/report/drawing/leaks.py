"""Leaks: how many records hold items of which benchmark, and how they were found."""

from typing import TYPE_CHECKING

from evolray.report.drawing.style import (
    BLUE,
    FONTS,
    GREEN,
    ORANGE,
    SOFT,
    YELLOW,
    brief,
    compact,
    joined,
    look,
    new_figure,
    nothing,
    plain,
    shorten,
)  # fmt: skip
from evolray.report.numbers.refined import SEVERAL, RefineNumbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Benchmark items found in records"
CAPTION = "Records that hold a question or a solution of a benchmark, each once per benchmark."
KINDS = {
    "ngram": ("n-gram overlap", BLUE),
    "similarity": ("similar to the question", YELLOW),
    "execution": ("passes its tests", ORANGE),
    SEVERAL: ("more than one of these", GREEN),
}
MOST_BENCHMARKS = 20


def totals(run: RefineNumbers) -> dict[str, int]:
    """Records by benchmark, from the most to none."""
    found = dict.fromkeys(run.benchmarks, 0)
    for (benchmark, _), number in run.leaks.items():
        found[benchmark] = found.get(benchmark, 0) + number
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def alt(run: RefineNumbers) -> str:
    each = [f"{brief(name)} {number:,}" for name, number in totals(run).items()]
    return f"Records with leaks by benchmark: {joined(each) or 'none was looked for'}."


def draw(run: RefineNumbers) -> "Figure":
    """A bar per benchmark that was looked for, also where nothing was found."""
    found = dict(list(totals(run).items())[:MOST_BENCHMARKS])
    if not found:
        return nothing(TITLE, "No benchmark was looked for in this run.")
    with look():
        figure = new_figure(1.15 + 0.3 * len(found), TITLE)
        ax = figure.subplots()
        for at, (benchmark, total) in enumerate(found.items()):
            left = 0
            for kind, (_, color) in KINDS.items():
                number = run.leaks[benchmark, kind]
                ax.barh(at, number, left=left, color=color, height=0.68)
                left += number
            items = len(run.items.get(benchmark, ()))
            text = f"{compact(total)} records, {compact(items)} items" if total else "none found"
            ax.annotate(
                text, (total, at), xytext=(5, 0), textcoords="offset points", va="center", fontsize=FONTS - 1,
                color="black" if total else SOFT,
            )  # fmt: skip
        ax.set_yticks(range(len(found)), [shorten(name) for name in found])
        ax.set_ylim(len(found) - 0.5, -0.5)
        ax.set_xlim(0, max(*found.values(), 1) * 1.3)
        ax.set_xticks([])
        plain(ax)
        shown = [kind for kind in KINDS if any(run.leaks[name, kind] for name in found)]
        if shown:
            from matplotlib.patches import Patch

            patches = [Patch(color=KINDS[kind][1], label=KINDS[kind][0]) for kind in shown]
            figure.legend(handles=patches, loc="outside lower center", ncols=4)
        return figure
