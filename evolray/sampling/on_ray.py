"""A checkpoint's samples on Ray: a Ray Data actor pool works through the shards, one board says how far they are.

Numbers of shards go in and out; questions and samples go through the run directory. An actor loads the model when it
gets its first shard. One that dies is replaced by Ray Data and its shard run again. Nothing is raised in an actor,
since that would end the job with a traceback: what goes wrong is written on the board, and the driver raises it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.util.metrics import Gauge
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolray.cluster import metrics
from evolray.cluster.machine import Machine
from evolray.cluster.on_ray import cluster, find_machine, with_cpus
from evolray.cluster.ray_errors import last_line
from evolray.cluster.shards.on_ray import Consumer, over_shards
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import SamplerConfig
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.layout import Folder
from evolray.sampling.board import Board, Stop, Tally
from evolray.sampling.fetching import fetch
from evolray.sampling.resolve import FoundModel
from evolray.sampling.sampler import Sampling
from evolray.sampling.shard_worker import ShardWorker, ToldToStop

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
STOP_SECONDS = 10.0  # after Ctrl-C; a step of a large model on a CPU may take some of them
RAISED: dict[str, type[EvolrayError]] = {"interrupted": Interrupted, "user": UserError, "error": EvolrayError}


@dataclass(frozen=True)
class Orders:
    """What every worker is told. `folder`: the run directory."""

    model: FoundModel
    config: SamplerConfig
    folder: Folder


def run_shards(
    orders: Orders,
    shards: list[int],
    earlier: Tally,
    check: Callable[[Machine], None],
    show: Callable[[Sampling], None],
) -> None:
    """Sample the shards. `show` is called about twice a second; `check` may refuse the machines that were found.

    Raises UserError, Interrupted or EvolrayError; the shards that are finished by then stay.
    """
    with cluster():
        workers = with_cpus(orders.config.workers)
        machine = find_machine(workers)
        check(machine)
        number = min(workers.number, len(shards))
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        board = BoardActor.options(scheduling_strategy=here).remote(  # type: ignore[attr-defined]
            Board(number, workers.max_failures, earlier), orders.folder.url
        )
        finished: set[int] = set()

        def take(row: Mapping[str, Any]) -> None:
            if row["finished"]:
                finished.add(int(row["shard"]))

        gpus = 1 if machine.device == "gpu" else 0
        arguments = orders, machine, max(1, int(workers.cpus or 1)), board
        consumer = Consumer(
            over_shards(Shards, arguments, shards, number, num_cpus=workers.cpus or 0, num_gpus=gpus), take
        )
        asked = {"CPU": workers.cpus or 0, "GPU": gpus}

        def has_workers() -> bool:
            return bool(ray.get(board.has_workers.remote()))

        with interrupted_by_sigterm():
            try:
                consumer.start_working(has_workers, asked)
                _follow(consumer, board, show)
            except KeyboardInterrupt:
                ray.get(board.stop.remote(Stop("interrupted", "interrupted; finished shards are kept")))
            consumer.end(STOP_SECONDS if has_workers() else 0)
        if missing := {*shards} - finished:  # else a stop came too late to stop anything
            _raise_why(missing, consumer, ray.get(board.stopped.remote()))


def _follow(consumer: Consumer, board: Any, show: Callable[[Sampling], None]) -> None:
    while True:
        ended = consumer.ended.wait(POLL_SECONDS)
        show(ray.get(board.sampling.remote()))
        if ended:
            return


def _raise_why(missing: set[int], consumer: Consumer, stop: Stop | None) -> None:
    if stop:
        raise RAISED[stop.kind](stop.message)
    if consumer.error:
        raise EvolrayError(f"Ray gave up: {last_line(consumer.error)}") from consumer.error
    raise EvolrayError(f"{len(missing)} shards ended without a result, shard {min(missing)} first.")


@ray.remote(num_cpus=0, max_task_retries=-1)  # a connection may break for a moment
class BoardActor:
    def __init__(self, board: Board, run: str) -> None:
        self._board, self._run = board, run
        self._samples, self._tokens = Gauge(*metrics.SAMPLES.arguments), Gauge(*metrics.SAMPLE_TOKENS.arguments)

    def enter(self) -> bool:
        return self._board.enter()

    def has_workers(self) -> bool:
        return self._board.has_workers

    def report(self, shard: int, tally: Tally) -> bool:
        return self._board.report(shard, tally)

    def stop(self, stop: Stop) -> None:
        self._board.stop(stop)

    def stopped(self) -> Stop | None:
        return self._board.stopped

    def sampling(self) -> Sampling:
        sampling = self._board.sampling(time.monotonic())
        for fate, number in (("answered", sampling.sampled), ("failed", sampling.failed)):
            self._samples.set(number, {"run": self._run, "fate": fate})
        for side, tokens in (("prompt", sampling.prompt_tokens), ("completion", sampling.completion_tokens)):
            self._tokens.set(tokens, {"run": self._run, "side": side})
        return sampling


class Shards:
    """What Ray Data runs: an actor with a model."""

    def __init__(self, orders: Orders, machine: Machine, threads: int, board: Any) -> None:
        self._orders, self._machine, self._threads, self._board = orders, machine, threads, board
        self._worker: ShardWorker | None = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"shard": batch["shard"], "finished": np.array([self._finishes(int(one)) for one in batch["shard"]])}

    def _finishes(self, shard: int) -> bool:
        try:
            if self._worker is None:
                if not ray.get(self._board.enter.remote()):
                    return False
                self._worker = self._open()
            self._worker(shard)
            return True
        except ToldToStop:
            pass
        except UserError as error:
            self._stop(Stop("user", str(error)))
        except EvolrayError as error:
            self._stop(Stop("error", str(error)))
        except Exception as error:
            logger.exception("shard %d", shard)  # to this worker's log; the driver says one line
            self._stop(Stop("error", f"shard {shard}: {type(error).__name__}: {last_line(error)}"))
        return False

    def _open(self) -> ShardWorker:
        from evolray.sampling.models.answering import Answering
        from evolray.sampling.models.loading import compute_with
        from evolray.sampling.models.source import Source

        compute_with(self._threads)
        model = self._orders.model
        source = Source(model.name if model.tree is None else fetch(model.tree), model.revision)
        answering = Answering(source, model.name, self._orders.config, self._machine)

        def report(shard: int, tally: Tally) -> bool:
            return bool(ray.get(self._board.report.remote(shard, tally)))

        return ShardWorker(answering, self._orders.folder, report)

    def _stop(self, stop: Stop) -> None:
        ray.get(self._board.stop.remote(stop))
