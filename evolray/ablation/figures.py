"""The figures of an ablation, for its page and for notebooks.

    done = evolray.ablation("conf/ablation/wizardlm.yaml")
    done.figure()                              # a matplotlib Figure, which a notebook shows
    for name, entry in figures(done).items():
        Path(f"{name}.png").write_bytes(to_png(entry.figure))

Nothing is written, and pyplot is left alone.
"""

from typing import TYPE_CHECKING

from evolray.ablation.drawing import curves, groups
from evolray.report.drawing.style import mark, to_png, to_svg
from evolray.report.figures import FigureEntry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evolray.ablation.results import Ablation

__all__ = ["FigureEntry", "figures", "scores_by_group", "scores_by_tokens", "to_png", "to_svg"]


def scores_by_group(done: "Ablation") -> "Figure":
    """Held-out scores of each student's last checkpoint, by group where the benchmark has groups."""
    return _by_teacher(groups.draw(done.students), done)


def scores_by_tokens(done: "Ablation") -> "Figure":
    """Held-out scores of all checkpoints, over the tokens trained on."""
    return _by_teacher(curves.draw(done.students), done)


def figures(done: "Ablation") -> dict[str, FigureEntry]:
    """By name, in the order in which the page shows them; none before a checkpoint has been evaluated."""
    if not any(student.checkpoints for student in done.students):
        return {}
    students = done.students
    return {
        "groups": FigureEntry(groups.TITLE, groups.CAPTION, groups.alt(students), scores_by_group(done)),
        "curves": FigureEntry(curves.TITLE, curves.CAPTION, curves.alt(students), scores_by_tokens(done)),
    }


def _by_teacher(figure: "Figure", done: "Ablation") -> "Figure":
    """Whatever the simulated teacher had a hand in says so."""
    return mark(figure, "simulated teacher") if done.teacher.is_simulated else figure
