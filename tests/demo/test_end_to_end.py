"""The whole demo by its command, as small as it gets: problems, teacher, pool, mix, student, scores, page."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.ray]

SMALL = (
    "generations=[1]", "records=40", "evolve.seeds.limit=30", "tokens=4000", "train.global_batch=8",
    "train.scratch.layers=1", "train.scratch.hidden=32", "sweep.evaluate.limit=4",
    "sweep.evaluate.sampling.max_tokens=16",
)  # fmt: skip


def test_the_demo_by_its_command(tmp_path: Path) -> None:
    run = tmp_path / "run"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEACHER_")}
    # A folder of its own, so that no other Ray of this machine is taken for the one to use; short, for Ray's sockets.
    with TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as tmp:
        done = subprocess.run(
            [sys.executable, "-m", "evolray.cli", "demo", *SMALL, f"run={run}"], cwd=tmp_path, capture_output=True,
            text=True, check=False, timeout=600, env={**environment, "RAY_TMPDIR": tmp, "COLUMNS": "120"},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "GSM8K's form, 1 step" in done.stdout and "simulated teacher" in done.stdout
    manifest = json.loads((run / "manifest.json").read_text())
    pool = json.loads((run / "pool/manifest.json").read_text())
    assert (manifest["stage"], manifest["status"]) == ("ablation", "complete")
    assert (pool["teacher"], pool["seeds"]["roots"], pool["generations"]) == ("simulated", 30, 1)
    assert {step.name for step in (run / "steps").iterdir()} >= {"evolve", "refine-1", "train-1", "sweep"}
    assert "<html" in (run / "report.html").read_text()
    address = json.loads((run / "teacher.json").read_text())["base_url"]
    with socket.socket() as attempt:  # the teacher is gone with the demo
        assert attempt.connect_ex(("127.0.0.1", int(address.rpartition(":")[2].removesuffix("/v1")))) != 0
