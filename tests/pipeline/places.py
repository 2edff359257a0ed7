"""Steps of the tests, and what a stage leaves behind."""

import json
from pathlib import Path
from typing import Any

from evolray.config import EvaluateConfig, JobConfig, RefineConfig, TrainConfig, from_mapping
from evolray.pipeline.step import Step

SCHEMAS = {"refine": RefineConfig, "train": TrainConfig, "evaluate": EvaluateConfig}
SETTINGS: dict[str, dict[str, Any]] = {
    "refine": {"data": "pool"},
    "train": {"data": "mix", "model": "student"},
    "evaluate": {"model": "student", "benchmarks": ["gsm8k"]},
}


def step(run: Path, name: str, *needs: str, job: JobConfig | None = None, **settings: Any) -> Step:
    """Of the stage that its name ends with: "round-1/train"."""
    stage = name.rpartition("/")[2].partition("-")[0]
    values = {**SETTINGS[stage], "run": str(run / "of" / name), **settings}
    return Step(name, stage, from_mapping(SCHEMAS[stage], values), needs, job or JobConfig())


def finish(step: Step) -> None:
    """Leave what a stage leaves."""
    folder = Path(step.config.run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"stage": step.stage, "status": "complete"}))
