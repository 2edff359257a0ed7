"""Cells as jobs of a real Ray with its job server and token authentication. Only what a job runs is a stand-in."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ray.job_submission import JobDetails, JobSubmissionClient

from evolray.cluster.jobs.own_ray import OwnRay, own_ray
from evolray.config import SweepConfig, to_yaml
from tests.sweep import places
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
COMMAND = Path(__file__).with_name("command.py")


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(32)


@pytest.fixture(scope="module")
def cluster(token: str) -> Iterator[OwnRay]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", token)
        with own_ray({}) as ray:
            yield ray


@pytest.fixture
def sweep_command(tmp_path: Path, cluster: OwnRay, token: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts a sweep of a process of its own, in another directory than the jobs' and this test's."""

    def start(config: SweepConfig, **environment: str) -> subprocess.Popen[str]:
        (tmp_path / "sweep.yaml").write_text(to_yaml(config))
        settings = {
            "RAY_API_SERVER_ADDRESS": cluster.url, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token,
            "PYTHONPATH": str(ROOT), **environment,
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, str(COMMAND), str(tmp_path / "sweep.yaml")],
            env={**os.environ, **settings},
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def config(tmp_path: Path, request: pytest.FixtureRequest) -> SweepConfig:
    """One step x gsm8k and mbpp, into a run whose name says the test: the cluster is shared."""
    training = places.training(tmp_path / "tiny", [100])
    return places.config(tmp_path, [training], run=str(tmp_path / request.node.name), metadata={"team": "red"}, jobs=4)


def behave(config: SweepConfig, cell: str, behaviour: str, times: int | None = None) -> Path:
    folder = Path(config.run) / "cells" / cell
    folder.mkdir(parents=True)
    (folder / behaviour).write_text("" if times is None else str(times))
    return folder


def jobs_of(cluster: OwnRay, config: SweepConfig) -> dict[str, list[JobDetails]]:
    """By cell, in the order of their submission."""
    client = JobSubmissionClient(cluster.url, headers=dict(cluster.headers))
    found: dict[str, list[JobDetails]] = {}
    for job in sorted(client.list_jobs(), key=lambda job: job.start_time or 0):
        if job.metadata and job.metadata.get("sweep") == Path(config.run).name:
            found.setdefault(job.metadata["cell"], []).append(job)
    return found


def record(config: SweepConfig, cell: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(config.run) / "cells" / cell / "cell.json").read_text())
    return loaded


def test_every_cell_is_a_job_and_what_dies_is_tried_again(
    config: SweepConfig, cluster: OwnRay, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    fails = behave(config, "tiny-step-00000100/gsm8k", "fails", 1)
    hangs = behave(config, "tiny-step-00000100/mbpp", "hangs", 1)
    process = sweep_command(config)
    wait_for(process, (hangs / "runs.txt").exists)
    os.kill(int((hangs / "runs.txt").read_text()), signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 0, said

    jobs = jobs_of(cluster, config)
    assert {cell: [str(job.status) for job in found] for cell, found in jobs.items()} == {
        "tiny-step-00000100/gsm8k": ["FAILED", "SUCCEEDED"],
        "tiny-step-00000100/mbpp": ["FAILED", "SUCCEEDED"],
    }
    assert jobs["tiny-step-00000100/mbpp"][0].metadata == {
        "sweep": Path(config.run).name,
        "cell": "tiny-step-00000100/mbpp",
        "checkpoint": "tiny",
        "step": "100",
        "benchmark": "mbpp",
        "team": "red",
    }
    attempts = [record(config, f"tiny-step-00000100/{name}")["attempts"] for name in ("gsm8k", "mbpp")]
    assert [[attempt["message"] for attempt in some] for some in attempts] == [
        ["its job ended with exit code 1", ""],
        ["its job was killed by signal 9", ""],
    ]
    assert "Traceback: the model fell over" in (fails / "job.log").read_text()
    assert len((hangs / "runs.txt").read_text().split()) == 2


def test_ctrl_c_stops_the_jobs(
    config: SweepConfig, cluster: OwnRay, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    hangs = behave(config, "tiny-step-00000100/mbpp", "hangs")
    process = sweep_command(config)
    wait_for(process, (hangs / "runs.txt").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert (process.returncode, "the same command goes on from here" in said) == (130, True), said
    assert [str(job.status) for job in jobs_of(cluster, config)["tiny-step-00000100/mbpp"]] == ["STOPPED"]
    assert record(config, "tiny-step-00000100/mbpp")["attempts"][-1]["outcome"] == "stopped"


def test_a_killed_sweep_finds_its_jobs_again(
    config: SweepConfig, cluster: OwnRay, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    hangs = behave(config, "tiny-step-00000100/gsm8k", "hangs", 1)
    process = sweep_command(config)
    wait_for(process, (hangs / "runs.txt").exists)
    process.kill()
    process.communicate()
    again = sweep_command(config)
    wait_for(again, lambda: json.loads((Path(config.run) / "manifest.json").read_text())["counts"]["complete"] == 1)
    assert len(jobs_of(cluster, config)["tiny-step-00000100/gsm8k"]) == 1
    os.kill(int((hangs / "runs.txt").read_text()), signal.SIGKILL)
    _, said = again.communicate()
    assert again.returncode == 0, said
    assert [str(job.status) for job in jobs_of(cluster, config)["tiny-step-00000100/gsm8k"]] == ["FAILED", "SUCCEEDED"]


def test_a_failed_cell_is_named_with_the_end_of_its_log(
    config: SweepConfig, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = behave(config, "tiny-step-00000100/gsm8k", "refuses")
    process = sweep_command(config)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "1 of 2 cells failed:" in said
    assert f"  tiny-step-00000100/gsm8k: its job ended with exit code 2 (1 job); its log: {folder}/job.log" in said
    assert "    evolray: benchmark 'gsm9k' is not known" in said


def test_without_the_token_nobody_comes_in(
    config: SweepConfig, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    process = sweep_command(config, RAY_AUTH_TOKEN="f" * 64)
    _, said = process.communicate()
    assert process.returncode == 2, said
    assert "the job server refuses this client's token" in said
    assert "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH" in said


def test_a_sweep_that_finds_no_ray_brings_its_own(
    config: SweepConfig, sweep_command: Callable[..., subprocess.Popen[str]]
) -> None:
    """Beside another one: the cluster of these tests, of which it does not know."""
    with TemporaryDirectory(prefix="ray") as folder:  # where Ray looks for one; tmp_path is too long for its sockets
        process = sweep_command(config, RAY_API_SERVER_ADDRESS="", RAY_ADDRESS="", RAY_AUTH_TOKEN="", RAY_TMPDIR=folder)
        _, said = process.communicate()
    assert process.returncode == 0, said
    assert json.loads((Path(config.run) / "manifest.json").read_text())["status"] == "complete"
