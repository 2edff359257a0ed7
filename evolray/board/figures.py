"""The figures of a leaderboard, for its page and for notebooks.

    from evolray.board.figures import radar, scores_bars

    results = {name: json.loads(Path(f"runs/{name}/scores.json").read_text()) for name in ("13b", "30b")}
    scores_bars(results)
    radar({name: scores["wizard_eval"] for name, scores in results.items()})

They take what scores.json says, by model: of one benchmark, or `scores_bars` of all. Each returns a matplotlib Figure,
which a notebook shows; nothing is written, and pyplot is left alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evolray.board.drawing import difficulty as fig_difficulty
from evolray.board.drawing import outcomes as fig_outcomes
from evolray.board.drawing import radar as fig_radar
from evolray.board.drawing import scores as fig_scores
from evolray.board.drawing.series import has_groups
from evolray.board.table import Table
from evolray.report.drawing.style import to_png, to_svg
from evolray.report.figures import FigureEntry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FigureEntry", "difficulty_bars", "figures", "radar", "scores_bars", "to_png", "to_svg", "win_tie_loss",
]  # fmt: skip

KINDS = ("skill", "category")

Entry = Mapping[str, Any]


def radar(results: Mapping[str, Entry], by: str | None = None) -> "Figure":
    """Models side by side, a spoke per group. `by`: the groups, for example "skill"; None: those the results have."""
    return fig_radar.draw(results, by or _kind(results))


def difficulty_bars(results: Mapping[str, Entry]) -> "Figure":
    """Scores by difficulty 1 to 10, and on the easy and the hard half."""
    return fig_difficulty.draw(results)


def win_tie_loss(results: Mapping[str, Entry]) -> "Figure":
    """Comparisons with the baseline that each model won, that ended in a tie, that it lost."""
    return fig_outcomes.draw(results)


def scores_bars(results: Mapping[str, Mapping[str, Entry]]) -> "Figure":
    """A panel per benchmark; `results`: by model, all that its scores.json says."""
    panels: dict[str, dict[str, Entry]] = {}
    for model, scores in results.items():
        for benchmark, entry in scores.items():
            panels.setdefault(str(entry.get("title", benchmark)), {})[model] = entry
    return fig_scores.draw(panels, list(results))


def figures(table: Table) -> dict[str, FigureEntry]:
    """All that the results have data for, by name, in the order in which a page shows them."""
    found = {"scores": _overview(table)}
    names: set[str] = set()
    for column in table.columns:
        results = {line.name: line.cells[column.title].entry for line in table.lines if column.title in line.cells}
        name = _unused(column.benchmark, names)
        for part, entry in _of_column(column.title, results, [line.name for line in table.lines]):
            found[f"{part}-{name}"] = entry
    return found


def _overview(table: Table) -> FigureEntry:
    panels = {
        column.title: {line.name: line.cells[column.title].entry for line in table.lines if column.title in line.cells}
        for column in table.columns
    }
    figure = fig_scores.draw(panels, [line.name for line in table.lines])
    return FigureEntry(fig_scores.TITLE, fig_scores.CAPTION, fig_scores.alt(panels), figure)


def _of_column(title: str, results: Mapping[str, Entry], order: Sequence[str]) -> Iterator[tuple[str, FigureEntry]]:
    kind = _kind(results)
    drawn = []
    if has_groups(results, kind):
        words = (fig_radar.title(kind), fig_radar.caption(results, kind), fig_radar.alt(results, kind))
        drawn.append(("radar", words, fig_radar.draw(results, kind, order)))
    if has_groups(results, fig_difficulty.LEVELS) or has_groups(results, fig_difficulty.HALVES):
        words = (fig_difficulty.TITLE, fig_difficulty.caption(results), fig_difficulty.alt(results))
        drawn.append(("difficulty", words, fig_difficulty.draw(results, order)))
    if any(map(fig_outcomes.has_outcomes, results.values())):
        words = (fig_outcomes.TITLE, fig_outcomes.caption(results), fig_outcomes.alt(results))
        drawn.append(("outcomes", words, win_tie_loss(results)))
    for part, (what, caption, alt), figure in drawn:
        yield part, FigureEntry(f"{title}: {what.lower()}", caption, alt, figure)


def _kind(results: Mapping[str, Entry]) -> str:
    return next((kind for kind in KINDS if has_groups(results, kind)), KINDS[0])


def _unused(benchmark: str, names: set[str]) -> str:
    """For a file's name and an element's id: letters, digits and - alone."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", benchmark)[:40].strip("-") or "benchmark"
    number, name = 1, plain
    while name in names:
        number += 1
        name = f"{plain}-{number}"
    names.add(name)
    return name
