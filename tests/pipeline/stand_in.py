"""Takes the place of a stage in jobs: python stand_in.py RUN STEP.

It is a script without evolray or Ray, so that a job takes a moment. A file in the stage's run directory, named after
the behaviour, makes it fail: `fails` (exit code 1) or `hangs`; with a number in it, only so many times.
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


def main(run: Path, step: str) -> int:
    folder = Path(yaml.safe_load((run / "steps" / step / "config.yaml").read_text())["run"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "runs.txt").open("a") as file:
        print(os.getpid(), file=file)
    if wants(folder, "fails"):
        print("Traceback: the stage fell over")
        return 1
    if wants(folder, "hangs"):
        time.sleep(600)
    (folder / "manifest.json").write_text(json.dumps({"status": "complete"}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
