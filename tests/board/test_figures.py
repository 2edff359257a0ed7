from pathlib import Path
from typing import Any

import pytest

from evolray.board.collecting import collect
from evolray.board.drawing.series import Value, by_group, model_name, places, value_of
from evolray.board.figures import difficulty_bars, figures, radar, scores_bars, to_png, to_svg, win_tie_loss
from evolray.board.table import make_table
from tests.board.written_runs import MODELS, SKILLS, entry, gsm8k, mt_bench, wizard_eval, write_three

WIZARD = {model: wizard_eval(model, score) for model, score in MODELS.items()}


def texts(figure: Any) -> list[str]:
    """All that is written in a figure, its legend included."""
    import matplotlib.text

    return [one.get_text() for one in figure.findobj(matplotlib.text.Text) if one.get_text()]


def test_a_radar_has_a_spoke_per_skill_and_the_baseline_as_a_ring() -> None:
    figure = radar(WIZARD)
    said = texts(figure)
    assert all(f"{skill} ({number})" in said for skill, number in SKILLS.items())
    assert {*MODELS, "gpt-3.5-turbo", "100 %"} <= {*said}
    lines = figure.axes[0].lines
    assert [len(line.get_xdata()) for line in lines] == [30, 30, 30, 181]  # type: ignore[arg-type]
    ring: Any = lines[-1].get_ydata()
    assert {*ring} == {100.0}


def test_a_radar_by_category_has_no_baseline() -> None:
    figure = radar({"a": mt_bench("a", 6.4), "b": mt_bench("b", 7.0)})
    assert {"writing (20)", "humanities (20)", "10"} <= {*texts(figure)}
    assert len(figure.axes[0].lines) == 2 and figure.axes[0].get_ylim() == (0, 10)


def test_of_many_models_the_best_are_drawn_and_it_is_said() -> None:
    many = {f"model {number}": wizard_eval("m", 60 + number) for number in range(9)}
    for figure in (radar(many), difficulty_bars(many)):
        said = texts(figure)
        assert "the best 6 of 9 models" in said and "model 8" in said and "model 2" not in said


def test_what_the_simulated_judge_had_a_hand_in_says_so() -> None:
    results = {"a": wizard_eval("a", 90, judge="simulated")}
    for figure in (radar(results), difficulty_bars(results), win_tie_loss(results)):
        assert "simulated judge" in texts(figure)
    assert "simulated judge" in texts(scores_bars({"a": {"wizard_eval": results["a"]}}))


def test_bars_by_difficulty_with_the_halves_beside_them() -> None:
    figure = difficulty_bars(WIZARD)
    levels, halves = figure.axes
    assert len(levels.patches) == 30 and len(halves.patches) == 6
    assert [label.get_text() for label in levels.get_xticklabels()][:2] == ["1\n11", "2\n19"]
    assert [label.get_text() for label in halves.get_xticklabels()] == ["easy\n(1-7)\n155", "hard\n(8-10)\n63"]


def test_wins_ties_and_losses_are_sorted_by_the_win_rate() -> None:
    results: dict[str, dict[str, Any]] = {
        "low": {"wins": 10, "ties": 10, "losses": 80, "baseline": "b"},
        "high": {"wins": 60, "ties": 20, "losses": 20, "baseline": "b"},
        "not compared": {"score": 5},
    }
    figure = win_tie_loss(results)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["high", "low"]
    assert {"70.0 %", "15.0 %", "60", "80", "Wins, ties and losses against b"} <= {*texts(figure)}


def test_a_panel_per_benchmark_with_a_dash_for_no_result() -> None:
    figure = scores_bars({"a": {"gsm8k": gsm8k("a", 50), "x": entry("a", "X", 7)}, "b": {"gsm8k": gsm8k("b", 60)}})
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["GSM8K", "X"] and " –" in texts(figure)
    assert [len(ax.patches) for ax in figure.axes] == [2, 1]


@pytest.mark.parametrize("draw", [radar, difficulty_bars, win_tie_loss, scores_bars])
def test_nothing_to_draw_is_said(draw: Any) -> None:
    assert any(text.startswith(("There", "Nothing")) for text in texts(draw({})))


@pytest.mark.parametrize("name", ["$x^2$ $\\frac$", "<script>", "two\nlines\x00", "x" * 500, "", "\u202eabc", "名前"])
def test_hostile_names_and_numbers_are_drawn(name: str) -> None:
    groups = {name or "g": {"score": -5.0}, "huge": {"score": 1e12, "low": 1e300, "high": -1.0}, "c": {"score": 3}}
    hostile = {"score": 5, "baseline": name, "groups": {"skill": groups, "difficulty": groups, "split": 3}}
    results = {name: hostile | {"wins": 3, "ties": 0, "losses": 10**15}}
    for figure in (
        radar(results),
        difficulty_bars(results),
        win_tie_loss(results),
        scores_bars({name: {"b": hostile}}),
    ):
        assert "<script" not in to_svg(figure, "n", name)


def test_all_of_a_board_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    table = make_table(collect([str(write_three(tmp_path))], {}).rows)
    once, again = figures(table), figures(table)
    assert list(once) == [
        "scores", "radar-wizard-eval", "difficulty-wizard-eval", "outcomes-wizard-eval", "radar-mt-bench",
        "outcomes-alpaca-eval",
    ]  # fmt: skip
    name = "radar-wizard-eval"
    assert to_svg(once[name].figure, name) == to_svg(again[name].figure, name)
    assert to_png(once[name].figure) == to_png(again[name].figure)
    assert once[name].title == "WizardEval: scores by skill" and "gpt-3.5-turbo" in once[name].caption
    assert "wizard-30b: easy (1-7) 99.8 %, hard (8-10) 92.8 %" in once["difficulty-wizard-eval"].alt


def test_a_model_has_one_colour_on_a_page() -> None:
    assert places(["b", "c"], ["a", "b", "c"]) == {"b": 1, "c": 2}
    assert places(["b", "stranger"], ["a", "b"]) == {"b": 0, "stranger": 1}
    order = [str(number) for number in range(12)]
    assert places(["3", "11"], order) == {"3": 0, "11": 1}  # the eleventh has no colour of its own


def test_long_names_lose_their_middles() -> None:
    assert model_name("wizard-7b-of-the-second-series-step-1000", 20) == "wizard-7b-…step-1000"
    assert model_name("short") == "short" and model_name(" \n ") == "(no name)"


def test_values() -> None:
    assert value_of({"score": 5, "low": 4, "high": 6, "total": 9}) == Value(5, 4, 6, 9)
    assert value_of({"score": 5, "low": 7, "high": None}) == Value(5, 5, 5, 0)
    assert value_of({"pass@1": 5}) == Value(5, 5, 5, 0) and value_of({"score": float("nan")}) is None
    assert by_group({"groups": {"skill": [1]}}, "skill") == by_group({"groups": 3}, "skill") == {}
