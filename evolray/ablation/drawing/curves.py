"""Held-out scores over the tokens trained on: a line per student through its checkpoints, a panel per benchmark."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolray.ablation.drawing.colors import MARKERS, colors_of
from evolray.ablation.scores import Score
from evolray.ablation.students import Student
from evolray.report.drawing.style import compact, look, new_figure, nothing, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Held-out scores over the training"
CAPTION = (
    "Every checkpoint that was evaluated, by the tokens that it had been trained on, epochs adding up. Bands are 95 % "
    "intervals."
)
MOST_PANELS = 8
PANEL = 2.5  # inches

Points = list[tuple[int, Score]]
"""Tokens and score."""


def draw(students: Sequence[Student]) -> "Figure":
    benchmarks = benchmarks_of(students)
    if not benchmarks:
        return nothing(TITLE, "No checkpoint has been evaluated yet.")
    with look():
        shown = benchmarks[:MOST_PANELS]
        across = min(len(shown), 2)
        down = -(-len(shown) // across)
        figure = new_figure(0.9 + PANEL * down, TITLE)
        axes = figure.subplots(down, across, squeeze=False)
        for ax, benchmark in zip(axes.flat, shown, strict=False):
            _draw_panel(ax, benchmark, students)
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(students), 5))
        return figure


def alt(students: Sequence[Student]) -> str:
    parts = []
    for benchmark in benchmarks_of(students):
        for student in students:
            if points := points_of(student, benchmark):
                said = ", ".join(f"{score.text} after {compact(tokens)} tokens" for tokens, score in points)
                parts.append(f"{points[0][1].title}, {student.title}: {said}.")
    return " ".join([f"{TITLE}.", *parts])


def benchmarks_of(students: Sequence[Student]) -> list[str]:
    found = (score.benchmark for student in students for one in student.checkpoints for score in one.scores)
    return list(dict.fromkeys(found))


def points_of(student: Student, benchmark: str) -> Points:
    return [(one.tokens, score) for one in student.checkpoints if (score := one.score(benchmark))]


def _draw_panel(ax: "Axes", benchmark: str, students: Sequence[Student]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    example: Score | None = None
    for at, (student, color) in enumerate(zip(students, colors_of(students), strict=True)):
        points = points_of(student, benchmark)
        tokens, scores = [tokens for tokens, _ in points], [score.score for _, score in points]
        marker = MARKERS[at % len(MARKERS)]
        ax.plot(tokens, scores, color=color, marker=marker, markersize=5, linewidth=1.6, label=student.title)
        low = [score.score if score.low is None else score.low for _, score in points]
        high = [score.score if score.high is None else score.high for _, score in points]
        ax.fill_between(tokens, low, high, color=color, alpha=0.18, linewidth=0)
        example = points[0][1] if points else example
    if example:
        ax.set_title(shorten(example.title, 40))
        ax.set_ylabel(", ".join(filter(None, (shorten(example.metric, 24), example.unit))))
        if example.unit in ("%", "of 10"):
            most = 100 if example.unit == "%" else 10
            ax.set_ylim(-0.03 * most, 1.05 * most)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda tokens, _: compact(tokens)))
    ax.set_xlabel("tokens trained on")
    plain(ax, grid="y")
