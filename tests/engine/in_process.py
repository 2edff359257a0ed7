"""The engine in the test's own process: one worker and its coordinator, without Ray."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from evolray.config import EngineConfig
from evolray.engine import worker as worker_module
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Orders, Report, Snapshot, Stop, why_unfinished
from evolray.engine.work import Work
from evolray.engine.worker import Worker
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder


def run_shards(
    work: Work[Any, Any],
    coordinator: Coordinator,
    folder: Folder,
    shards: list[int],
    engine: EngineConfig,
    show: Callable[[Snapshot], None],
) -> tuple[dict[int, Accounts], Stop | None]:
    """As `evolray.engine.on_ray.run_shards`."""

    async def exchange(report: Report) -> Orders:
        return coordinator.exchange(report, time.monotonic())

    worker = Worker("here", work, folder, exchange)
    try:
        with ThreadPoolExecutor(work.shards_in_flight(engine)) as threads:
            results = list(threads.map(worker.run_shard, shards))
    finally:
        worker.close()
    show(coordinator.snapshot())
    finished = {result.shard: result.accounts for result in results if result.accounts}
    return finished, why_unfinished(shards, finished, coordinator.stopped)


def in_place_of_ray(patch: pytest.MonkeyPatch) -> None:
    """Whoever imports the engine's Ray part from here on gets this one."""
    module = SimpleNamespace(run_shards=run_shards)
    patch.setitem(sys.modules, "evolray.engine.on_ray", module)  # type: ignore[arg-type]
    patch.setattr(sys.modules["evolray.engine"], "on_ray", module, raising=False)
    patch.setattr(worker_module, "EXCHANGE_SECONDS", 0.005)
