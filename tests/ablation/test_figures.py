"""What the figures are drawn from, and that they are drawn."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from evolray.ablation.drawing import curves, groups
from evolray.ablation.drawing.colors import colors_of
from evolray.ablation.figures import to_png
from evolray.ablation.scores import Score
from evolray.ablation.students import Checkpoint, Student


def student(generations: int, *scores: Score, tokens: int = 1000) -> Student:
    half = tuple(Score(one.benchmark, one.title, one.group, one.score / 2, unit=one.unit) for one in scores)
    checkpoints = (Checkpoint(50, tokens // 2, half, ()), Checkpoint(100, tokens, scores, ()))
    return Student(generations, "complete", 40, tokens, 100, 0.5, checkpoints)


def score(value: float, group: str = "", benchmark: str = "gsm8k", unit: str = "%") -> Score:
    return Score(benchmark, benchmark.upper(), group, value, value - 2, value + 2, total=50, unit=unit)


GROUPED = [
    student(0, score(30), score(60, "1 step"), score(0, "2 steps")),
    student(3, score(80), score(90, "1 step"), score(70, "2 steps")),
]


def test_groups_come_first_and_then_all() -> None:
    (panel,) = groups.panels_of(GROUPED)
    assert (panel.title, panel.unit, panel.names) == ("GSM8K", "%", ("1 step", "2 steps", "all"))


def test_benchmarks_without_groups_share_a_panel_per_unit() -> None:
    plain = [score(50, benchmark="mbpp"), score(6, benchmark="mt_bench", unit="of 10"), score(40, benchmark="mmlu")]
    panels = groups.panels_of([student(0, *GROUPED[0].checkpoints[1].scores, *plain)])
    assert [(panel.title, panel.unit, panel.names) for panel in panels] == [
        ("GSM8K", "%", ("1 step", "2 steps", "all")), ("", "%", ("MBPP", "MMLU")), ("", "of 10", ("MT_BENCH",)),
    ]  # fmt: skip


def test_what_a_figure_shows_is_said_in_words() -> None:
    assert groups.alt(GROUPED) == (
        "Held-out scores by group. seeds only: 1 step 60.0 %, 2 steps 0.0 %, all 30.0 %; 3 generations: 1 step 90.0 %, "
        "2 steps 70.0 %, all 80.0 %."
    )
    assert curves.alt(GROUPED[1:]) == (
        "Held-out scores over the training. GSM8K, 3 generations: 40.0 % after 500 tokens, 80.0 % after 1,000 tokens."
    )


def test_the_bars_are_as_high_as_the_scores() -> None:
    figure = groups.draw(GROUPED)
    heights = [bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert heights == [60, 0, 30, 90, 70, 80]
    assert [text.get_text() for text in figure.axes[0].texts] == ["60", "0", "30", "90", "70", "80"]


def test_the_lines_go_through_all_checkpoints() -> None:
    figure = curves.draw(GROUPED)
    assert [np.asarray(line.get_xydata()).tolist() for line in figure.axes[0].lines] == [
        [[500, 15], [1000, 30]], [[500, 40], [1000, 80]],
    ]  # fmt: skip


def test_colours_darken_with_the_generations() -> None:
    seeds, *blues = colors_of([student(one) for one in (0, 1, 2, 3)])
    assert seeds == "#b4bac2"
    lightness = [sum(mpl.colors.to_rgb(one)) for one in blues]
    assert lightness == sorted(lightness, reverse=True) and len({*blues}) == 3


@pytest.mark.parametrize("draw", [groups.draw, curves.draw])
def test_the_same_students_give_the_same_picture_and_none_give_the_reason(draw: object) -> None:
    assert callable(draw)
    assert to_png(draw(GROUPED)) == to_png(draw(GROUPED))
    empty = draw([Student(0, "waiting")])
    assert "No checkpoint has been evaluated yet." in [text.get_text() for text in empty.texts]
