"""All scores at a glance: a panel per benchmark, a bar with its interval per model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evolray.board.drawing.series import Entry, Value, color, judge_remark, model_name, unit_of, value_of
from evolray.report.drawing.style import FONTS, INK, SOFT, look, mark, new_figure, nothing, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Scores by benchmark"
CAPTION = "Bars are scores, thin lines 95 % intervals. Every panel begins at 0; a dash is a benchmark without a result."
MOST_MODELS, MOST_PANELS, MOST_NAME = 12, 15, 32
LONG_NAME = 18  # characters, from which on there are two panels in a row, not three

Panels = Mapping[str, Mapping[str, Entry]]
"""By benchmark, the entries by model."""


def alt(panels: Panels) -> str:
    return " ".join(f"{name}: {', '.join(_said(some))}." for name, some in panels.items())


def draw(panels: Panels, models: Sequence[str]) -> "Figure":
    """`models`: all of them, from the first line to the last."""
    shown, drawn = list(models)[:MOST_MODELS], dict([*panels.items()][:MOST_PANELS])
    if not shown or not drawn:
        return nothing(TITLE, "There are no scores.")
    with look():
        names = [model_name(model, MOST_NAME) for model in shown]
        across = min(2 if max(map(len, names)) > LONG_NAME else 3, len(drawn))
        down = -(-len(drawn) // across)
        figure = new_figure(0.55 + down * (0.52 + 0.25 * len(shown)), TITLE)
        axes = figure.subplots(down, across, squeeze=False)
        for at, ax in enumerate(axes.flat):
            if at >= len(drawn):
                ax.set_axis_off()
                continue
            title, entries = [*drawn.items()][at]
            _draw_panel(ax, entries, shown)
            ax.set_title(_title(title), fontsize=FONTS, fontweight="normal")
            ax.set_yticks(range(len(shown)), [""] * len(shown) if at % across else names)
        return mark(figure, _remark(len(models), panels))


def _title(title: str) -> str:
    """What tells columns of one benchmark apart is on a line of its own."""
    name, _, rest = title.partition(" (")
    return f"{shorten(name, 32)}\n({shorten(rest, 34)}" if rest else shorten(name, 32)


def _remark(models: int, panels: Panels) -> str:
    parts = [f"the first {most} of {all_} {what}" for most, all_, what in (
        (MOST_MODELS, models, "models"), (MOST_PANELS, len(panels), "benchmarks"),
    ) if all_ > most]  # fmt: skip
    return ", ".join([*parts, *judge_remark(entry for some in panels.values() for entry in some.values())])


def _draw_panel(ax: "Axes", entries: Mapping[str, Entry], models: Sequence[str]) -> None:
    values = {model: value_of(entries.get(model)) for model in models}
    unit = unit_of(entries)
    most = max([value.high for value in values.values() if value] or [1.0]) or 1.0
    for at, (model, value) in enumerate(values.items()):
        if value is None:
            ax.text(0, at, " –", va="center", color=SOFT)
            continue
        ax.barh(at, value.score, height=0.66, color=color(models.index(model)))
        if value.high > value.low:
            ax.hlines(at, value.low, value.high, color=INK, linewidth=1.1)
        _write(ax, at, value, unit)
    ax.set_ylim(len(models) - 0.5, -0.5)
    ax.set_xlim(min(0.0, *(value.low for value in values.values() if value)) if any(values.values()) else 0, most * 1.3)
    ax.set_xticks([])
    plain(ax)


def _write(ax: "Axes", at: int, value: Value, unit: str) -> None:
    ax.annotate(
        f"{value.score:.1f}" if unit == "%" else f"{value.score:.2f}", (max(value.high, 0), at), xytext=(4, 0),
        textcoords="offset points", va="center", fontsize=FONTS - 1,
    )  # fmt: skip


def _said(entries: Mapping[str, Entry]) -> list[str]:
    unit = unit_of(entries)
    pairs = ((model, value_of(entry)) for model, entry in entries.items())
    return [f"{model} {one.score:.1f} %" if unit == "%" else f"{model} {one.score:.2f}" for model, one in pairs if one]
