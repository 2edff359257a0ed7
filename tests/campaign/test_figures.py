from pathlib import Path
from typing import Any

import pytest

from evolray.campaign.figures import figure, figures, times, weights
from evolray.errors import UserError
from evolray.report.drawing.style import to_png, to_svg
from tests.campaign.written_campaign import SCORES, WHY, campaign, learned, round_of, write


def texts(drawn: Any) -> list[str]:
    """All that is written in a figure, its legend included."""
    import matplotlib.text

    return [one.get_text() for one in drawn.findobj(matplotlib.text.Text) if one.get_text()]


def line(drawn: Any, label: str) -> list[tuple[float, float]]:
    return next([*zip(*one.get_data(), strict=True)] for one in drawn.axes[0].lines if one.get_label() == label)


def test_scores_rise_and_fall_with_the_best_marked_and_the_reason_said() -> None:
    drawn: Any = figure(campaign())
    said = texts(drawn)
    assert {WHY, "55.0  best", "50.0", "seeds alone\n1,000 records", "round 3\n4,000 records"} <= {*said}
    assert line(drawn, "their mean") == [*SCORES.items()]
    rings = [one for one in drawn.axes[0].lines if one.get_markersize() == 15]
    assert [(*one.get_xdata(), *one.get_ydata()) for one in rings] == [(2, 55.0)]
    hollow = [one for one in drawn.axes[0].lines if one.get_markerfacecolor() == "white"]
    assert [(*one.get_xdata(), *one.get_ydata()) for one in hollow] == [(3, 50.0)]


def test_intervals_are_those_of_the_manifest() -> None:
    drawn: Any = figure(campaign(2))
    bars = [collection.get_segments()[0].tolist() for collection in drawn.axes[0].collections]
    assert bars == [[[0, 35.0], [0, 46.0]], [[1, 42.5], [1, 53.5]]]


def test_a_score_without_an_interval_is_a_dot() -> None:
    drawn: Any = figure(campaign(rounds=[round_of(1, 40.0, low=None, high=None)], best={"round": 1}))
    assert "40.0  best" in texts(drawn)
    assert [one.get_segments()[0].tolist() for one in drawn.axes[0].collections] == [[[1, 40.0], [1, 40.0]]]


def test_several_benchmarks_are_lines_of_their_own_out_of_100() -> None:
    drawn = figure(campaign(2))
    assert line(drawn, "HumanEval") == [(0, 45.0), (1, 52.5)]
    assert [at for at, _ in line(drawn, "MT-Bench")] == [0, 1]
    assert [score for _, score in line(drawn, "MT-Bench")] == pytest.approx([37.0, 44.5])


def test_one_benchmark_is_the_score_itself() -> None:
    alone = campaign()
    for one in alone.rounds:
        del one["benchmarks"][1:]
    assert not {"HumanEval", "their mean"} & {*texts(figure(alone))}


def test_many_rounds_have_room() -> None:
    many = campaign(rounds=[round_of(number, 20.0 + number) for number in range(15)], best={"round": 9})
    said = texts(figure(many))
    assert {"seeds", "14", "29.0  best", "34.0"} <= {*said}
    assert "28.0" not in said and not any("records" in text for text in said)


def test_a_campaign_without_a_round_says_so() -> None:
    empty = campaign(0)
    assert "No round has a score yet." in texts(figure(empty))
    assert "No round is finished yet." in texts(times(empty))
    assert figures(empty) == {}


def test_weights_stand_beside_what_was_kept() -> None:
    drawn = weights(learned())
    assert [label.get_text() for label in drawn.axes[0].get_xticklabels()] == ["2", "3"]
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == ["add constraints", "deepen", "mutate"]
    assert {"1.50", "0.50", "77 % kept", "83 % kept"} <= {*texts(drawn)}


def test_weights_that_were_not_learned_are_no_figure() -> None:
    assert list(figures(campaign())) == ["scores", "times"]
    assert list(figures(learned())) == ["scores", "weights", "times"]
    assert "Weights of operators were not learned in this campaign." in texts(weights(campaign()))


def test_times_are_bars_by_stage() -> None:
    drawn: Any = times(campaign(2))
    widths = [round(bar.get_width()) for bar in drawn.axes[0].patches]
    assert widths == [0, 20, 900, 120, 300, 20, 901, 120]
    assert {"17 min 20 s", "22 min 21 s", "evolve", "evaluate"} <= {*texts(drawn)}


def test_words_for_those_who_do_not_see_them() -> None:
    found = figures(learned())
    assert found["scores"].alt == (
        "Scores: seeds alone 41.0 %, round 1 48.5 %, round 2 55.0 % and round 3 50.0 %. Best: round 2."
    )
    assert "Hollow: the score fell." in found["scores"].caption
    assert "generation 3: add constraints 1.50, deepen 1.00, mutate 0.50." in found["weights"].alt
    assert found["times"].alt.startswith("Time: seeds alone 17 min 20 s, round 1 22 min 21 s")


def test_what_the_simulated_teacher_taught_says_so() -> None:
    assert "simulated teacher" in texts(figure(campaign(teacher="simulated")))
    assert "simulated teacher" not in texts(figure(campaign()))


def test_a_run_directory_will_do(tmp_path: Path) -> None:
    run = write(tmp_path / "run", campaign())
    assert texts(figure(run)) == texts(figure(campaign()))
    with pytest.raises(UserError, match="there is no campaign"):
        figure(str(tmp_path / "other"))


def test_the_same_campaign_gives_the_same_files() -> None:
    assert to_png(figure(campaign())) == to_png(figure(campaign()))
    assert to_svg(figure(campaign()), "scores", "a") == to_svg(figure(campaign()), "scores", "a")


def test_names_of_models_are_no_formulas() -> None:
    odd = campaign(message="a $x$ and a\nline of its own" + "!" * 500)
    odd.rounds[0]["benchmarks"][0]["title"] = "$\\frac{"
    assert to_png(figure(odd))[:4] == b"\x89PNG"


def test_the_axis_ends_with_what_scores_can_be() -> None:
    low = figure(campaign(rounds=[round_of(1, 0.0, low=0.0, high=6.0)], best={"round": 1}))
    high = figure(campaign(rounds=[round_of(1, 100.0, low=93.0, high=100.0)], best={"round": 1}))
    assert min(low.axes[0].get_yticks()) == 0
    assert max(high.axes[0].get_yticks()) == 100
