"""Scores by difficulty, 1 to 10, and on the easy and the hard half: where a model's strength ends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evolray.board.drawing.series import (
    Entry,
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
from evolray.report.drawing.style import FONTS, INK, SOFT, look, mark, new_figure, nothing, plain, shorten

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Scores by difficulty"
CAPTION = "Bars are scores, thin lines 95 % intervals; below each group, how many judgements there are of it."
LEVELS, HALVES = "difficulty", "split"
MOST_GROUPS = 12


def caption(results: Mapping[str, Entry]) -> str:
    line = f" The dark line is {baseline_of(results)}, which has 100 %." if is_relative(results) else ""
    return CAPTION + line


def alt(results: Mapping[str, Entry]) -> str:
    unit, each = unit_of(results), []
    for model, entry in _shown(results).items():
        groups = by_group(entry, HALVES) or by_group(entry, LEVELS)
        scores = ", ".join(f"{name} {in_words(one.score, unit)}" for name, one in groups.items())
        each.append(f"{model}: {scores}")
    return f"Scores by difficulty. {'; '.join(each)}."


def draw(results: Mapping[str, Entry], order: Sequence[str] = ()) -> "Figure":
    """A panel for the levels and one for the halves, with a bar per model in each group."""
    shown = _shown(results)
    panels = {kind: _groups(shown, kind) for kind in (LEVELS, HALVES)}
    panels = {kind: groups for kind, groups in panels.items() if groups}
    if not panels:
        return nothing(TITLE, "There are no scores by difficulty.")
    with look():
        figure = new_figure(3.7, TITLE)
        at = places([*shown], order)
        widths = [max(len(groups), 2.6) for groups in panels.values()]
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True, width_ratios=widths)[0]
        for ax, (kind, groups) in zip(axes, panels.items(), strict=True):
            _draw_panel(ax, shown, at, kind, groups)
        axes[0].set_ylabel("score, %" if unit_of(results) == "%" else "score, of 10")
        add_key(figure, _key(at, results))
        every = sum(_has(entry) for entry in results.values())
        return mark(figure, remark(results, len(shown), every))


def _has(entry: Entry) -> bool:
    return has_groups({"": entry}, LEVELS) or has_groups({"": entry}, HALVES)


def _shown(results: Mapping[str, Entry]) -> dict[str, Entry]:
    return chosen(results, _has)


def _groups(results: Mapping[str, Entry], kind: str) -> dict[str, int]:
    """Numbers in their order, names as they come; with how many were judged."""
    totals: dict[str, int] = {}
    for entry in results.values():
        for name, value in by_group(entry, kind).items():
            totals[name] = max(totals.get(name, 0), value.total)
    if all(name.isdecimal() for name in totals):
        totals = dict(sorted(totals.items(), key=lambda pair: int(pair[0])))
    return dict([*totals.items()][:MOST_GROUPS])


def _draw_panel(
    ax: "Axes", results: Mapping[str, Entry], places: Mapping[str, int], kind: str, groups: Mapping[str, int]
) -> None:
    width = 0.82 / len(results)
    for at, (model, entry) in enumerate(results.items()):
        values = by_group(entry, kind)
        for place, name in enumerate(groups):
            if value := values.get(name):
                x = place + (at - (len(results) - 1) / 2) * width
                ax.bar(x, value.score, width=0.9 * width, color=color(places[model]))
                if value.high > value.low:
                    ax.vlines(x, value.low, value.high, color=INK, linewidth=0.9)
    if is_relative(results):
        ax.axhline(100, color=INK, linewidth=1.2)
    labels = [f"{_brief(name)}\n{total or ''}" for name, total in groups.items()]
    ax.set_xticks(range(len(groups)), labels, fontsize=FONTS - 1)
    ax.set_xlim(-0.6, len(groups) - 0.4)
    if kind == LEVELS:
        ax.set_xlabel("difficulty, and how many")
    plain(ax, grid="y")
    for label in ax.get_yticklabels():
        label.set_color(SOFT)


def _brief(name: str) -> str:
    """`easy (1-7)` on two lines."""
    return shorten(name, 16).replace(" (", "\n(")


def _key(places: Mapping[str, int], results: Mapping[str, Entry]) -> "Sequence[Artist]":
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=color(at), label=model_name(model)) for model, at in places.items()]
    if is_relative(results):
        handles.append(Line2D([], [], color=INK, linewidth=1.2, label=baseline_of(results)))
    return handles
