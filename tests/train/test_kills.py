"""kill -9 of a worker and of the driver, Ctrl-C and SIGTERM: the student is the one that nothing happened to."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.train import commands
from tests.train.commands import about, digest, ended, losses, start, status, workers_of
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

EXAMPLES, EPOCHS, GLOBAL_BATCH = 60, 25, 8
STEPS_PER_EPOCH = 8
STEPS = EPOCHS * STEPS_PER_EPOCH
KILL_AT = 60
SETTINGS: dict[str, Any] = {
    "epochs": EPOCHS, "global_batch": GLOBAL_BATCH, "workers__number": 2, "checkpoint_steps": 30, "keep_checkpoints": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return commands.write_data(tmp_path_factory.mktemp("data") / "data.jsonl", EXAMPLES)


@pytest.fixture(scope="module")
def whole(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("whole") / "run"
    ended(start(data=data, run=run, **SETTINGS))
    return run


def assert_as_if_nothing_had_happened(run: Path, whole: Path) -> None:
    expected = {
        "step": STEPS,
        "examples_seen": EPOCHS * EXAMPLES,
        "examples_digest": digest("data.jsonl", range(1, EXAMPLES + 1), EPOCHS),
    }
    for place in (run, whole):
        assert {key: about(place)[key] for key in expected} == expected
        assert status(place) == "complete"
    assert about(run)["tokens_seen"] == about(whole)["tokens_seen"]
    assert losses(run) == pytest.approx(losses(whole), abs=1e-5)
    assert len(losses(run)) == STEPS


@pytest.mark.long
def test_kill_a_worker(data: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    driver = start(data=data, run=run, **SETTINGS)
    wait_for(driver, lambda: max(losses(run), default=0) >= KILL_AT)
    _, second = workers_of(driver)
    second.kill()
    output = ended(driver)
    assert "workers were lost" in output
    assert_as_if_nothing_had_happened(run, whole)


def test_kill_the_driver(data: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    driver = start(data=data, run=run, **SETTINGS)
    wait_for(driver, lambda: max(losses(run), default=0) >= KILL_AT)
    workers = workers_of(driver)
    driver.kill()
    driver.communicate()
    before = about(run)["step"]
    assert 0 < before < STEPS
    ended(start(data=data, run=run, **SETTINGS))
    assert not any(worker.is_running() for worker in workers)
    assert_as_if_nothing_had_happened(run, whole)


@pytest.mark.long
def test_ctrl_c_and_sigterm_write_a_checkpoint_and_a_rerun_goes_on(data: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for reached, stop in ((KILL_AT, press_ctrl_c), (2 * KILL_AT, lambda driver: driver.terminate())):
        driver = start(data=data, run=run, **SETTINGS)
        wait_for(driver, lambda least=reached: max(losses(run), default=0) >= least)
        stop(driver)
        output = ended(driver, 130)
        stopped_at = about(run)["step"]
        assert reached <= stopped_at < STEPS and stopped_at == max(losses(run))
        assert f"stopped at step {stopped_at:,} of {STEPS:,}, with a checkpoint\nTo go on: evolray train " in output
        assert "Traceback" not in output
        assert status(run) == "interrupted"
    ended(start(data=data, run=run, **SETTINGS))
    assert_as_if_nothing_had_happened(run, whole)


def press_ctrl_c(driver: subprocess.Popen[str]) -> None:
    """As a terminal does: all that the command started gets the signal, too."""
    os.killpg(driver.pid, signal.SIGINT)
