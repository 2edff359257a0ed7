"""Steps on Ray: a task per shard, one at once on every core, numbers of shards in and counts out.

Plain tasks and not a dataset: a step must begin at once, there are half a dozen, and a small pool has one shard. A
worker process that dies is replaced by Ray and its shard run again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.metrics import Counter

from evolray.cluster import metrics
from evolray.cluster.on_ray import worth_asking_for
from evolray.cluster.ray_errors import last_line
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.errors import EvolrayError, Interrupted
from evolray.pool.layout import Folder
from evolray.refine.steps.step import Counts, ShardStep

POLL_SECONDS = 0.5
RETRIES = 3  # of a shard whose worker dies


def run_step(
    name: str,
    step: ShardStep,
    folder: Folder,
    shards: Sequence[int],
    workers: int | None,
    finished: Callable[[int, Counts], None],
    show: Callable[[], None] = lambda: None,
) -> None:
    """Work on the shards; `finished` is told of each as it ends, `show` is called twice a second.

    `workers`: shards at once; None: as many as the cluster has cores, or gets. Raises UserError, EvolrayError or
    Interrupted; the shards that are finished by then stay.
    """
    metric = Counter(*metrics.REFINED_SHARDS.arguments)
    todo, running = list(reversed(shards)), dict[Any, int]()
    with _interruptible(running):
        arguments = ray.put(step), folder
        while todo or running:
            at_once = workers or worth_asking_for()
            while todo and len(running) < at_once:
                shard = todo.pop()
                running[_run.remote(*arguments, shard)] = shard
            done, _ = ray.wait([*running], timeout=POLL_SECONDS)
            for promise in done:
                shard = running.pop(promise)
                finished(shard, _counts(promise, shard))
                metric.inc(1, {"run": folder.url, "step": name})
            show()


@contextmanager
def _interruptible(running: dict[Any, int]) -> Iterator[None]:
    try:
        with interrupted_by_sigterm():
            yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what is finished stays") from None
    finally:
        for promise in running:
            ray.cancel(promise, force=True)


def _counts(promise: Any, shard: int) -> Counts:
    try:
        counts: Counts = ray.get(promise)
        return counts
    except RayTaskError as error:
        if isinstance(error.cause, EvolrayError):
            raise error.cause from None
        raise EvolrayError(f"shard {shard}: {last_line(error)} (a bug, or a machine out of memory)") from error
    except RayError as error:
        raise EvolrayError(f"shard {shard}: {last_line(error)}") from error


@ray.remote(num_cpus=1, max_retries=RETRIES)
def _run(step: ShardStep, folder: Folder, shard: int) -> Counts:
    return step.run(folder, shard)
