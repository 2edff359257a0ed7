"""The engine on Ray: a Ray Data actor pool works through the shards, one coordinator shares out what is limited.

Descriptors of shards go in, rows of accounts come out: neither the driver's memory nor what Ray moves grows with the
texts. An actor that dies is replaced by Ray Data and its shards run again, from the ledger. The coordinator lives on
the driver's node; it also holds the endpoints' keys, which are in no runtime_env, so that no page of the dashboard
shows them.
"""

import gc
import json
import logging
import os
import time
import uuid
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import ray
from ray.util.metrics import Counter, Gauge
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolray.cluster import metrics
from evolray.cluster.ray_errors import last_line
from evolray.cluster.shards.on_ray import Consumer, over_shards
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import EngineConfig
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Orders, Report, Snapshot, Stop, why_unfinished
from evolray.engine.work import Work
from evolray.engine.worker import Worker
from evolray.errors import EvolrayError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
FIRST_POLL_SECONDS = 0.05
METRICS_SECONDS = 1.0
GC_THRESHOLDS = (20_000, 20, 50)
STOP_SECONDS = 10.0  # after Ctrl-C; longer than the workers take to drain


def run_shards(
    work: Work[Any, Any],
    coordinator: Coordinator,
    folder: Folder,
    shards: list[int],
    engine: EngineConfig,
    show: Callable[[Snapshot], None],
) -> tuple[dict[int, Accounts], Stop | None]:
    """Work on shards of a run directory. The accounts of those that are finished, and why not all are, if so.

    `show` is called about twice a second. KeyboardInterrupt stops the run, within `STOP_SECONDS`.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = CoordinatorActor.options(scheduling_strategy=here).remote(coordinator, folder.url)  # type: ignore[attr-defined]
    actor.entrust.remote(_keys(work))
    finished: dict[int, Accounts] = {}

    def take(row: Mapping[str, Any]) -> None:
        if row["accounts"]:
            finished[int(row["shard"])] = Accounts.from_json(json.loads(row["accounts"]))

    arguments, at_once = (work, folder, actor), work.shards_in_flight(engine)
    actors = min(engine.actors, len(shards))
    rows = over_shards(Shards, arguments, shards, actors, at_once, num_cpus=engine.cpus_per_actor)
    consumer = Consumer(rows, take)
    asked = {"CPU": engine.cpus_per_actor}

    def has_workers() -> bool:
        return bool(ray.get(actor.has_workers.remote()))

    with interrupted_by_sigterm():
        if not _interrupted(lambda: consumer.start_working(has_workers, asked), actor):
            _interrupted(lambda: _follow(consumer, actor, show), actor)
        consumer.end(STOP_SECONDS if has_workers() else 0)
    stop: Stop | None = ray.get(actor.stopped.remote())
    if consumer.error and not stop:
        raise EvolrayError(f"Ray gave up: {last_line(consumer.error)}") from consumer.error
    return finished, why_unfinished(shards, finished, stop)


def _follow(consumer: Consumer, coordinator: Any, show: Callable[[Snapshot], None]) -> None:
    while not consumer.ended.wait(POLL_SECONDS):
        show(ray.get(coordinator.snapshot.remote()))


def _interrupted(wait: Callable[[], None], coordinator: Any) -> bool:
    """Whether KeyboardInterrupt ended the wait. The workers are told, and go on to write down what is answered."""
    try:
        wait()
    except KeyboardInterrupt:
        ray.get(coordinator.stop.remote(Stop("interrupted", "interrupted")))
        return True
    return False


def _keys(work: Work[Any, Any]) -> dict[str, str]:
    names = {endpoint.api_key_env for endpoint in work.endpoints}
    return {name: os.environ[name] for name in names if name in os.environ}


class Shards:
    """What Ray Data runs: an actor with a worker. Never raises, since that would end the job with a traceback."""

    def __init__(self, work: Work[Any, Any], folder: Folder, coordinator: Any) -> None:
        name = f"{ray.get_runtime_context().get_node_id()[:8]}-{uuid.uuid4().hex[:8]}"
        # What is loaded by now stays. Left to itself, the collector scans it and all open items again and again, and
        # took a fifth of the time per call.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        os.environ.update(_fetch_keys(coordinator))
        if not folder.exists("run.yaml"):
            coordinator.stop.remote(Stop("error", _not_seen(folder.url)))

        async def exchange(report: Report) -> Orders:
            orders: Orders = await coordinator.exchange.remote(report)
            return orders

        self._worker = Worker(name, work, folder, exchange)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = [self._worker.run_shard(int(shard)) for shard in batch["shard"]]
        accounts = [json.dumps(result.accounts.to_json()) if result.accounts else "" for result in results]
        return {"shard": batch["shard"], "accounts": np.array(accounts, dtype=object)}


def _fetch_keys(coordinator: Any) -> dict[str, str]:
    while (keys := ray.get(coordinator.keys.remote())) is None:
        time.sleep(FIRST_POLL_SECONDS)
    return dict(keys)


@ray.remote(num_cpus=0, max_task_retries=-1)  # a connection may break for a moment
class CoordinatorActor:
    def __init__(self, coordinator: Coordinator, run: str) -> None:
        self._coordinator, self._metrics = coordinator, Metrics(run)
        self._keys: dict[str, str] | None = None

    def entrust(self, keys: dict[str, str]) -> None:
        """Not an argument of the constructor: those are kept by the cluster for as long as it remembers the actor."""
        self._keys = keys

    def exchange(self, report: Report) -> Orders:
        orders = self._coordinator.exchange(report, time.monotonic())
        self._metrics.observe(report, self._coordinator)
        return orders

    def snapshot(self) -> Snapshot:
        return self._coordinator.snapshot()

    def has_workers(self) -> bool:
        return self._coordinator.has_workers

    def stop(self, stop: Stop) -> None:
        self._coordinator.stop(stop)

    def stopped(self) -> Stop | None:
        return self._coordinator.stopped

    def keys(self) -> dict[str, str] | None:
        """None as long as the driver's word has not arrived."""
        return self._keys


class Metrics:
    """The figures of the run as Ray metrics."""

    def __init__(self, run: str) -> None:
        self._calls, self._tokens = Counter(*metrics.CALLS.arguments), Counter(*metrics.TOKENS.arguments)
        self._cost, self._outcomes = Counter(*metrics.COST.arguments), Counter(*metrics.OUTCOMES.arguments)
        self._refused = Counter(*metrics.REFUSED_CALLS.arguments)
        self._in_flight = Gauge(*metrics.CALLS_IN_FLIGHT.arguments)
        self._limit = Gauge(*metrics.CALLS_IN_FLIGHT_LIMIT.arguments)
        self._run = {"run": run}
        self._gathered, self._refusals, self._recorded = Accounts(), Tally[str](), 0.0

    def observe(self, report: Report, coordinator: Coordinator) -> None:
        """Gathers reports and hands them on once a second, since every recorded value costs Ray some CPU."""
        self._gathered.add(Accounts(outcomes=report.accounts.outcomes, usage=report.accounts.usage))
        for group, seen in report.usage.items():
            self._refusals[group] += seen.refused
        if time.monotonic() - self._recorded >= METRICS_SECONDS:
            self._record(coordinator)

    def _record(self, coordinator: Coordinator) -> None:
        gathered, self._gathered, self._recorded = self._gathered, Accounts(), time.monotonic()
        for purpose, usage in gathered.usage.items():
            self._calls.inc(usage.calls, {**self._run, "purpose": purpose})
            for side, tokens in (("prompt", usage.prompt_tokens), ("completion", usage.completion_tokens)):
                if tokens:
                    self._tokens.inc(tokens, {**self._run, "purpose": purpose, "side": side})
        if cost := coordinator.cost(gathered.usage):
            self._cost.inc(cost, self._run)
        for (generation, operator, fate, reason), number in gathered.outcomes.items():
            tags = {"generation": str(generation), "operator": operator, "fate": fate, "reason": reason}
            self._outcomes.inc(number, {**self._run, **tags})
        for group in coordinator.groups:
            tags = {**self._run, "endpoint": group}
            if refused := self._refusals.pop(group, 0):
                self._refused.inc(refused, tags)
            self._in_flight.set(coordinator.in_flight(group), tags)
            self._limit.set(coordinator.limit(group), tags)


def _not_seen(url: str) -> str:
    return (
        f"run={url}: a node of the cluster does not see this directory. "
        "Use a path on shared storage or a URL such as s3://bucket/run."
    )
