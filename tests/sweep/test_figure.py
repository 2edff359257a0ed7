"""What is drawn, read back from the figure; that it looks well is for the eye."""

from collections.abc import Sequence

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from evolray.sweep.figure import figure, files
from evolray.sweep.rows import Row
from tests.sweep.places import judged, row


def curve(checkpoint: str, benchmark: str, scores: Sequence[float], **values: object) -> list[Row]:
    return [row(checkpoint, 100 * (n + 1), benchmark, score, **values) for n, score in enumerate(scores)]


def lines(ax: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """By label: the steps and scores of the lines that have intervals."""
    drawn = {}
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            line = container.lines[0]
            drawn[str(container.get_label())] = ([*map(float, line.get_xdata())], [*map(float, line.get_ydata())])
    return drawn


def legend(ax: Axes) -> list[str]:
    shown = ax.get_legend()
    assert shown is not None
    return [text.get_text() for text in shown.get_texts()]


def visible(made: Figure) -> list[Axes]:
    return [ax for ax in made.axes if ax.get_visible()]


def test_a_line_per_benchmark_with_the_best_marked() -> None:
    made = figure([*curve("tiny", "gsm8k", [10, 30, 20]), *curve("tiny", "mbpp", [5, 6, 7])])
    (ax,) = visible(made)
    assert legend(ax) == ["GSM8K (best 30.0 % at step 200)", "MBPP (best 7.0 % at step 300)"]
    drawn = lines(ax)
    steps, scores = drawn["GSM8K (best 30.0 % at step 200)"]
    assert scores == [10, 30, 20]
    assert steps == pytest.approx([97, 197, 297])  # a little aside, so that intervals do not cover each other
    rings = [line for line in ax.lines if line.get_fillstyle() == "none"]
    assert sorted(float(ring.get_ydata()[0]) for ring in rings) == [7, 30]


def test_the_intervals_are_those_of_the_rows() -> None:
    (ax,) = visible(figure(curve("tiny", "gsm8k", [10, 30])))
    (container,) = (one for one in ax.containers if isinstance(one, ErrorbarContainer))
    _, _, (bars,) = container.lines
    assert [(float(low[1]), float(high[1])) for low, high in bars.get_segments()] == [(5, 15), (25, 35)]


def test_failed_cells_leave_a_gap_and_nothing_else() -> None:
    rows = curve("tiny", "gsm8k", [10, 20, 30])
    rows[1] = row("tiny", 200, "gsm8k", None)
    (ax,) = visible(figure(rows))
    ((steps, scores),) = lines(ax).values()
    assert (steps, scores) == ([100, 300], [10, 30])


def test_many_lines_get_a_panel_per_benchmark() -> None:
    rows = [
        one
        for temperature in (0.0, 0.2, 0.4, 0.6)
        for benchmark in ("gsm8k", "mbpp")
        for one in curve("tiny", benchmark, [10, 20], settings={"sampling.temperature": temperature})
    ]
    panels = visible(figure(rows))
    assert [ax.get_title(loc="left") for ax in panels] == ["GSM8K", "MBPP"]
    assert [len(lines(ax)) for ax in panels] == [4, 4]
    colors = [[line.get_color() for line in ax.lines if line.get_marker() not in ("", "None", "o")] for ax in panels]
    assert colors[0] == colors[1]  # a setting has one colour in all panels


def test_eight_lines_can_be_told_apart() -> None:
    rows = [one for n in range(8) for one in curve("tiny", "gsm8k", [10 + n, 20 + n], settings={"limit": n})]
    (ax,) = visible(figure(rows))
    looks = {
        (container.lines[0].get_color(), container.lines[0].get_marker())
        for container in ax.containers
        if isinstance(container, ErrorbarContainer)
    }
    assert len(looks) == 8
    assert len(legend(ax)) == 8


def test_many_steps_have_bands() -> None:
    (ax,) = visible(figure(curve("tiny", "gsm8k", range(10, 40))))
    assert len(ax.collections) == 1
    assert len(ax.get_xticks()) <= 8


def test_a_checkpoint_without_steps_is_a_level_to_compare_with() -> None:
    rows = [*curve("tiny", "gsm8k", [10, 20]), row("llama", None, "gsm8k", 14.6)]
    (ax,) = visible(figure(rows))
    assert sorted(legend(ax)) == ["llama: 14.6 %", "tiny (best 20.0 % at step 200)"]


def test_a_single_step_is_a_point() -> None:
    (ax,) = visible(figure([row("tiny", 100, "gsm8k", 37.5)]))
    assert [*lines(ax).values()] == [([100], [37.5])]
    assert ax.get_xlim()[0] < 100 < ax.get_xlim()[1]


def test_without_steps_there_are_bars() -> None:
    rows = [row(name, None, benchmark, 50.0) for name in ("a", "b") for benchmark in ("gsm8k", "mbpp")]
    (ax,) = visible(figure(rows))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert len(ax.patches) == 4
    assert [text.get_text() for text in ax.texts] == ["50.0  best", "50.0", "50.0  best", "50.0"]


def test_bars_of_one_benchmark_name_it() -> None:
    (ax,) = visible(figure([row(name, None, "gsm8k", 50.0) for name in ("a", "b")]))
    assert ax.get_title(loc="left") == "GSM8K"


def test_last_steps_of_several_trainings_are_bars_too() -> None:
    (ax,) = visible(figure([row("a", 100, "gsm8k", 10.0), row("b", 300, "gsm8k", 20.0)]))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a, step 100", "b, step 300"]


@pytest.mark.parametrize("scores", [[0.0, 0.0], [100.0, 100.0], [50.0, 50.0]])
def test_everything_drawn_is_inside(scores: list[float]) -> None:
    (ax,) = visible(figure(curve("tiny", "gsm8k", scores)))
    low, high = ax.get_ylim()
    assert low < min(scores) and high > max(scores) and -2 <= low and high <= 102


@pytest.mark.parametrize("number", [1, 2, 4, 8])
def test_no_text_covers_another(number: int) -> None:
    rows = [
        one
        for n in range(number)
        for benchmark in ("gsm8k", "mbpp")
        for one in curve("a-rather-long-name-of-a-run", benchmark, [10, 20, 30], settings={"sampling.max_tokens": n})
    ]
    made = figure(rows)
    canvas = FigureCanvasAgg(made)
    canvas.draw()
    boxes = [ax.get_tightbbox(canvas.get_renderer()) for ax in visible(made)]
    assert all(0 <= box.x0 and box.x1 <= made.bbox.width and 0 <= box.y0 for box in boxes if box)
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :] if a and b)


def mixed(step: int | None) -> list[Row]:
    return [
        row("tiny", step, "gsm8k", 40.0),
        judged("tiny", step, "mt_bench", 6.4, "mean score"),
        judged("tiny", step, "wizard_eval", 136.0, "relative score"),
        judged("tiny", step, "alpaca_eval", 71.0, "win rate", low=None, high=None),
    ]


AXES = [
    "pass@1 in %, 95 % intervals", "mean score of 10, 95 % intervals", "relative score in %, 95 % intervals",
    "win rate in %",
]  # fmt: skip


def test_scores_of_different_kinds_never_share_an_axis() -> None:
    panels = visible(figure([*mixed(100), *mixed(200)]))
    assert [ax.get_title(loc="left") for ax in panels] == ["GSM8K", "MT_BENCH", "WIZARD_EVAL", "ALPACA_EVAL"]
    assert [ax.get_ylabel() for ax in panels] == AXES
    assert legend(panels[1]) == ["tiny (best 6.40 of 10 at step 100)"]
    assert all(6.1 > ax.get_ylim()[0] > 5 and 6.7 < ax.get_ylim()[1] < 10.2 for ax in panels[1:2])
    assert panels[2].get_ylim()[1] > 140


def test_bars_of_different_kinds_never_share_an_axis() -> None:
    panels = visible(figure(mixed(None)))
    assert [ax.get_xlabel() for ax in panels] == AXES
    assert [[text.get_text() for text in ax.texts] for ax in panels] == [
        ["40.0  best"], ["6.40  best"], ["136.0  best"], ["71.0  best"],
    ]  # fmt: skip
    assert [label.get_text() for ax in panels for label in ax.get_yticklabels()] == ["tiny", "", "", "tiny"]


def test_a_benchmark_measured_in_two_ways_has_two_panels() -> None:
    rows = [
        judged("tiny", step, "mt_bench", score, metric, title="MT-Bench", settings={"verdicts.protocol": protocol})
        for step in (100, 200)
        for score, metric, protocol in ((6.0, "mean score", "single"), (50.0, "win rate", "pairwise"))
    ]
    assert [ax.get_title(loc="left") for ax in visible(figure(rows))] == ["MT-Bench, mean score", "MT-Bench, win rate"]


def test_what_is_neither_percent_nor_of_ten_has_an_axis_of_its_own() -> None:
    rows = [judged("tiny", step, "wiki", 1000.0 / step, "word_perplexity", unit="") for step in (1, 100)]
    (ax,) = visible(figure(rows))
    assert ax.get_ylabel() == "word_perplexity, 95 % intervals"
    assert ax.get_ylim()[0] < 6 and ax.get_ylim()[1] > 1004
    assert legend(ax) == ["WIKI"]  # less is more: nothing is called the best


def test_a_benchmark_that_only_a_checkpoint_without_steps_finished_has_its_level() -> None:
    rows = [*curve("tiny", "gsm8k", [10, 20]), judged("llama", None, "mt_bench", 6.0, "mean score")]
    _, panel = visible(figure(rows))
    assert legend(panel) == ["llama: 6.00 of 10 (best)"]
    assert panel.get_xticks().size == 0


def test_the_same_rows_give_the_same_files() -> None:
    rows = curve("tiny", "gsm8k", [10, 20])
    made = files(rows)
    assert made["figure.png"].startswith(b"\x89PNG")
    assert b"<svg" in made["figure.svg"][:1000]
    assert files(rows) == made
