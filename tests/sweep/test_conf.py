"""The configs that come along make the cells that their comments promise."""

from pathlib import Path

import pytest

from evolray.config import SweepConfig, load
from evolray.sweep.grid import Grid
from evolray.sweep.sources import Student
from tests.sweep import places

CONF = Path(__file__).parents[2] / "conf" / "sweep"


@pytest.mark.parametrize(("name", "cells"), [("tiny", 1), ("checkpoints", 4)])
def test_a_config_makes_its_cells(tmp_path: Path, name: str, cells: int) -> None:
    files = [f"problems.{name}={path}" for name, path in places.problems(tmp_path, "gsm8k", "humaneval").items()]
    config = load(SweepConfig, [str(CONF / f"{name}.yaml"), f"run={tmp_path}/sweep", *files])
    assert len(Grid(config).cells([Student("tiny", "tiny")])) == cells
