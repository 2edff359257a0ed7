"""A Ray Data actor pool that works through shards by number: descriptors go in, small rows come out.

So neither the driver's memory nor what Ray moves grows with the texts. An actor that dies is replaced by Ray Data, and
its shards run again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ray.data

ACTORS_READY_SECONDS = 60


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
    """`actor(*arguments)` is called with batches {"shard": [number]}, `shards_per_actor` at once, each in a thread."""
    import ray.data  # here, so that processes that only share the module need not load it

    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False  # ours says more
    context.print_on_execution_start = False
    context.memory_usage_poll_interval_s = None  # one thread per open shard otherwise, to no use
    if actors > 1:
        # Otherwise the first actor to be ready takes more than its share of the shards and keeps it.
        context.wait_for_min_actors_s = ACTORS_READY_SECONDS
    several = shards_per_actor > 1
    pool = ray.data.ActorPoolStrategy(
        size=actors,
        max_concurrent_calls_per_actor=shards_per_actor if several else None,
        max_tasks_in_flight_per_actor=shards_per_actor + 2 if several else 1,
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
            compute=pool,
        )


class Consumer(threading.Thread):
    """Hands each row to `take` as shards end, so that the main thread is free to show progress and be interrupted.

    Wait for `ended`, not for the thread: in Python 3.11 an interrupted join() takes a running thread for a dead one.
    """

    def __init__(self, dataset: "ray.data.Dataset", take: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(name="shards", daemon=True)
        self._dataset, self._take = dataset, take
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


def last_line(error: Exception) -> str:
    """What Ray's errors end in after the traceback of a worker."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:500]
