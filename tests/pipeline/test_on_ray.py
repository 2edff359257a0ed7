"""Steps as jobs of a real Ray with its job server and token authentication."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.job_submission import JobDetails, JobSubmissionClient

from evolray.cluster.jobs.own_ray import OwnRay, own_ray
from evolray.pipeline.records import StepRecord, read_steps
from evolray.pool.layout import LocalFolder
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
COMMAND = Path(__file__).with_name("command.py")


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnRay]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("PYTHONPATH", str(ROOT))
        with own_ray({}) as ray:
            patch.setenv("RAY_API_SERVER_ADDRESS", ray.url)
            yield ray


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Its name says the test: the cluster is shared."""
    return tmp_path / str(request.node.name).translate({ord(one): "-" for one in "[]"})


@pytest.fixture
def command(run: Path, cluster: OwnRay) -> Callable[..., subprocess.Popen[str]]:
    """Starts the run as a process of its own, in another directory than the jobs' and this test's."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(COMMAND), str(run), *arguments], cwd=run.parent, stderr=subprocess.PIPE, text=True
        )

    return start


def behave(run: Path, step: str, behaviour: str, times: int = 1) -> Path:
    folder = run / "of" / step
    folder.mkdir(parents=True)
    (folder / behaviour).write_text(str(times))
    return folder


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate()
    return process.returncode, said


def jobs_of(cluster: OwnRay, run: Path) -> dict[str, list[JobDetails]]:
    """By step, in the order of their submission."""
    client = JobSubmissionClient(cluster.url, headers=dict(cluster.headers))
    found: dict[str, list[JobDetails]] = {}
    for job in sorted(client.list_jobs(), key=lambda job: job.start_time or 0):
        if job.metadata and job.metadata.get("evolray") == run.name:
            found.setdefault(job.metadata["step"], []).append(job)
    return found


def statuses(cluster: OwnRay, run: Path) -> dict[str, list[str]]:
    return {step: [str(job.status) for job in jobs] for step, jobs in jobs_of(cluster, run).items()}


def records(run: Path) -> dict[str, StepRecord]:
    return read_steps(LocalFolder(str(run)))


def test_every_step_is_a_job_and_what_dies_is_tried_again(
    run: Path, cluster: OwnRay, command: Callable[..., subprocess.Popen[str]]
) -> None:
    behave(run, "refine-a", "fails")
    hangs = behave(run, "refine-b", "hangs")
    process = command()
    wait_for(process, (hangs / "runs.txt").exists)
    os.kill(int((hangs / "runs.txt").read_text()), signal.SIGKILL)
    code, said = ended(process)
    assert code == 0, said
    assert statuses(cluster, run) == {
        "refine-a": ["FAILED", "SUCCEEDED"],
        "refine-b": ["FAILED", "SUCCEEDED"],
        "train": ["SUCCEEDED"],
    }
    assert jobs_of(cluster, run)["train"][0].metadata == {
        "evolray": run.name, "run": str(run), "step": "train", "stage": "train", "team": "red",
    }  # fmt: skip
    assert [[one.message for one in records(run)[name].attempts] for name in ("refine-a", "refine-b")] == [
        ["its job ended with exit code 1", ""],
        ["its job was killed by signal 9", ""],
    ]
    assert "Traceback: the stage fell over" in (run / "steps/refine-a/job.log").read_text()
    code, said = ended(command())  # and a rerun finds nothing to do
    assert (code, said) == (0, "")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_the_jobs(
    run: Path, cluster: OwnRay, command: Callable[..., subprocess.Popen[str]], sent: signal.Signals
) -> None:
    hangs = behave(run, "refine-b", "hangs")
    process = command()
    wait_for(process, (hangs / "runs.txt").exists)
    process.send_signal(sent)
    code, said = ended(process)
    assert (code, "the same command goes on from here" in said) == (130, True), said
    assert statuses(cluster, run)["refine-b"] == ["STOPPED"]
    assert "train" not in statuses(cluster, run)
    assert [one.outcome for one in records(run)["refine-b"].attempts] == ["stopped"]


def test_a_killed_run_takes_its_jobs_up_again(
    run: Path, cluster: OwnRay, command: Callable[..., subprocess.Popen[str]]
) -> None:
    hangs = behave(run, "refine-b", "hangs")
    process = command()
    wait_for(process, (hangs / "runs.txt").exists)
    process.kill()
    process.communicate()
    again = command()
    wait_for(again, lambda: records(run)["refine-a"].state == "complete")
    assert {step: len(jobs) for step, jobs in jobs_of(cluster, run).items()} == {"refine-a": 1, "refine-b": 1}
    os.kill(int((hangs / "runs.txt").read_text()), signal.SIGKILL)
    code, said = ended(again)
    assert code == 0, said
    assert statuses(cluster, run)["refine-b"] == ["FAILED", "SUCCEEDED"]


def test_stages_run_and_what_one_refuses_is_told_with_its_exit_code(
    run: Path, cluster: OwnRay, command: Callable[..., subprocess.Popen[str]]
) -> None:
    run.mkdir()
    questions = [{"instruction": f"Ann has {n} apples and buys 2 more. How many has she?"} for n in (3, 4, 5)]
    (run / "seeds.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    code, said = ended(command("stages"))
    assert code == 2, said
    assert statuses(cluster, run) == {"evolve": ["SUCCEEDED"], "refine": ["FAILED"]}
    assert json.loads((run / "pool" / "manifest.json").read_text())["status"] == "complete"
    log = run / "steps/refine/job.log"
    assert f"step refine failed: its job ended with exit code 2; its log: {log}\n" in said
    assert f"    evolray: {run}/no: no such file" in said
    assert "retry" not in said
