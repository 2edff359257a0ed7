"""Held-out scores by group: a bar per student in each group of problems, and in all of them together.

A benchmark whose problems come in groups has a panel of its own; those without share one per unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolray.ablation.drawing.colors import colors_of, key_of
from evolray.ablation.scores import ALL
from evolray.ablation.students import Student
from evolray.ablation.table import how_many, score_keys
from evolray.report.drawing.style import FONTS, INK, SOFT, look, new_figure, nothing, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Held-out scores by group"
CAPTION = (
    "Of each student's last checkpoint. Bars are scores, thin lines their 95 % intervals; below each group, how many "
    "problems it has."
)
MOST_GROUPS, MOST_LABELLED = 12, 24  # bars that have room for their number
MOST_LETTERS = 16
PANEL = 2.6  # inches


@dataclass(frozen=True)
class Panel:
    """`keys`: benchmark and group of each place on the axis; `names`: what is written there."""

    title: str
    unit: str
    keys: tuple[tuple[str, str], ...]
    names: tuple[str, ...]


def draw(students: Sequence[Student]) -> "Figure":
    panels = panels_of(students)
    if not panels:
        return nothing(TITLE, "No checkpoint has been evaluated yet.")
    with look():
        figure = new_figure(0.9 + PANEL * len(panels), TITLE)
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        colors = colors_of(students)
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, panel, students, colors)
        figure.legend(handles=key_of(students, colors), loc="outside lower center", ncols=min(len(students), 5))
        return figure


def alt(students: Sequence[Student]) -> str:
    parts = []
    for student in students:
        said = (
            f"{name} {score.text}"
            for panel in panels_of(students)
            for key, name in zip(panel.keys, panel.names, strict=True)
            if (score := student.score(*key))
        )
        parts.append(f"{student.title}: {', '.join(said) or 'nothing evaluated'}")
    return f"Held-out scores by group. {'; '.join(parts)}."


def panels_of(students: Sequence[Student]) -> list[Panel]:
    keys = score_keys(students)
    by_benchmark = {benchmark: [key for key in keys if key[0] == benchmark] for benchmark, _ in keys}
    panels, rest = [], dict[str, list[tuple[str, str]]]()
    for some in by_benchmark.values():
        title, unit = _about(students, some[-1])
        if len(some) == 1:
            rest.setdefault(unit, []).extend(some)
            continue
        shown = [*some[:-1][:MOST_GROUPS], some[-1]] if some[-1][1] == ALL else some[:MOST_GROUPS]
        panels.append(Panel(title, unit, tuple(shown), tuple(group or "all" for _, group in shown)))
    for unit, some in rest.items():
        panels.append(Panel("", unit, tuple(some), tuple(_about(students, key)[0] for key in some)))
    return panels


def _about(students: Sequence[Student], key: tuple[str, str]) -> tuple[str, str]:
    """Title and unit."""
    score = next(found for student in students if (found := student.score(*key)))
    return score.title, score.unit


def _draw_panel(ax: "Axes", panel: Panel, students: Sequence[Student], colors: Sequence[str]) -> None:
    width = 0.82 / len(students)
    is_labelled = len(students) * len(panel.keys) <= MOST_LABELLED
    for at, (student, color) in enumerate(zip(students, colors, strict=True)):
        for place, key in enumerate(panel.keys):
            if not (score := student.score(*key)):
                continue
            x = place + (at - (len(students) - 1) / 2) * width
            ax.bar(x, score.score, width=0.9 * width, color=color)
            low, high = (score.score if end is None else end for end in (score.low, score.high))
            if high > low:
                ax.vlines(x, low, high, color=INK, linewidth=0.9)
            if is_labelled:
                text = f"{score.score:.0f}" if panel.unit == "%" else score.number(score.score)
                ax.annotate(
                    text, (x, max(high, score.score)), xytext=(0, 2), textcoords="offset points", ha="center",
                    fontsize=FONTS - 1.5,
                )  # fmt: skip
    _scale(ax, panel, students)


def _scale(ax: "Axes", panel: Panel, students: Sequence[Student]) -> None:
    counts = [how_many(students, key) for key in panel.keys]
    names = [
        f"{shorten(name, MOST_LETTERS)}\n{f'{count:,}' if count else ''}"
        for name, count in zip(panel.names, counts, strict=True)
    ]
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    if panel.unit in ("%", "of 10"):
        most = 100 if panel.unit == "%" else 10
        ax.set_ylim(0, 1.09 * most)
        ax.set_yticks([share * most / 4 for share in range(5)])
    metric = next(found for one in students if (found := one.score(*panel.keys[0]))).metric
    ax.set_ylabel(", ".join(filter(None, (shorten(metric, 24), panel.unit))))
    if panel.title:
        ax.set_title(shorten(panel.title, 60))
    if panel.keys[-1][1] == ALL and len(panel.keys) > 1 and panel.title:
        ax.axvline(len(panel.keys) - 1.5, color=SOFT, linewidth=0.6, linestyle=(0, (2, 3)))
    plain(ax, grid="y")
