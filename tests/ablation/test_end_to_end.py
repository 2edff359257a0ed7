"""The real thing, by the command line, on a Ray of its own with token authentication: the simulated teacher, two tiny
students, their checkpoints on held-out problems. The command is killed while it trains, and goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.ablation.results import read
from evolray.cluster.jobs.own_ray import OwnRay, own_ray
from evolray.pipeline.records import read_steps
from evolray.pool.layout import LocalFolder
from evolray.teachers.simulated.problems import benchmark_rows, draw, seed_rows
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
TOKEN = "of-the-ablation-s-tests-and-long-enough"
STEPS = ["evolve", "refine-0", "refine-1", "cut-1", "train-0", "train-1", "sweep"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnRay]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        patch.setenv("PYTHONPATH", str(ROOT))
        with own_ray({}) as ray:
            yield ray


def write_config(folder: Path) -> Path:
    """40 seeds, of which all evolve once: some 78 instructions, of which 40 are drawn for the second student."""
    stock = draw(40, 3, (1, 2))
    for name, rows in (("seeds", seed_rows(stock.seeds)), ("held_out", benchmark_rows(stock.held_out))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config: dict[str, Any] = {
        "run": str(folder / "run"),
        "generations": [0, 1],
        "tokens": 12_000,
        "evolve": {"domain": "math", "seeds": {"path": "seeds.jsonl"}, "teacher": {"kind": "simulated", "flaws": 0.0}},
        "refine": {"near_duplicates.enabled": False},
        "train": {
            "model": "scratch",
            "scratch": {"hidden": 32, "layers": 1, "heads": 2, "feed_forward": 64, "vocabulary": 300},
            "max_length": 512, "global_batch": 4, "checkpoint_steps": 10, "workers": {"device": "cpu", "cpus": 1},
        },
        "sweep": {
            "benchmarks": ["gsm8k"], "problems.gsm8k": "held_out.jsonl", "jobs": 2,
            "evaluate": {"sampling.max_tokens": 8, "workers": {"device": "cpu", "cpus": 1}},
        },
    }  # fmt: skip
    (folder / "ablation.yaml").write_text(yaml.safe_dump(config))
    return folder / "ablation.yaml"


def start(config: Path, cluster: OwnRay) -> subprocess.Popen[str]:
    environment = {
        "RAY_API_SERVER_ADDRESS": cluster.url, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "COLUMNS": "120",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "evolray.cli", "ablation", config.name], env={**os.environ, **environment},
        cwd=config.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.long
def test_an_ablation_that_was_killed_goes_on_to_its_page(tmp_path: Path, cluster: OwnRay) -> None:
    config, run = write_config(tmp_path), tmp_path / "run"
    first = start(config, cluster)
    wait_for(first, (run / "students/generations-0/run.yaml").exists)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    digest = json.loads((run / "pool/manifest.json").read_text())["digest"]

    again = start(config, cluster)
    said = again.communicate(timeout=600)[0]
    assert again.returncode == 0, said
    steps = read_steps(LocalFolder(str(run)))
    assert {name: one.state for name, one in steps.items()} == dict.fromkeys(STEPS, "complete")
    assert [len(steps[name].attempts) for name in STEPS] == [1] * len(STEPS)  # jobs that ran were taken up
    assert json.loads((run / "pool/manifest.json").read_text())["digest"] == digest

    done = read(str(run))
    assert (done.status, done.teacher.is_simulated) == ("complete", True)
    seeds, evolved = done.students
    assert seeds.examples == evolved.examples == 40
    assert seeds.tokens and evolved.tokens
    assert all(0.9 * 12_000 < tokens <= 12_000 for tokens in (seeds.tokens, evolved.tokens))
    for student in done.students:
        assert student.state == "complete" and len(student.checkpoints) > 1
        assert student.last and student.last.step == student.steps and student.last.tokens == student.tokens
        assert [one.group for one in student.last.scores] == ["", "1 step", "2 steps"]
    assert "The simulated teacher taught" in " ".join(said.split())
    assert "Answers side by side" in (run / "report.html").read_text()

    finished = start(config, cluster)
    assert "nothing to do, every step is complete" in finished.communicate(timeout=300)[0]
    assert [len(one.attempts) for one in read_steps(LocalFolder(str(run))).values()] == [1] * len(STEPS)
