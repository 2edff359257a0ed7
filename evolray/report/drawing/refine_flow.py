"""From what came into a refine run to the mix: what each step dropped, and why."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolray.report.drawing.ribbons import Column, Stratum, draw_flow
from evolray.report.drawing.style import (
    BLUE,
    GREY,
    ORANGE,
    PINK,
    SKY,
    YELLOW,
    brief,
    compact,
    joined,
    look,
    new_figure,
    nothing,
    shorten,
)  # fmt: skip
from evolray.report.numbers.refined import RefineNumbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "From what came in to the mix"
CAPTION = "Sources on the left, the mix on the right; what a step drops ends there. Every drop has one reason."
IN = "still in"
OTHERS = "other sources"
MOST_SOURCES = 7
LEFT = ("#5c6b7a", "#8795a3", "#b0bac4")  # sources, one shade after the other
FILTERS = (
    "generation", "operator", "domain", "no_response", "too_short", "too_long", "unjudged", "too_easy", "too_hard",
)  # fmt: skip
# Steps in their order, and the reasons that are theirs; a reason that is of none is a filter's.
STEPS = {
    "duplicates": {"exact_duplicate": YELLOW, "near_duplicate": "#f0c75e"},
    "leaks": {"leak": ORANGE},
    "filters": dict.fromkeys(FILTERS, PINK),
    "budget": {"over_budget": GREY},
}


def draw(run: RefineNumbers) -> "Figure":
    """A column per step that dropped something; what a step drops ends there."""
    if not run.records:
        return nothing(TITLE, "No record came into this run yet.")
    if run.mix + run.drops.total() != run.records:
        return nothing(TITLE, "This run is not finished: what each step dropped is not known yet.")
    with look():
        figure = new_figure(3.7, TITLE)
        columns, ribbons = _columns(run)
        draw_flow(figure.subplots(), columns, ribbons, thickness=0.014 * (len(columns) + 1))
        across = len(columns) - 1
        figure.axes[0].set_xlim(-0.24 * across, 1.26 * across)
        return figure


def alt(run: RefineNumbers) -> str:
    gone = [f"{brief(name)} {number:,}" for step in reasons(run).values() for name, number in step.items()]
    return f"{run.records:,} records came in, {run.mix:,} are in the mix. Dropped: {joined(gone) or 'none'}."


def reasons(run: RefineNumbers) -> dict[str, dict[str, int]]:
    """step -> reason -> records, of what occurs, in order."""
    counts: Counter[str] = Counter()
    for (_, reason), number in run.drops.items():
        counts[reason] += number
    known = {reason for step in STEPS.values() for reason in step}
    found = {}
    for step, own in STEPS.items():
        names = [*own, *(sorted(set(counts) - known) if step == "filters" else ())]
        if any(counts[name] for name in names):
            found[step] = {name: counts[name] for name in names if counts[name]}
    return found


def _columns(run: RefineNumbers) -> tuple[list[Column], Counter[tuple[int, str, str]]]:
    steps = reasons(run)
    came = run.before.get("source", Counter())
    names = sorted(came, key=lambda name: (-came[name], name))
    others = names[MOST_SOURCES:]
    columns = [_sources(came, names[:MOST_SOURCES], others)]
    ribbons: Counter[tuple[int, str, str]] = Counter()
    if not steps:
        steps = {"mix": {}}
    left = run.records
    for at, (step, dropped) in enumerate(steps.items()):
        left -= sum(dropped.values())
        for source, reason, number in _moves(run, at, dropped, names, others, left):
            ribbons[at, source, reason] += number
        last = at == len(steps) - 1
        name = f"in the mix  {compact(left)}" if last else compact(left)
        strata = [Stratum(IN, left, BLUE, name)]
        strata += [
            Stratum(reason, number, _color(step, reason), f"{shorten(brief(reason))}  {compact(number)}")
            for reason, number in dropped.items()
        ]
        columns.append(Column(tuple(strata), step, has_main=True))
    return columns, ribbons


def _sources(came: Counter[str], names: Sequence[str], others: Sequence[str]) -> Column:
    sizes = {name: came[name] for name in names}
    if others:
        sizes[OTHERS] = sum(came[name] for name in others)
    strata = (
        Stratum(name, size, LEFT[at % len(LEFT)], f"{shorten(name, 20)}  {compact(size)}")
        for at, (name, size) in enumerate(sizes.items())
    )
    return Column(tuple(strata), f"came in: {compact(came.total())}", labels_left=True)


def _moves(
    run: RefineNumbers, at: int, dropped: dict[str, int], names: Sequence[str], others: Sequence[str], left: int
) -> list[tuple[str, str, int]]:
    """What leaves which stratum of the column before: by source from the first, from those still in later on."""
    if at:
        return [(IN, IN, left), *((IN, reason, number) for reason, number in dropped.items())]
    moves = []
    for name in names:
        shown = OTHERS if name in others else name
        gone = {reason: run.drops[name, reason] for reason in dropped}
        moves.append((shown, IN, run.before["source"][name] - sum(gone.values())))
        moves += [(shown, reason, number) for reason, number in gone.items()]
    return moves


def _color(step: str, reason: str) -> str:
    return STEPS[step].get(reason, SKY)
