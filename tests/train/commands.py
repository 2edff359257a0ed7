"""`evolray train` as a user types it: data, settings small enough for seconds of training, and a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psutil

THINGS = ("lamp", "river", "garden", "engine", "poem", "bridge", "market", "island", "violin", "harbour")
SCRATCH = {"hidden": 32, "layers": 2, "heads": 4, "feed_forward": 48, "vocabulary": 300}
SETTINGS: dict[str, Any] = {
    "model": "scratch", "max_length": 512, "global_batch": 8, "learning_rate": 3e-3, "warmup_steps": 2,
    **{f"scratch.{name}": value for name, value in SCRATCH.items()},
}  # fmt: skip


def write_data(path: Path, number: int) -> str:
    rows = [
        {
            "instruction": f"Explain what makes {THINGS[n % len(THINGS)]} number {n} useful.",
            "output": f"Number {n} is useful because it is there. " * (1 + n * 7 % 4),
        }
        for n in range(number)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def digest(name: str, numbers: Iterable[int], epochs: int) -> str:
    """What `examples_digest` has to be when each of these lines was seen once per epoch."""
    hashes = (blake2b(f"{epoch}/{name}:{n}".encode(), digest_size=8) for epoch in range(epochs) for n in numbers)
    return f"{sum(int.from_bytes(one.digest()) for one in hashes) % 2**64:016x}"


def start(**settings: Any) -> subprocess.Popen[str]:
    """The command in a process group of its own, with a Ray of its own; SETTINGS but for what is given."""
    values = {**SETTINGS, **{key.replace("__", "."): value for key, value in settings.items()}}
    arguments = [f"{key}={json.dumps(value) if isinstance(value, dict) else value}" for key, value in values.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "evolray.cli", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """Its output, once it has ended with this code."""
    output, _ = process.communicate()
    assert process.returncode == code, output
    return output


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "RayTrainWorker" in child.name()]


def losses(run: Path) -> dict[int, float]:
    """By step; of a step that was done twice, the later one counts."""
    path = run / "log.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


def about(run: Path) -> dict[str, Any]:
    """evolray.json of the latest checkpoint."""
    loaded: dict[str, Any] = json.loads((max((run / "checkpoints").glob("step-*")) / "evolray.json").read_text())
    return loaded


def status(run: Path) -> str:
    return str(json.loads((run / "manifest.json").read_text())["status"])
