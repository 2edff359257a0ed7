"""How often each model wins against the baseline, ties with it and loses."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evolray.board.drawing.series import Entry, add_key, baseline_of, chosen, model_name, remark
from evolray.board.rows import count
from evolray.report.drawing.style import BLUE, FONTS, GREY, INK, ORANGE, SOFT, look, mark, new_figure, nothing, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Wins, ties and losses"
MOST_MODELS = 20
NARROW = 4.5  # percent of a bar, below which a number has no room
KINDS = (("wins", "win", BLUE, "white"), ("ties", "tie", GREY, INK), ("losses", "loss", ORANGE, "white"))


def caption(results: Mapping[str, Entry]) -> str:
    return (
        f"Comparisons with {baseline_of(results)}, from the model's side. At the right the win rate, in which a tie is "
        "half a win."
    )


def alt(results: Mapping[str, Entry]) -> str:
    each = (
        f"{model}: {wins} wins, {ties} ties, {losses} losses"
        for model, (wins, ties, losses) in ((model, counts(entry)) for model, entry in _shown(results).items())
    )
    return f"{'; '.join(each)}."


def counts(entry: Entry) -> tuple[int, int, int]:
    wins, ties, losses = (count(entry.get(name)) or 0 for name, *_ in KINDS)
    return wins, ties, losses


def win_rate(entry: Entry) -> float:
    wins, ties, losses = counts(entry)
    return 100 * (wins + ties / 2) / max(wins + ties + losses, 1)


def has_outcomes(entry: Entry) -> bool:
    return sum(counts(entry)) > 0


def draw(results: Mapping[str, Entry]) -> "Figure":
    """A bar per model, the one that wins most on top."""
    shown = sorted(_shown(results).items(), key=lambda pair: -win_rate(pair[1]))
    if not shown:
        return nothing(TITLE, "Nothing was compared with a baseline.")
    with look():
        figure = new_figure(1.25 + 0.36 * len(shown), f"{TITLE} against {baseline_of(results)}")
        ax = figure.subplots()
        for at, (_, entry) in enumerate(shown):
            _draw_bar(ax, at, entry)
        ax.set_yticks(range(len(shown)), [model_name(model) for model, _ in shown])
        ax.set_ylim(len(shown) - 0.45, -0.75)
        ax.set_xlim(0, 100)
        ax.set_xticks([])
        ax.text(101.5, -0.62, "win rate", fontsize=FONTS - 1, color=SOFT, va="center")
        plain(ax)
        _key(figure)
        return mark(figure, remark(results, len(shown), sum(map(has_outcomes, results.values()))))


def _shown(results: Mapping[str, Entry]) -> dict[str, Entry]:
    return chosen(results, has_outcomes, MOST_MODELS)


def _draw_bar(ax: "Axes", at: int, entry: Entry) -> None:
    left, numbers = 0.0, counts(entry)
    for number, (_, _, fill, ink) in zip(numbers, KINDS, strict=True):
        share = 100 * number / sum(numbers)
        ax.barh(at, share, left=left, height=0.66, color=fill)
        if share >= NARROW:
            ax.text(left + share / 2, at, f"{number:,}", ha="center", va="center", color=ink, fontsize=FONTS - 1)
        left += share
    ax.annotate(
        f"{win_rate(entry):.1f} %", (1.015, at), xycoords=("axes fraction", "data"), va="center", fontweight="bold"
    )


def _key(figure: "Figure") -> None:
    from matplotlib.patches import Patch

    add_key(figure, [Patch(color=fill, label=name) for _, name, fill, _ in KINDS])
