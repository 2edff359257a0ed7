"""A Ray Data actor pool that works through shards by number: descriptors go in, small rows come out.

So neither the driver's memory nor what Ray moves grows with the texts. An actor that dies is replaced by Ray Data, and
its shards run again. Actors start when there is room for them, and work begins with the first.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ray

from evolray.cluster.terminal import without_known_noise

if TYPE_CHECKING:
    import ray.data

logger = logging.getLogger(__name__)

NODE_ID = "ray.io/node-id"  # a label that every node has
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 15.0  # where there is room, actors start within some 3
GIVING_UP_SECONDS = 5.0
INIT_DEATHS = 5  # in a row: nodes may go while actors start on them


def over_shards(
    actor: type,
    arguments: tuple[Any, ...],
    shards: Sequence[int],
    actors: int,
    shards_per_actor: int = 1,
    *,
    num_cpus: float,
    num_gpus: float = 0,
) -> "ray.data.Dataset":
    """`actor(*arguments)` is called with batches {"shard": [number]}, `shards_per_actor` at once, each in a thread.

    Actors that ask for nothing stay on this node: elsewhere they would keep a machine from being idle.
    """
    import ray.data  # here, so that processes that only share the module need not load it

    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False  # ours says more
    context.print_on_execution_start = False
    context.memory_usage_poll_interval_s = None  # one thread per open shard otherwise, to no use
    context.op_resource_reservation_enabled = False  # rows are tiny; with it, a head of 0 cores gets a shard at a time
    context.max_consecutive_actor_init_deaths = INIT_DEATHS
    context.custom_execution_callback_classes = [*context.custom_execution_callback_classes, Introduction]  # type: ignore[list-item]
    several = shards_per_actor > 1
    # What an actor was given it keeps: those that are there first must leave their share to those that come later.
    share = math.ceil(len(shards) / actors)
    pool = ray.data.ActorPoolStrategy(
        size=actors,
        max_concurrent_calls_per_actor=shards_per_actor if several else None,
        max_tasks_in_flight_per_actor=min(shards_per_actor + 2, share) if several else 1,
        enable_true_multi_threading=several,
    )
    with ray.data.DataContext.current(context):
        descriptors = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        return descriptors.map_batches(
            actor,
            fn_constructor_args=arguments,
            batch_size=None,
            batch_format="numpy",
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            label_selector=None if num_cpus or num_gpus else {NODE_ID: ray.get_runtime_context().get_node_id()},
            compute=pool,
        )


class Consumer(threading.Thread):
    """Hands each row to `take` as shards end, so that the main thread is free to show progress and be interrupted.

    Wait for `ended`, not for the thread: in Python 3.11 an interrupted join() takes a running thread for a dead one.
    """

    def __init__(self, dataset: "ray.data.Dataset", take: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(name="shards", daemon=True)
        self._dataset, self._take = dataset, take
        self.executor: Any = None
        self.error: Exception | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            for row in self._dataset.iter_rows():
                self._take(row)
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()

    def start_working(self, has_workers: Callable[[], bool], asked: Mapping[str, float]) -> None:
        """Start, and return when a worker is there or all has ended. `asked`: what each worker asks of Ray."""
        with without_known_noise():
            self.start()
            if self._wait_for(has_workers, PATIENCE_SECONDS):
                return
        logger.warning("no worker has started yet: %s", what_is_missing(asked))
        self._wait_for(has_workers, math.inf)

    def _wait_for(self, has_workers: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ended.wait(POLL_SECONDS) or has_workers():
                return True
        return False

    def end(self, seconds: float) -> None:
        """Wait that long for what still runs, and give up what has not ended by then."""
        if not self.ended.wait(seconds) and self.executor:
            self.executor.shutdown(force=True)
            self.ended.wait(GIVING_UP_SECONDS)


class Introduction:
    """Gives a consumer what executes its dataset. An ExecutionCallback to Ray Data, which makes and calls it."""

    def before_execution_starts(self, executor: Any) -> None:
        if isinstance(thread := threading.current_thread(), Consumer):
            thread.executor = executor

    def on_execution_step(self, executor: Any) -> None: ...

    def after_execution_succeeds(self, executor: Any) -> None: ...

    def after_execution_fails(self, executor: Any, error: Exception) -> None: ...


def what_is_missing(asked: Mapping[str, float]) -> str:
    there, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
    each = [
        f"{number:g} {name}s (the cluster has {there.get(name, 0):g}, {free.get(name, 0):g} of them free)"
        for name, number in asked.items()
        if number
    ]
    if not each:
        return "the machines are busy"
    return f"each asks for {' and '.join(each)}; the run begins when there is room"
