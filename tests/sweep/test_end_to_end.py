"""The real thing: a student trained here, `evolray sweep` over its 5 checkpoints x 2 benchmarks, jobs that run
`evolray evaluate`, one of which is killed."""

import csv
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.job_submission import JobSubmissionClient

from evolray.cluster.jobs.own_ray import OwnRay, own_ray
from evolray.sweep.results import read
from evolray.train.tokenising.examples import Example
from tests.train import small

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "evolray" / "evaluate" / "prompts"
STEPS = [16, 32, 48, 64, 80]
# What the student learns to say to everything. It solves three of four problems of one benchmark, one of two of the
# other.
ANSWER = "So it is.\n```python\ndef seven():\n    return 7\n```\nThe answer is: 7"
NUMBERS = (7, 7, 7, 8)
FUNCTIONS = {"seven": 7, "eight": 8}


def question(number: int) -> str:
    """As the benchmarks ask, so that a student of some ten thousand weights knows what it is asked."""
    if number % 2:
        name, problem = "humaneval", f'def number_{number}():\n    """Return {number}."""'
    else:
        name, problem = "gsm8k", f"How many apples are in row {number}?"
    form = (PROMPTS / name / "instruct.txt").read_text().strip()
    asked = form.replace("{problem}", problem).replace("{trimmed_prompt}", problem)
    assert asked != form and "{" not in asked
    return asked


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a checkpoint at each of STEPS."""
    folder = tmp_path_factory.mktemp("training")
    student = small.write_student(folder / "student")
    settings = json.loads((student / "config.json").read_text())
    (student / "config.json").write_text(json.dumps({**settings, "max_position_embeddings": 1024}))
    examples = [
        Example(
            f"data.jsonl:{n + 1}", ({"role": "user", "content": question(n)}, {"role": "assistant", "content": ANSWER})
        )
        for n in range(40)
    ]
    config = small.config_of(
        folder / "tiny", student, max_length=512, epochs=20, max_steps=STEPS[-1], checkpoint_steps=STEPS[0],
        learning_rate=1e-2, schedule="linear",
    )  # fmt: skip
    small.write_examples(folder / "tiny", examples, config)
    assert [checkpoint.step for checkpoint in small.trained(config).checkpoints] == STEPS
    return folder / "tiny"


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnRay]:
    """A local Ray with a job server that checks tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("PYTHONPATH", str(ROOT))
        with own_ray({}) as ray:
            yield ray


def write_problems(folder: Path) -> dict[str, str]:
    apples = [
        {"question": f"How many apples are left in row {n}?", "answer": f"They were counted.\n#### {number}"}
        for n, number in enumerate(NUMBERS)
    ]
    functions = [
        {
            "task_id": f"HumanEval/{n}",
            "prompt": f'def {name}():\n    """Return {value}."""\n',
            "entry_point": name,
            "canonical_solution": f"    return {value}\n",
            "test": f"def check(candidate):\n    assert candidate() == {value}\n",
        }
        for n, (name, value) in enumerate(FUNCTIONS.items())
    ]
    for name, rows in (("gsm8k", apples), ("humaneval", functions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {name: str(folder / f"{name}.jsonl") for name in ("gsm8k", "humaneval")}


def start(folder: Path, training: Path, cluster: OwnRay) -> subprocess.Popen[str]:
    """`evolray sweep`, as a user types it."""
    problems = write_problems(folder)
    return subprocess.Popen(
        [
            sys.executable, "-m", "evolray.cli", "sweep", f"run={folder}/sweep", f"checkpoints=[{training}]",
            "benchmarks=[gsm8k,humaneval]", *(f"problems.{name}={path}" for name, path in problems.items()),
            "evaluate.sampling.max_tokens=48", "evaluate.workers.cpus=1", "jobs=3",
        ],
        env={
            **os.environ,
            "RAY_API_SERVER_ADDRESS": cluster.url,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": cluster.headers["Authorization"].removeprefix("Bearer "),
            "PYTHONPATH": str(ROOT),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def kill_one(sweep: subprocess.Popen[str], folder: Path) -> str:
    """kill -9 the evaluation of some cell as soon as there is one; returns the cell's title."""
    cells = f"{folder}/sweep/cells/"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "evolray.cli" in words and words[-1].startswith(cells):
                process.kill()
                return str(Path(words[-1]).parent.relative_to(cells))
        try:
            sweep.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(sweep.communicate()[0])
    raise AssertionError("no cell was evaluated")


def jobs(cluster: OwnRay) -> list[tuple[str, str]]:
    """What Ray's dashboard lists: the cell and the status of each job that was submitted."""
    listed = JobSubmissionClient(cluster.url, headers=dict(cluster.headers)).list_jobs()
    return sorted((job.metadata["cell"], str(job.status)) for job in listed if job.submission_id and job.metadata)


def scores_of(cell: Path) -> dict[str, Any]:
    (entry,) = json.loads((cell / "scores.json").read_text()).values()
    return dict(entry)


@pytest.mark.long
def test_five_checkpoints_and_two_benchmarks(tmp_path: Path, training: Path, cluster: OwnRay) -> None:
    sweep = start(tmp_path, training, cluster)
    killed = kill_one(sweep, tmp_path)
    said, _ = sweep.communicate()
    assert sweep.returncode == 0, said

    cells = [f"tiny-step-{step:08d}/{benchmark}" for step in STEPS for benchmark in ("gsm8k", "humaneval")]
    assert jobs(cluster) == sorted([*((cell, "SUCCEEDED") for cell in cells), (killed, "FAILED")])
    assert f"{killed}: its job was killed by signal 9; retry 1 of 2" in said

    done = read(str(tmp_path / "sweep"))
    scores = {cell: scores_of(tmp_path / "sweep/cells" / cell) for cell in cells}
    assert [(row.cell, row.status, row.score, row.passed, row.total) for row in done.rows] == [
        (f"cells/{cell}", "complete", entry["pass@1"], entry["passed"], entry["total"])
        for cell, entry in scores.items()
    ]
    last = [(row.passed, row.total) for row in done.rows[-2:]]
    assert last == [(3, 4), (1, 2)]
    with (tmp_path / "sweep/table.csv").open() as file:
        assert [float(row["pass@1"]) for row in csv.DictReader(file)] == [entry["pass@1"] for entry in scores.values()]

    means = {step: sum(row.score or 0.0 for row in done.rows if row.step == step) / 2 for step in STEPS}
    best = max(STEPS, key=lambda step: (means[step], -step))
    assert (done.best.overall[0].step, done.best.mean) == (best, means[best])
    assert f"best of all: tiny, step {best}, mean {means[best]:.1f} %" in said

    (ax,) = done.figure().axes
    assert [text.get_text().partition(" (")[0] for text in ax.get_legend().get_texts()] == ["GSM8K", "HumanEval"]
    drawn = [[float(score) for score in line.lines[0].get_ydata()] for line in ax.containers]
    assert drawn == [[entry["pass@1"] for cell, entry in scores.items() if cell.endswith(name)] for name in ("k", "l")]
    assert (tmp_path / "sweep/figure.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "sweep/figure.svg").stat().st_size > 0

    again = start(tmp_path, training, cluster)
    said, _ = again.communicate()
    assert (again.returncode, "nothing to do, 10 complete" in said) == (0, True), said
    assert len(jobs(cluster)) == 11
