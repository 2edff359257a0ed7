"""The accounts of an evolve run as flows: what became of the roots in each generation, and of what each operator made.

Every root goes through every generation. What it becomes there is kept (a child), eliminated by a reason or failed; in
the last two cases its parent is tried again in the next generation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evolray.records import SEED
from evolray.report.drawing.ribbons import Column, Stratum, draw_flow
from evolray.report.drawing.style import COLORS, GREY, INK, brief, compact, first_of, look, new_figure, nothing, shorten
from evolray.report.drawing.style import FAILED as FAILED_COLOR
from evolray.report.drawing.style import KEPT as KEPT_COLOR
from evolray.report.numbers.evolved import FAILED, KEPT, EvolveNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "What became of the instructions"
CAPTION = (
    "Every root goes through every generation. Where its child is eliminated or fails, the parent goes on and is "
    "tried again in the next generation. A ribbon is as wide as the roots, or instructions, that took that way."
)
OTHER, OTHER_OPERATORS = "other reasons", "other operators"
MOST_REASONS = 6  # with a colour of their own
MOST_GENERATIONS = 8
MOST_OPERATORS = 9
MOST_WITH_WORDS = 6  # columns that have room for words above and below


def draw(run: EvolveNumbers) -> "Figure":
    """Above: roots through the generations. Below: from operators to fates, all generations together."""
    generations = run.generations[: MOST_GENERATIONS + 1]
    if not generations:
        return nothing(TITLE, "No shard of this run is finished yet.")
    with look():
        height = 3.4 if not any(generations) else 6.9
        figure = new_figure(height, first_of(TITLE, len(generations) - 1, len(run.generations) - 1))
        axes = figure.subplots(2 if any(generations) else 1, 1, squeeze=False)[:, 0]
        _draw_generations(axes[0], run, generations)
        if any(generations):
            _draw_operators(axes[1], run)
        return figure


def alt(run: EvolveNumbers) -> str:
    each = (
        f"generation {generation}: {run.count(KEPT, generation):,} kept, "
        f"{run.count('eliminated', generation):,} eliminated, {run.count(FAILED, generation):,} failed"
        for generation in run.generations
    )
    return f"{'; '.join(each)}."


def fates(run: EvolveNumbers) -> dict[str, str]:
    """Kept, the reasons from the most frequent to the least, failed: each with its colour."""
    reasons = list(run.eliminated())
    colors = {KEPT: KEPT_COLOR}
    colors.update(zip(reasons[:MOST_REASONS], COLORS[1:], strict=False))
    if len(reasons) > MOST_REASONS:
        colors[OTHER] = GREY
    return {**colors, FAILED: FAILED_COLOR}


def _fate(fates: Mapping[str, str], fate: str, why: str) -> str:
    if fate != "eliminated":
        return fate
    return why if why in fates else OTHER


def _draw_generations(ax: "Axes", run: EvolveNumbers, generations: Sequence[int]) -> None:
    colors = fates(run)
    columns = []
    for generation in generations:
        numbers = Counter[str]()
        for (g, _, fate, why), number in run.accounts.outcomes.items():
            if g == generation:
                numbers[_fate(colors, fate, why)] += number
        last = generation == generations[-1]
        strata = (Stratum(key, numbers[key], color, _label(key, numbers[key], last)) for key, color in colors.items())
        title = (
            "seeds"
            if generation == 0
            else f"generation {generation}"
            if len(generations) <= MOST_WITH_WORDS
            else str(generation)
        )
        gone = sum(numbers.values()) - numbers[KEPT] - numbers[FAILED]
        columns.append(Column(tuple(strata), title, _note(gone, generation, len(generations))))
    ribbons: Counter[tuple[int, str, str]] = Counter()
    for (generation, before, after), number in run.steps.items():
        if generation in generations[:-1]:
            at = generations.index(generation)
            ribbons[at, _named(colors, before), _named(colors, after)] += number
    draw_flow(ax, columns, ribbons, thickness=0.035 * max(len(columns), 3) / 3)
    ax.set_xlim(-0.12, len(columns) - 1 + 0.3 * max(len(columns) - 1, 1))


def _named(colors: Mapping[str, str], fate: str) -> str:
    return fate if fate in colors else OTHER


def _note(gone: int, generation: int, columns: int) -> str:
    """Below a generation: how many were eliminated. Where columns are narrow, the word stands below the seeds."""
    if columns <= MOST_WITH_WORDS:
        return f"{compact(gone)} eliminated" if generation else ""
    return compact(gone) if generation else "eliminated"


def _label(key: str, number: int, in_full: bool) -> str:
    """Names only beside the last column."""
    return f"{shorten(brief(key))}  {compact(number)}" if in_full else compact(number) if key == KEPT else ""


def _draw_operators(ax: "Axes", run: EvolveNumbers) -> None:
    colors = fates(run)
    frequent = list(run.made())[:MOST_OPERATORS]
    pairs: Counter[tuple[str, str]] = Counter()
    for (_, operator, fate, why), number in run.accounts.outcomes.items():
        if operator != SEED:
            pairs[operator if operator in frequent else OTHER_OPERATORS, _fate(colors, fate, why)] += number
    made, ended = Counter[str](), Counter[str]()
    for (operator, ending), number in pairs.items():
        made[operator] += number
        ended[ending] += number
    names = [name for name in (*frequent, OTHER_OPERATORS) if name in made]
    total = sum(made.values()) or 1
    left = (Stratum(name, made[name], "#8c95a0", f"{shorten(brief(name))}  {compact(made[name])}") for name in names)
    right = (
        Stratum(key, ended[key], color, f"{_label(key, ended[key], True)}  ({100 * ended[key] / total:.1f} %)")
        for key, color in colors.items()
    )
    columns = (Column(tuple(left), "operator", labels_left=True), Column(tuple(right), "fate"))
    draw_flow(ax, columns, {(0, operator, fate): number for (operator, fate), number in pairs.items()}, thickness=0.03)
    ax.set_xlim(-0.62, 1.75)
    ax.text(0.5, -0.035, "all generations", ha="center", va="bottom", color=INK, alpha=0.7)
