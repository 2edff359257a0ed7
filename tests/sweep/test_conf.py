"""The configs that come along make the cells that their comments promise."""

from pathlib import Path

import pytest

from evolray.config import SweepConfig, load
from evolray.config.benchmarks import FROM_LM_EVAL, NEEDS_NO_PROBLEMS, needs_problems
from evolray.evaluate.knowledge.benchmarks import KNOWLEDGE_BENCHMARKS, OTHER, KnowledgeBenchmark
from evolray.evaluate.registry import ALL, find_benchmark
from evolray.sweep.grid import Grid
from evolray.sweep.sources import Student
from tests.sweep import places

CONF = Path(__file__).parents[2] / "conf" / "sweep"


FILES = {
    "tiny": {"problems": ["gsm8k"]},
    "checkpoints": {"problems": ["gsm8k", "humaneval"]},
    "chat": {
        "problems": ["wizard_eval", "mt_bench", "alpaca_eval"],
        "baselines": ["wizard_eval"],
        "references": ["mt_bench"],
    },
}


def load_conf(name: str, folder: Path) -> SweepConfig:
    """With files of our own in place of those that the config names."""
    files = [
        f"{setting}.{benchmark}={path}"
        for setting, benchmarks in FILES[name].items()
        for benchmark, path in places.problems(folder, *benchmarks).items()
    ]
    return load(SweepConfig, [str(CONF / f"{name}.yaml"), f"run={folder}/sweep", *files])


@pytest.mark.parametrize(("name", "cells"), [("tiny", 1), ("checkpoints", 4), ("chat", 4)])
def test_a_config_makes_its_cells(tmp_path: Path, name: str, cells: int) -> None:
    assert len(Grid(load_conf(name, tmp_path)).cells([Student("tiny", "tiny")])) == cells


def test_every_config_is_tried_and_says_its_command() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == FILES.keys()
    for path in CONF.glob("*.yaml"):
        assert f"evolray sweep conf/sweep/{path.name} checkpoints=" in path.read_text()


def test_all_of_the_chat_sweep_s_cells_ask_the_same_judge_within_its_limit(tmp_path: Path) -> None:
    config = load_conf("chat", tmp_path)
    cells = Grid(config).cells([Student("tiny", "tiny")])
    assert {cell.config.judge.endpoint.model for cell in cells} == {"gpt-4"}
    assert {config.jobs * cell.config.judge.endpoint.max_in_flight for cell in cells} == {32}


def test_a_sweep_knows_as_evaluate_does_which_benchmarks_bring_their_problems() -> None:
    assert [*NEEDS_NO_PROBLEMS] == [*KNOWLEDGE_BENCHMARKS]
    assert FROM_LM_EVAL == OTHER
    for name, benchmark in ALL.items():
        assert needs_problems(name) != isinstance(benchmark, KnowledgeBenchmark)
    assert find_benchmark("ARC-Challenge") is KNOWLEDGE_BENCHMARKS["arc_challenge"]  # as `plain` has it
