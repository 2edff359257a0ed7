"""The whole of a sweep, with a job server that does what it is told."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.cluster.jobs.job import Job
from evolray.config import SweepConfig
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.sweep import on_ray, results, stage
from evolray.sweep.grid import Cell
from tests.sweep import places
from tests.sweep.scripted import FAILED, RUNNING, Script


class Server(Script):
    url = "http://dashboard"
    at_look: Callable[["Server"], None] = staticmethod(lambda server: None)

    def look(self, job: str) -> Job | None:
        self.at_look(self)
        return super().look(job)

    def submit(self, job: str, cell: Cell) -> None:
        super().submit(job, cell)
        self.passed[cell.name] = 10 + len(self.jobs)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Server(tmp_path / "sweep")

    @contextmanager
    def job_server(*_: object) -> Iterator[Script]:
        yield made

    monkeypatch.setattr(on_ray, "job_server", job_server)
    monkeypatch.setattr(stage, "POLL_SECONDS", 0.0)
    return made


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    """Two steps x gsm8k and mbpp."""
    return places.config(tmp_path, [places.training(tmp_path / "tiny", [100, 200])], retries=0)


def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return loaded


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sweep_leaves_tables_figures_and_the_best(tmp_path: Path, config: SweepConfig, server: Script) -> None:
    done = stage.sweep(config)
    assert [(row.step, row.benchmark, row.passed) for row in done.rows] == [
        (100, "gsm8k", 11), (100, "mbpp", 12), (200, "gsm8k", 13), (200, "mbpp", 14),
    ]  # fmt: skip
    assert done.best.overall[0].step == 200
    files = {path.name for path in (tmp_path / "sweep").iterdir() if path.is_file()}
    assert files == {
        ".lock", "run.yaml", "manifest.json", "table.csv", "table.json", "figure.png", "figure.svg",
    }  # fmt: skip
    said = manifest(tmp_path / "sweep")
    assert (said["stage"], said["status"]) == ("sweep", "complete")
    assert said["counts"] == {"complete": 4, "running": 0, "waiting": 0, "failed": 0, "deleted": 0}
    assert said["best"]["overall"]["model"] == f"{tmp_path}/tiny:200"
    assert json.loads((tmp_path / "sweep/table.json").read_text())["best"] == said["best"]
    assert results.read(str(tmp_path / "sweep")) == done
    assert done.to_dicts()[0]["score"] == 55.0


def test_a_rerun_does_nothing(
    tmp_path: Path, config: SweepConfig, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = stage.sweep(config)
    before = contents(tmp_path / "sweep")

    def no_server(*_: object) -> None:
        raise AssertionError("a rerun asks for a job server")

    monkeypatch.setattr(on_ray, "job_server", no_server)
    assert stage.sweep(config) == done
    assert contents(tmp_path / "sweep") == before


def test_more_benchmarks_and_settings_leave_finished_cells_alone(
    tmp_path: Path, config: SweepConfig, server: Script
) -> None:
    stage.sweep(replace(config, benchmarks=["gsm8k"]))
    stage.sweep(config)
    assert server.submitted == [
        "tiny-step-00000100/gsm8k", "tiny-step-00000200/gsm8k", "tiny-step-00000100/mbpp", "tiny-step-00000200/mbpp",
    ]  # fmt: skip


def test_failed_cells_are_named_with_their_logs_after_all_others_are_done(
    tmp_path: Path, config: SweepConfig, server: Script
) -> None:
    server.ends = {"tiny-step-00000100/mbpp": [FAILED]}
    with pytest.raises(EvolrayError) as raised:
        stage.sweep(config)
    run = tmp_path / "sweep"
    (job,) = (job for job, cell in server.jobs.items() if cell.title == "tiny-step-00000100/mbpp")
    assert str(raised.value).splitlines() == [
        "1 of 4 cells failed:",
        "  tiny-step-00000100/mbpp: its job ended with exit code 1 (1 job); its log: "
        f"{run}/cells/tiny-step-00000100/mbpp/job.log",
        f"    === {job}: its job ended with exit code 1",
        f"    Loading {job}",
        "    out of memory",
        f"{run}/table.csv has the others. Once the cause is gone, the same command with retry_failed=true tries these "
        "again.",
    ]
    assert raised.value.exit_code == 1
    assert manifest(run)["status"] == "stopped"
    assert (run / "figure.png").exists()
    assert [row.status for row in results.read(str(run)).rows] == ["complete", "failed", "complete", "complete"]
    with pytest.raises(EvolrayError, match="1 of 4 cells failed"):
        stage.sweep(config)
    assert len(server.jobs) == 4
    stage.sweep(replace(config, retry_failed=True))
    assert manifest(run)["status"] == "complete"
    assert len(server.jobs) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_jobs_and_the_same_command_goes_on(
    tmp_path: Path, config: SweepConfig, server: Server, number: int
) -> None:
    server.ends = {"tiny-step-00000100/mbpp": [RUNNING] * 9}

    def interrupt(server: Server) -> None:
        if len(server.jobs) == 3:
            server.at_look = lambda server: None
            os.kill(os.getpid(), number)

    server.at_look = interrupt
    with pytest.raises(Interrupted, match="the same command goes on from here"):
        stage.sweep(config)
    assert "tiny-step-00000100/mbpp" in [server.jobs[job].title for job in server.stopped]
    assert manifest(tmp_path / "sweep")["status"] == "interrupted"
    server.ends.clear()
    assert [row.status for row in stage.sweep(config).rows] == ["complete"] * 4


def test_watching_takes_up_new_checkpoints_until_the_training_ends(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = places.training(tmp_path / "tiny", [], status="running")
    config = places.config(tmp_path, [run], watch=True, watch_seconds=1e-9, benchmarks=["gsm8k"])
    steps = iter([100, 200])
    asked = 0

    def train() -> None:
        """A step of the training for every few times that somebody looks at it."""
        nonlocal asked
        asked += 1
        if asked % 3 == 0:
            if (step := next(steps, None)) is not None:
                places.save(run, step)
            else:
                places.training(run, [])

    monkeypatch.setattr(stage.time, "sleep", lambda seconds: train())
    done = stage.sweep(config)
    assert [(row.step, row.status) for row in done.rows] == [(100, "complete"), (200, "complete")]


def test_cells_of_checkpoints_that_were_deleted_since_stay_in_the_table(
    tmp_path: Path, config: SweepConfig, server: Script
) -> None:
    done = stage.sweep(config)
    (tmp_path / "tiny/checkpoints/step-00000100/evolray.json").unlink()
    places.save(tmp_path / "tiny", 300)
    again = stage.sweep(config)
    assert [(row.step, row.benchmark) for row in again.rows] == [
        (step, benchmark) for step in (100, 200, 300) for benchmark in ("gsm8k", "mbpp")
    ]
    assert again.rows[:4] == done.rows
    assert len(server.jobs) == 6
    only_one = stage.sweep(replace(config, benchmarks=["mbpp"]))
    assert [(row.step, row.benchmark) for row in only_one.rows] == [(step, "mbpp") for step in (100, 200, 300)]


def test_an_endpoint_is_swept_over_settings(tmp_path: Path, server: Script) -> None:
    config = places.config(
        tmp_path, [], evaluate={"endpoint.model": "org/served"}, grid={"sampling.temperature": [0, 1]}
    )
    done = stage.sweep(config)
    assert [row.cell for row in done.rows][:2] == [
        "cells/served/gsm8k/sampling.temperature-0.0", "cells/served/gsm8k/sampling.temperature-1.0",
    ]  # fmt: skip
    assert {(row.checkpoint, row.step, row.model) for row in done.rows} == {("served", None, None)}


def test_the_run_says_its_config_without_credentials(tmp_path: Path, server: Script) -> None:
    config = places.config(
        tmp_path, [], evaluate={"endpoint": {"model": "served", "base_url": "https://user:secret@host/v1"}}
    )
    stage.sweep(config)
    said = yaml.safe_load((tmp_path / "sweep/run.yaml").read_text())
    assert said["config"]["evaluate"]["endpoint"]["base_url"] == "https://host/v1"
    assert said["identity"]["stage"] == "sweep"
    shown = [path for path, content in contents(tmp_path / "sweep").items() if b"secret" in content]
    assert {path.name for path in shown} == {"evaluate.yaml"}  # which the jobs read, and only this user


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"jobs": 0}, "jobs=0: expected at least 1."),
        ({"retries": -1}, "retries=-1: expected 0 or more."),
        ({"watch_seconds": 0.0}, "watch_seconds=0: expected more than 0."),
        ({"working_dir": "nowhere"}, "working_dir=nowhere: no such folder."),
        ({"run": "s3://bucket/run"}, "a sweep needs a path that every node sees"),
        ({"checkpoints": []}, r"expected checkpoints=\[...\] or evaluate.endpoint.model=NAME, one of the two."),
        ({"evaluate": {"endpoint.model": "x"}}, "one of the two"),
    ],
)
def test_a_mistake_is_found_before_anything_starts(
    tmp_path: Path, config: SweepConfig, server: Script, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        stage.sweep(replace(config, **settings))
    assert not (tmp_path / "sweep").exists()


def test_a_training_without_a_checkpoint_is_refused_unless_it_is_watched(tmp_path: Path, server: Script) -> None:
    run = places.training(tmp_path / "tiny", [], status="running")
    with pytest.raises(UserError) as raised:
        stage.sweep(places.config(tmp_path, [run]))
    assert str(raised.value) == (
        f"checkpoints: {run}: no complete checkpoint is there; watch=true waits for those of a running training."
    )
    with pytest.raises(UserError, match="no complete checkpoint of step 300 is there"):
        stage.sweep(places.config(tmp_path, [f"{run}:300"]))


def test_the_run_directory_of_another_stage_is_refused(tmp_path: Path, config: SweepConfig, server: Script) -> None:
    with pytest.raises(UserError, match="holds the run of another stage"):
        stage.sweep(replace(config, run=str(_other_run(tmp_path))))
    with pytest.raises(UserError, match="there is no sweep"):
        results.read(str(tmp_path / "tiny"))


def _other_run(tmp_path: Path) -> Path:
    run = tmp_path / "pool"
    run.mkdir()
    (run / "run.yaml").write_text("identity: {domain: open}\n")
    return run
