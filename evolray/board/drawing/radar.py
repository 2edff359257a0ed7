"""Several models by skill or by category, a spoke each: the figure of WizardLM's paper, and of MT-Bench's."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evolray.board.drawing.series import (
    MARKERS,
    STYLES,
    Entry,
    Value,
    add_key,
    baseline_of,
    by_group,
    chosen,
    color,
    has_groups,
    in_words,
    is_relative,
    model_name,
    places,
    remark,
    unit_of,
)
from evolray.report.drawing.style import (
    FONTS,
    INK,
    SOFT,
    look,
    mark,
    new_figure,
    nothing,
    shorten,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

FEWEST, MOST_SPOKES, MANY_SPOKES = 3, 36, 12
CAPTION = "A spoke per {kind}, with how many judgements there are of it; few of them make a spoke that says little."
RING = " The dark ring is {baseline}, which has 100 %."


def title(kind: str) -> str:
    return f"Scores by {kind}"


def caption(results: Mapping[str, Entry], kind: str) -> str:
    return CAPTION.format(kind=kind) + (RING.format(baseline=baseline_of(results)) if is_relative(results) else "")


def alt(results: Mapping[str, Entry], kind: str) -> str:
    """Where each model is at its best and at its worst."""
    each = []
    for model, entry in _shown(results, kind).items():
        values = by_group(entry, kind)
        best, worst = max(values, key=lambda name: values[name].score), min(values, key=lambda name: values[name].score)
        unit = unit_of(results)
        each.append(
            f"{model}: most in {best} ({in_words(values[best].score, unit)}), "
            f"least in {worst} ({in_words(values[worst].score, unit)})"
        )
    return f"Scores by {kind}. {'; '.join(each)}."


def draw(results: Mapping[str, Entry], kind: str, order: Sequence[str] = ()) -> "Figure":
    shown = _shown(results, kind)
    spokes = _spokes(shown, kind)
    if len(spokes) < FEWEST:
        return nothing(title(kind), f"There are fewer than {FEWEST} of this kind to draw.")
    with look():
        is_wide = len(spokes) > MANY_SPOKES
        figure = new_figure(6.6 if is_wide else 5.0, title(kind))
        ax: PolarAxes = figure.add_subplot(projection="polar")  # type: ignore[assignment]
        angles = [2 * math.pi * at / len(spokes) for at in range(len(spokes))]
        handles = [
            _line(ax, angles, [by_group(shown[model], kind).get(name) for name in spokes], at, model)
            for model, at in places([*shown], order).items()
        ]
        _rings(ax, len(spokes), results, [one for entry in shown.values() for one in by_group(entry, kind).values()])
        _name_spokes(ax, angles, spokes, FONTS - 1 if is_wide else FONTS)
        if is_relative(results):
            handles.append(_baseline(ax, results))
        add_key(figure, handles)
        every = sum(bool(by_group(entry, kind)) for entry in results.values())
        return mark(figure, remark(results, len(shown), every))


def _shown(results: Mapping[str, Entry], kind: str) -> dict[str, Entry]:
    return chosen(results, lambda entry: has_groups({"": entry}, kind))


def _spokes(results: Mapping[str, Entry], kind: str) -> dict[str, int]:
    """Names with how many were judged, the most frequent first; those beyond MOST_SPOKES are left out.

    Of equals, in the order of the file.
    """
    totals: dict[str, int] = {}
    for entry in results.values():
        for name, value in by_group(entry, kind).items():
            totals[name] = max(totals.get(name, 0), value.total)
    return dict(sorted(totals.items(), key=lambda pair: -pair[1])[:MOST_SPOKES])


def _line(ax: "PolarAxes", angles: Sequence[float], values: Sequence[Value | None], at: int, model: str) -> "Artist":
    """Closed where it has a value on every spoke, and broken where it has none."""
    radii = [math.nan if value is None else max(value.score, 0.0) for value in values]
    (line,) = ax.plot(
        [*angles, angles[0]], [*radii, radii[0]], color=color(at), linewidth=1.8, linestyle=STYLES[at % len(STYLES)],
        marker=MARKERS[at % len(MARKERS)], markersize=4, label=model_name(model), zorder=4, clip_on=False,
    )  # fmt: skip
    return line


def _rings(ax: "PolarAxes", spokes: int, results: Mapping[str, Entry], values: Sequence[Value]) -> None:
    """From 0, so that a length is a score."""
    unit = unit_of(results)
    highest = max((value.score for value in values), default=0.0)
    least = 10.0 if unit != "%" else 100.0
    most = max(highest, least)
    step = 2.0 if unit != "%" and most <= 10 else 20.0
    while most / step > 8:
        step *= 2
    rings = [step * ring for ring in range(1, math.ceil(most / step - 1e-9) + 1)]
    ax.set_ylim(0, rings[-1])
    ax.set_yticks(rings, [""] * len(rings))
    beside = math.pi / max(spokes, 1)  # between the first spoke and the second
    for ring in rings:
        text = f"{ring:g} %" if unit == "%" else f"{ring:g}"
        ground = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
        ax.text(beside, ring, text, fontsize=FONTS - 2, color=SOFT, ha="center", va="center", zorder=5, bbox=ground)
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.spines["polar"].set_visible(False)


def _name_spokes(ax: "PolarAxes", angles: Sequence[float], spokes: Mapping[str, int], size: float) -> None:
    """Beside the circle, towards the side on which they stand; farther out near the poles, where they lie close."""
    ax.set_xticks(angles, [""] * len(angles))
    for (name, total), angle in zip(spokes.items(), angles, strict=True):
        side, height = math.sin(angle), math.cos(angle)
        text = f"{shorten(name, 22)} ({total})" if total else shorten(name, 22)
        ax.text(
            angle, ax.get_ylim()[1] * (1.04 + 0.09 * height**8), text, fontsize=size, color=INK, va="center",
            ha="center" if abs(side) < 0.1 else "left" if side > 0 else "right",
        )  # fmt: skip


def _baseline(ax: "PolarAxes", results: Mapping[str, Entry]) -> "Artist":
    turn = [2 * math.pi * at / 180 for at in range(181)]
    (ring,) = ax.plot(turn, [100.0] * len(turn), color=INK, linewidth=1.4, zorder=3, label=baseline_of(results))
    return ring
