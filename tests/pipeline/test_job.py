"""What a step's job does: the stage's command with the step's config, and its exit code."""

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolray import cli
from evolray.config import to_yaml
from evolray.pipeline import job
from evolray.pipeline.records import Records, StepRecord
from evolray.pool.layout import LocalFolder, RemoteFolder
from tests.pipeline import places


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The stages that were run, with what their config said."""
    commands: list[tuple[str, str]] = []

    def main(argv: list[str]) -> int:
        stage, path = argv
        commands.append((stage, Path(path).read_text()))
        return 4

    monkeypatch.setattr(cli, "main", main)
    return commands


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Of the step round-1/refine, which is ready for its job."""
    step = places.step(tmp_path, "round-1/refine")
    records = Records(LocalFolder(str(tmp_path)))
    records.write(StepRecord(step.name, step.stage))
    records.write_config(step.name, to_yaml(step.config))
    return to_yaml(step.config)


def test_a_job_runs_the_stage_s_command_with_the_step_s_config(
    tmp_path: Path, config: str, ran: list[tuple[str, str]]
) -> None:
    assert job.main([str(tmp_path), "round-1/refine"]) == 4
    assert ran == [("refine", config)]


def test_a_config_on_an_object_store_is_fetched(
    tmp_path: Path, config: str, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LocalFolder", RemoteFolder)  # as if the run directory were none
    assert job.main([str(tmp_path), "round-1/refine"]) == 4
    assert ran == [("refine", config)]


def test_a_node_that_does_not_see_the_run_directory_says_so(
    tmp_path: Path, ran: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.main([str(tmp_path), "round-1/refine"]) == 2
    assert capsys.readouterr().err == (
        f"evolray: {tmp_path} has no step round-1/refine. Does every node see this folder?\n"
    )
    assert ran == []


@pytest.fixture
def held(tmp_path: Path, config: str) -> Iterator[threading.Timer]:
    """The step's run directory is held by a job that is still dying; started, the timer ends that."""
    place = tmp_path / "of/round-1/refine"
    place.mkdir(parents=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = threading.Timer(0.05, lambda: fcntl.flock(lock, fcntl.LOCK_UN))
        yield release
        release.cancel()


def test_a_job_waits_for_an_earlier_one_to_be_gone(
    tmp_path: Path, held: threading.Timer, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "PAUSE_SECONDS", 0.001)
    held.start()
    assert job.main([str(tmp_path), "round-1/refine"]) == 4
    assert held.finished.is_set()
    assert len(ran) == 1


def test_a_job_does_not_wait_for_ever(
    tmp_path: Path, held: threading.Timer, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(job, "PAUSE_SECONDS", 0.001)
    assert job.main([str(tmp_path), "round-1/refine"]) == 4  # the stage itself says who holds it
    assert len(ran) == 1
