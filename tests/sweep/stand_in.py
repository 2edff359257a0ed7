"""Takes the place of `evolray evaluate` in jobs: reads the cell's config and leaves made-up scores.

It is a script without evolray or Ray, so that a job takes a moment. A file named after the behaviour, next to the
config of the cell, makes it fail: `fails` (exit code 1), `refuses` (exit code 2), `hangs`, `leaves-nothing`; with a
number in it, only so many times.
"""

import json
import os
import sys
import time
from pathlib import Path

import yaml


def wants(folder: Path, behaviour: str) -> bool:
    file = folder / behaviour
    if not file.exists():
        return False
    left = int(file.read_text() or 1_000_000)
    file.write_text(str(left - 1))
    return left > 0


def main(config: Path) -> int:
    folder = config.parent
    said = yaml.safe_load(config.read_text())
    with (folder / "runs.txt").open("a") as file:
        print(os.getpid(), file=file)
    if wants(folder, "fails"):
        print("Traceback: the model fell over")
        return 1
    if wants(folder, "refuses"):
        print("evolray: benchmark 'gsm9k' is not known")
        return 2
    if wants(folder, "hangs"):
        time.sleep(600)
    if wants(folder, "leaves-nothing"):
        return 0
    step = int(str(said["model"] or "0").rpartition(":")[2] or 0)
    write(folder, said["benchmarks"][0], passed=min(step // 100 + len(said["benchmarks"][0]), 20))
    return 0


def write(folder: Path, benchmark: str, passed: int, total: int = 20, title: str = "") -> None:
    """What `evolray evaluate` leaves when it is done."""
    score = 100 * passed / total
    interval = {"score": score, "low": max(score - 10, 0.0), "high": min(score + 10, 100.0)}
    entry = {"title": title or benchmark.upper(), "passed": passed, "total": total, "pass@1": score}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps({benchmark: {**entry, "pass@k": {"1": interval}}}))
    (folder / "manifest.json").write_text(json.dumps({"stage": "evaluate", "status": "complete"}))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
