"""Drawing of flows: columns of strata, and ribbons between them whose width is a number of records.

What both flow figures share: the one of an evolve run (generations, operators) and the one of a refine run (steps).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolray.report.drawing.style import FONTS, INK, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP, MAIN_GAP = 0.018, 0.045  # between strata, and below the first, as shares of the tallest column
THINNEST = 0.004  # what a stratum of one record among millions is drawn with
LABEL = 0.05  # the least distance between the middles of two strata, so that each has room for its label


@dataclass(frozen=True)
class Stratum:
    """One part of a column; `label` may be empty."""

    key: str
    value: int
    color: str
    label: str = ""


@dataclass(frozen=True)
class Column:
    """Strata from top to bottom; labels stand to their right, or to their left where `labels_left`."""

    strata: tuple[Stratum, ...]
    title: str = ""
    note: str = ""
    """Below the column."""
    labels_left: bool = False
    has_main: bool = False
    """The first stratum is what goes on; the others end here and stand apart, with room for their labels."""


Ribbons = Mapping[tuple[int, str, str], int]
"""(column it starts from, key there, key in the next column) -> records"""


@dataclass(frozen=True)
class _Place:
    top: float
    height: float
    color: str


def draw_flow(
    ax: "Axes", columns: Sequence[Column], ribbons: Ribbons, *, thickness: float = 0.05, label_size: float = FONTS - 1.5
) -> None:
    """Columns at x = 0, 1, ...; y runs downward from 0, and 1 is the tallest column without its gaps."""
    scale = max((sum(stratum.value for stratum in column.strata) for column in columns), default=0) or 1
    places = [_places(column, scale) for column in columns]
    for number, column in enumerate(columns):
        for stratum in column.strata:
            place = places[number][stratum.key]
            _bar(ax, number, place, thickness)
        _labels(ax, number, column, places[number], thickness, label_size)
        ax.text(number, -0.035, column.title, ha="center", va="bottom", fontsize=FONTS, fontweight="bold")
    _draw_ribbons(ax, columns, ribbons, places, scale, thickness)
    bottom = max([1.0, *(place.top + place.height for one in places for place in one.values())])
    for number, column in enumerate(columns):
        ax.text(number, bottom + 0.04, column.note, ha="center", va="top", fontsize=label_size, color=SOFT)
    ax.set_ylim(bottom + (0.1 if any(column.note for column in columns) else 0.02), -0.1)
    ax.set_axis_off()


def _places(column: Column, scale: int) -> dict[str, _Place]:
    places, free, middle = {}, 0.0, -LABEL
    for stratum in column.strata:
        height = max(stratum.value / scale, THINNEST if stratum.value else 0.0)
        top = max(free, middle + LABEL - height / 2) if height else free
        places[stratum.key] = _Place(top, height, stratum.color)
        if height:
            free = top + height + (MAIN_GAP if column.has_main and len(places) == 1 else GAP)
            middle = top + height / 2
    return places


def _bar(ax: "Axes", x: float, place: _Place, thickness: float) -> None:
    from matplotlib.patches import Rectangle

    corner = (x - thickness / 2, place.top)
    ax.add_patch(Rectangle(corner, thickness, place.height, facecolor=place.color, linewidth=0, zorder=3))


def _labels(
    ax: "Axes", x: float, column: Column, places: Mapping[str, _Place], thickness: float, label_size: float
) -> None:
    side = -1 if column.labels_left else 1
    for stratum in column.strata:
        if stratum.label and stratum.value:
            place = places[stratum.key]
            ax.text(
                x + side * (thickness / 2 + 0.03), place.top + place.height / 2, stratum.label, zorder=5,
                ha="right" if column.labels_left else "left", va="center", fontsize=label_size, color=INK,
            )  # fmt: skip


def _draw_ribbons(
    ax: "Axes",
    columns: Sequence[Column],
    ribbons: Ribbons,
    places: Sequence[Mapping[str, _Place]],
    scale: int,
    thickness: float,
) -> None:
    """Each leaves and arrives in the order of the strata at its other end, so that few of them cross."""
    for number in range(len(columns) - 1):
        before, after = ([stratum.key for stratum in column.strata] for column in columns[number : number + 2])
        left = {key: places[number][key].top for key in before}
        right = {key: places[number + 1][key].top for key in after}
        for start in before:
            for end in after:
                height = ribbons.get((number, start, end), 0) / scale
                if height:
                    color = places[number + 1][end].color
                    xs = (number + thickness / 2, number + 1 - thickness / 2)
                    _ribbon(ax, xs, (left[start], right[end]), height, color)
                    left[start] += height
                    right[end] += height


def _ribbon(ax: "Axes", xs: tuple[float, float], tops: tuple[float, float], height: float, color: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    (x0, x1), (y0, y1) = xs, tops
    middle = (x0 + x1) / 2
    points = [
        (x0, y0), (middle, y0), (middle, y1), (x1, y1),
        (x1, y1 + height), (middle, y1 + height), (middle, y0 + height), (x0, y0 + height), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    ax.add_patch(PathPatch(Path(points, codes), facecolor=color, alpha=0.32, linewidth=0, zorder=2))
