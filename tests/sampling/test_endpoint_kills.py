"""kill -9 and Ctrl-C while an endpoint is sampled: the same samples, nothing paid twice but what was in flight."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.records import Turn
from evolray.sampling.questions import SAMPLED, Question, read_samples, write_questions
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings
from tests.waiting import wait_for_answers

pytestmark = pytest.mark.slow

SHARDS, PER_SHARD, IN_FLIGHT = 8, 40, 32
QUESTIONS = SHARDS * PER_SHARD
CALLS = QUESTIONS * 3 // 2  # every other question is a conversation of two turns
INTERRUPTED = 130
MORE = ("Who lives there?",)

PROGRAM = """
import json, sys
from evolray.cluster.on_ray import cluster
from evolray.config import SamplerConfig, from_mapping
from evolray.errors import EvolrayError
from evolray.pool.layout import open_folder, shards_in
from evolray.sampling.endpoint import EndpointSampler
from evolray.sampling.questions import SAMPLED

run, shards, settings = json.loads(sys.argv[1])
folder = open_folder(run)
todo = [shard for shard in range(shards) if shard not in shards_in(folder, SAMPLED)]
try:
    with cluster():
        EndpointSampler(from_mapping(SamplerConfig, settings)).run(folder, todo, lambda now: None)
except EvolrayError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running(ServerSettings(flaws=0, latency_seconds=0.1, sigma=0.8)) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = open_folder(str(tmp_path / "run"))
    folder.write("run.yaml", b"")
    for shard in range(SHARDS):
        rows = [
            Question(f"{shard}-{n}", 0, (Turn("user", f"Describe harbour {shard}-{n}."),), follow_ups=MORE[: n % 2])
            for n in range(PER_SHARD)
        ]
        write_questions(folder, shard, rows)
    return folder


def start(folder: Folder, endpoint: str) -> subprocess.Popen[str]:
    """A driver in a process of its own, with a Ray of its own."""
    settings = {
        "endpoint.model": "simulated", "endpoint.base_url": endpoint, "endpoint.max_in_flight": IN_FLIGHT,
        "engine.shard_size": PER_SHARD,
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, json.dumps([folder.url, SHARDS, settings])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(folder: Folder, endpoint: str) -> None:
    again = start(folder, endpoint)
    output, _ = again.communicate()
    assert again.returncode == 0, output


def assert_whole(folder: Folder) -> None:
    assert shards_in(folder, SAMPLED) == list(range(SHARDS))
    found = [sample for shard in range(SHARDS) for sample in read_samples(folder, shard)]
    assert len({sample.id for sample in found}) == len(found) == QUESTIONS
    assert all(sample.text and not sample.cause for sample in found)
    assert sum(len(sample.earlier) for sample in found) == CALLS - QUESTIONS


def test_kill_the_driver(endpoint: str, folder: Folder) -> None:
    fetch(endpoint, "reset")
    driver = start(folder, endpoint)
    wait_for_answers(endpoint, CALLS // 2, lambda: driver.poll() is None)
    driver.kill()
    driver.communicate()
    finish(folder, endpoint)
    assert_whole(folder)
    assert fetch(endpoint, "stats")["requests"] <= CALLS + IN_FLIGHT


def test_kill_an_actor(endpoint: str, folder: Folder) -> None:
    fetch(endpoint, "reset")
    driver = start(folder, endpoint)
    wait_for_answers(endpoint, CALLS // 2, lambda: driver.poll() is None)
    actors = [child for child in psutil.Process(driver.pid).children(recursive=True) if "MapWorker" in child.name()]
    assert len(actors) == 1
    actors[0].kill()
    output, _ = driver.communicate()
    assert driver.returncode == 0, output
    assert_whole(folder)
    assert fetch(endpoint, "stats")["requests"] <= CALLS + IN_FLIGHT


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_interrupt_the_driver(number: signal.Signals, endpoint: str, folder: Folder) -> None:
    """What is in flight gets a moment to be answered, so that nothing at all is paid twice."""
    fetch(endpoint, "reset")
    driver = start(folder, endpoint)
    wait_for_answers(endpoint, CALLS // 2, lambda: driver.poll() is None)
    driver.send_signal(number)
    output, _ = driver.communicate()
    assert driver.returncode == INTERRUPTED, output
    assert "shards are sampled; every answer is in the ledger" in output
    assert len(shards_in(folder, SAMPLED)) < SHARDS
    finish(folder, endpoint)
    assert_whole(folder)
    assert fetch(endpoint, "stats")["requests"] <= CALLS + 2  # a call may take longer than that moment
