"""kill -9 and Ctrl-C of a refining, in its steps and while a judge is asked: the same mix, no answer paid for twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings
from tests.waiting import wait_for, wait_for_answers

pytestmark = pytest.mark.slow

RECORDS, IN_FLIGHT = 600, 16
WORDS = [f"{first}{vowel}{last}" for first in "bdfgklmnprst" for vowel in "aeiou" for last in ("ra", "lin", "dor")]
INTERRUPTED = 130


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running(ServerSettings(flaws=0, latency_seconds=0.05, sigma=0.5)) as url:
        yield url


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tenth are copies of the record before them, a tenth nearly so."""
    path = tmp_path_factory.mktemp("data") / "seeds.jsonl"
    texts = [" ".join(Random(n).choices(WORDS, k=25)) for n in range(RECORDS)]
    for n in range(10, RECORDS, 10):
        texts[n], texts[n - 1] = texts[n - 2].upper(), f"{texts[n - 3]} {texts[n][:5]}"
    path.write_text("".join(f'{{"instruction": "{text}.", "output": "Answer {n}."}}\n' for n, text in enumerate(texts)))
    return path


def start(run: Path, data: Path, endpoint: str) -> "subprocess.Popen[str]":
    """The command as a user types it, with a Ray of its own."""
    settings = {
        "data": data, "run": run, "shard_size": 50, "judging.difficulty": "true", "select.records": 300,
        "select.order": "hardest", "judge.model": "simulated", "judge.base_url": endpoint,
        "judge.max_in_flight": IN_FLIGHT, "formats": "[alpaca]",
    }  # fmt: skip
    command = [sys.executable, "-m", "evolray.cli", "refine", *(f"{key}={value}" for key, value in settings.items())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(run: Path, data: Path, endpoint: str) -> None:
    again = start(run, data, endpoint)
    output, _ = again.communicate()
    assert again.returncode == 0, output


def files(run: Path) -> dict[str, bytes]:
    kinds = ("pool", "dropped", "training")
    return {f"{kind}/{path.name}": path.read_bytes() for kind in kinds for path in sorted((run / kind).iterdir())}


@pytest.fixture(scope="module")
def whole(data: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """The files of an uninterrupted run, and the number of requests that it made."""
    run = tmp_path_factory.mktemp("whole") / "mix"
    fetch(endpoint, "reset")
    finish(run, data, endpoint)
    return files(run), fetch(endpoint, "stats")["requests"]


@pytest.mark.parametrize("step", [pytest.param("duplicates-1", marks=pytest.mark.long), "judging"])
def test_kill_the_driver(
    step: str, whole: tuple[dict[str, bytes], int], data: Path, endpoint: str, tmp_path: Path
) -> None:
    """`step`: what has begun when the driver is killed."""
    run = tmp_path / "mix"
    fetch(endpoint, "reset")
    driver = start(run, data, endpoint)
    if step == "judging":
        wait_for_answers(endpoint, whole[1] // 2, lambda: driver.poll() is None)
    else:
        wait_for(driver, (run / "steps" / f"{step}.json").exists, pause=0.01)
    driver.kill()
    driver.communicate()
    finish(run, data, endpoint)
    assert files(run) == whole[0]
    assert fetch(endpoint, "stats")["requests"] <= whole[1] + IN_FLIGHT


def test_interrupt_the_driver(whole: tuple[dict[str, bytes], int], data: Path, endpoint: str, tmp_path: Path) -> None:
    run = tmp_path / "mix"
    fetch(endpoint, "reset")
    driver = start(run, data, endpoint)
    wait_for_answers(endpoint, whole[1] // 2, lambda: driver.poll() is None)
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate()
    assert driver.returncode == INTERRUPTED, output
    assert (
        "To go on: evolray refine data=" in output and '"status": "interrupted"' in (run / "manifest.json").read_text()
    )
    finish(run, data, endpoint)
    assert files(run) == whole[0]
    assert fetch(endpoint, "stats")["requests"] <= whole[1] + 2  # a call may take longer than the moment it gets
