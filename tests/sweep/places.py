"""What a sweep reads and the tests make: trainings with checkpoints, problem files, configs, finished cells."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evolray.config import SweepConfig, from_mapping
from evolray.sweep.rows import Row
from tests.sweep import stand_in


def training(folder: Path, steps: Sequence[int], status: str = "complete", silent_seconds: float = 0.0) -> Path:
    """A run of `evolray train` as far as a sweep looks into it: no model is in its checkpoints."""
    for step in steps:
        save(folder, step)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": "train", "status": status, "updated_at": time.time() - silent_seconds}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def save(folder: Path, step: int) -> None:
    place = folder / "checkpoints" / f"step-{step:08d}"
    place.mkdir(parents=True)
    (place / "evolray.json").write_text(json.dumps({"step": step, "files": {}}))


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def problems(folder: Path, *names: str) -> dict[str, str]:
    for name in names:
        (folder / f"{name}.jsonl").write_text("{}\n")
    return {name: str(folder / f"{name}.jsonl") for name in names}


def config(folder: Path, checkpoints: Sequence[Path | str], **settings: Any) -> SweepConfig:
    """Of a sweep over gsm8k and mbpp into `folder`/sweep."""
    values = {
        "run": str(folder / "sweep"),
        "checkpoints": [str(one) for one in checkpoints],
        "benchmarks": ["gsm8k", "mbpp"],
        "problems": problems(folder, "gsm8k", "mbpp"),
        **settings,
    }
    return from_mapping(SweepConfig, values)


def finish(run: Path, name: str, passed: int, total: int = 20) -> None:
    """Leave what `evolray evaluate` leaves."""
    stand_in.write(run / name, name.split("/")[2], passed, total)


def row(checkpoint: str, step: int | None, benchmark: str, score: float | None, **values: Any) -> Row:
    """A row of 200 problems; `score` in percent, None for a cell that failed."""
    if score is None:
        return _row(checkpoint, step, benchmark, {"status": "failed", **values})
    low, high = max(score - 5, 0.0), min(score + 5, 100.0)
    scored = {
        "score": score, "low": low, "high": high, "metric": "pass@1", "unit": "%", "passed": round(2 * score),
        "total": 200, "scores": {"1": {"score": score, "low": low, "high": high}},
    }  # fmt: skip
    return _row(checkpoint, step, benchmark, {**scored, **values})


def judged(checkpoint: str, step: int | None, benchmark: str, score: float, metric: str, **values: Any) -> Row:
    """A row of a judged benchmark with 80 items; a mean score is one of 10, all others are in percent."""
    unit, half = ("of 10", 0.3) if metric == "mean score" else ("%", 4.0)
    scored = {
        "score": score, "low": score - half, "high": score + half, "metric": metric, "unit": unit, "total": 80,
        "judge": "a-judge",
    }  # fmt: skip
    return _row(checkpoint, step, benchmark, {**scored, **values})


def _row(checkpoint: str, step: int | None, benchmark: str, values: dict[str, Any]) -> Row:
    name = f"cells/{checkpoint}-{step}/{benchmark}"
    return Row(name, checkpoint, step, benchmark, **{"title": benchmark.upper(), **values})
