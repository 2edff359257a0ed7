"""A colour for each student: grey for the one of the seeds alone, and the darker a blue, the more generations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolray.ablation.students import Student
from evolray.report.drawing.style import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.artist import Artist

LIGHTEST, DARKEST = 0.4, 0.88  # of matplotlib's Blues
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")


def colors_of(students: Sequence[Student]) -> list[str]:
    """In the order of the students. One student of evolved instructions has the blue of all figures."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    evolved = sum(bool(student.generations) for student in students)
    blues = [BLUE] if evolved == 1 else [
        to_hex(mpl.colormaps["Blues"](LIGHTEST + (DARKEST - LIGHTEST) * at / max(evolved - 1, 1)))
        for at in range(evolved)
    ]  # fmt: skip
    left = iter(blues)
    return [next(left) if student.generations else GREY for student in students]


def key_of(students: Sequence[Student], colors: Sequence[str]) -> "list[Artist]":
    """The handles of a legend."""
    from matplotlib.patches import Patch

    return [Patch(color=color, label=student.title) for student, color in zip(students, colors, strict=True)]
