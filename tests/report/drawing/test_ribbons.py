from itertools import pairwise

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle

from evolray.report.drawing.ribbons import GAP, LABEL, MAIN_GAP, Column, Stratum, draw_flow


def drawn(columns: list[Column], ribbons: dict[tuple[int, str, str], int]) -> Axes:
    ax = Figure().subplots()
    draw_flow(ax, columns, ribbons)
    return ax


def bars(ax: Axes) -> list[tuple[float, float]]:
    """(top, height) of each stratum."""
    return [(bar.get_y(), bar.get_height()) for bar in ax.patches if isinstance(bar, Rectangle)]


def ribbons_of(ax: Axes) -> list[tuple[float, float, float]]:
    """(top at the left, top at the right, height) of each ribbon."""
    found = []
    for patch in ax.patches:
        if isinstance(patch, PathPatch):
            points = patch.get_path().vertices
            found.append((float(points[0][1]), float(points[3][1]), float(points[4][1] - points[3][1])))
    return found


def column(*values: int, **others: bool) -> Column:
    return Column(tuple(Stratum(f"s{at}", value, "#000000", f"{value}") for at, value in enumerate(values)), **others)


def test_heights_are_shares_of_the_tallest_column() -> None:
    assert bars(drawn([column(60, 40), column(50)], {})) == [(0, 0.6), (pytest.approx(0.6 + GAP), 0.4), (0, 0.5)]


def test_ribbons_fill_what_they_leave_and_where_they_arrive() -> None:
    ax = drawn([column(60, 40), column(70, 30)], {(0, "s0", "s0"): 60, (0, "s1", "s0"): 10, (0, "s1", "s1"): 30})
    second = pytest.approx(0.6 + GAP)
    assert ribbons_of(ax) == [
        (0, 0, pytest.approx(0.6)),
        (second, pytest.approx(0.6), pytest.approx(0.1)),
        (pytest.approx(0.7 + GAP), pytest.approx(0.7 + GAP), pytest.approx(0.3)),
    ]


def test_thin_strata_keep_room_for_their_labels() -> None:
    ax = drawn([column(10_000, 1, 1, 1)], {})
    middles = [top + height / 2 for top, height in bars(ax)][1:]
    assert all(b - a == pytest.approx(LABEL) for a, b in pairwise(middles))
    assert all(height > 0.003 for _, height in bars(ax)), "one of thousands must be seen"


def test_what_goes_on_stands_apart() -> None:
    (_, first), (top, _) = bars(drawn([column(50, 50, has_main=True)], {}))
    assert top - first == pytest.approx(MAIN_GAP)


def test_empty_strata_take_no_room() -> None:
    (_, first), _, (top, _) = bars(drawn([column(50, 0, 50)], {}))
    assert top - first == pytest.approx(GAP)
    assert [text.get_text() for text in drawn([column(5, 0)], {}).texts if text.get_text()] == ["5"]


def test_nothing_at_all() -> None:
    assert bars(drawn([column(0)], {})) == [(0, 0)]
