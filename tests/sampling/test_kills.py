"""kill -9 of a worker: its shard runs again and the samples are the ones that nothing happened to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from evolray.config import WorkersConfig
from evolray.errors import EvolrayError
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.sampling.checkpoint import CheckpointSampler
from evolray.sampling.questions import SAMPLED, read_samples, write_questions
from evolray.sampling.sampler import Sampling
from tests.sampling import tiny

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]

SHARDS = 4


def new_run(path: Path) -> Folder:
    folder = open_folder(str(path))
    for shard in range(SHARDS):
        questions = [replace(one, id=f"{one.id}-{shard}-{at}") for at in range(8) for one in tiny.questions(100)]
        write_questions(folder, shard, questions)
    return folder


def sample(student: Path, folder: Folder, show: Callable[[Sampling], None], max_failures: int = 3) -> None:
    workers = WorkersConfig(number=1, device="cpu", cpus=1, max_failures=max_failures)
    config = replace(tiny.configured(student, batch_tokens=600), workers=workers)
    CheckpointSampler(config).run(folder, range(SHARDS), show)


def worker_processes() -> list[psutil.Process]:
    """Those of this test's own Ray, which is a child of this process."""
    own = psutil.Process().children(recursive=True)
    return [one for one in own if any("MapBatches(Shards)" in part for part in one.cmdline())]


def test_a_killed_worker_is_replaced(student: Path, tmp_path: Path) -> None:
    whole, wounded = new_run(tmp_path / "whole"), new_run(tmp_path / "wounded")
    sample(student, whole, lambda sampling: None)
    killed: list[int] = []

    def kill(sampling: Sampling) -> None:
        if sampling.sampled and not killed:
            [process] = worker_processes()
            process.kill()
            killed.append(sampling.sampled)

    sample(student, wounded, kill)
    assert killed
    assert killed[0] < 56 * SHARDS
    assert [read_samples(whole, shard) for shard in range(SHARDS)] == [
        read_samples(wounded, shard) for shard in range(SHARDS)
    ]


def test_workers_that_die_again_and_again_end_the_run(student: Path, tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    killed: list[int] = []
    at_last = 0

    def kill(sampling: Sampling) -> None:
        nonlocal at_last
        if sampling.completion_tokens != at_last:  # the one at work has reported since
            at_last = sampling.completion_tokens
            for process in worker_processes():
                killed.append(process.pid)
                process.kill()

    with pytest.raises(EvolrayError, match=r"workers have died 2 times, more often than workers\.max_failures=1"):
        sample(student, folder, kill, max_failures=1)
    assert len(killed) >= 2
    assert len(shards_in(folder, SAMPLED)) < SHARDS
