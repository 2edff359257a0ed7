"""A worker works on shards: one event loop, one set of teachers, several shards open at once.

No Ray here. Threads call `run_shard` and wait; the items of all open shards run on the worker's own loop. A few
times a second the worker reports what it did and is told what it may do (`exchange`).
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from evolray.engine.messages import Orders, Report, ShardResult, Stop, stop_kind
from evolray.engine.teachers import RememberingTeacher, Teachers
from evolray.engine.work import Work
from evolray.errors import EvolrayError
from evolray.method.teacher import Purpose
from evolray.pool.accounts import Usage
from evolray.pool.layout import Folder
from evolray.pool.ledger import open_ledger
from evolray.teachers.throttle import Grant

logger = logging.getLogger(__name__)

EXCHANGE_SECONDS = 0.25
DRAIN_SECONDS = 3.0  # how long calls in flight may still be answered once the run stops

Exchange = Callable[[Report], Awaitable[Orders]]


class Worker:
    def __init__(self, name: str, work: Work[Any, Any], folder: Folder, exchange: Exchange) -> None:
        self._name, self._work, self._folder, self._exchange = name, work, folder, exchange
        self._stop: Stop | None = None
        self._open: set[asyncio.Task[Any]] = set()
        self._reports = 0
        self._progress = Report(name, {})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="calls", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def run_shard(self, shard: int) -> ShardResult:
        """Work on one shard and write it. Blocks; called from as many threads as shards should be open at once."""
        if self._stop:
            return ShardResult(shard, None)
        try:
            items = self._work.read(self._folder, shard)
            known = self._work.known(self._folder, shard)
            ledger = open_ledger(self._folder, shard)
            teacher = RememberingTeacher(self._work.roles, self._teachers, shard, known, ledger, self._paid)
            try:
                running = self._run(items, teacher)
                outcomes = asyncio.run_coroutine_threadsafe(running, self._loop).result()
            finally:
                ledger.close()  # before the shard says that it is finished
            if outcomes is None:
                return ShardResult(shard, None)
            accounts = self._work.write(self._folder, shard, items, outcomes, teacher.used.usage)
            self._loop.call_soon_threadsafe(self._finished_one)
            return ShardResult(shard, accounts)
        except EvolrayError as error:
            stop = Stop(stop_kind(error), str(error))
        except Exception as error:
            logger.exception("shard %d", shard)
            stop = Stop("error", f"shard {shard}: {type(error).__name__}: {error} (a bug, in evolray or in a script)")
        # Before this shard returns, so that the driver knows why when it has no more shards to wait for.
        asyncio.run_coroutine_threadsafe(self._halt_and_report(stop), self._loop).result()
        return ShardResult(shard, None)

    def close(self) -> None:
        """Report for the last time and end the loop."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run_loop(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _start(self) -> None:
        self._teachers = Teachers(self._work)
        self._trading = asyncio.Lock()
        await self._trade()
        self._heartbeat = asyncio.create_task(self._beat())

    async def _finish(self) -> None:
        self._heartbeat.cancel()
        await asyncio.gather(self._heartbeat, return_exceptions=True)
        await self._trade()
        await self._teachers.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            await self._trade()

    async def _trade(self) -> None:
        async with self._trading:  # reports must arrive in their order
            await self._trade_once()

    async def _trade_once(self) -> None:
        """One exchange. A coordinator that is gone means that the driver is: stop."""
        report, self._progress = self._progress, Report(self._name, {})
        report.usage = {group: gate.usage() for group, gate in self._teachers.gates.items()}
        report.shards_open, report.stop = len(self._open), self._stop
        self._reports += 1
        report.number = self._reports
        try:
            orders = await self._exchange(report)
        except Exception as error:
            logger.warning("the coordinator is gone: %s", error)
            self._halt(Stop("interrupted", "the driver of this run is gone"))
            return
        if orders.stop and not self._stop:
            self._halt(orders.stop)
        for group, grant in orders.grants.items():
            self._teachers.gates[group].apply(Grant(slots=0) if self._stop else grant)

    async def _halt_and_report(self, stop: Stop) -> None:
        self._halt(stop)
        await self._trade()

    def _halt(self, stop: Stop) -> None:
        """No new calls from now on; those in flight get a moment to be answered, then every item is dropped."""
        if self._stop:
            return
        self._stop = stop
        for gate in self._teachers.gates.values():
            gate.apply(Grant(slots=0))
        self._drain = asyncio.create_task(self._cancel_when_drained())

    async def _cancel_when_drained(self) -> None:
        deadline = self._loop.time() + DRAIN_SECONDS
        while any(gate.in_flight for gate in self._teachers.gates.values()) and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        for task in self._open:
            task.cancel()

    async def _run(self, items: Sequence[Any], teacher: RememberingTeacher) -> list[Any] | None:
        """All outcomes of the shard's items, or None when the run stops first."""
        task = asyncio.create_task(self._gather(items, teacher))
        self._open.add(task)
        if self._stop:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None
        except BaseExceptionGroup as group:
            raise first_of(group) from None
        finally:
            self._open.discard(task)

    async def _gather(self, items: Sequence[Any], teacher: RememberingTeacher) -> list[Any]:
        by_item: list[list[Any]] = [[] for _ in items]
        async with asyncio.TaskGroup() as group:
            for item, outcomes in zip(items, by_item, strict=True):
                group.create_task(self._work.run(item, teacher, partial(self._ended, outcomes)))
        return [outcome for outcomes in by_item for outcome in outcomes]

    def _finished_one(self) -> None:
        self._progress.shards_finished += 1

    def _ended(self, outcomes: list[Any], outcome: Any) -> None:
        outcomes.append(outcome)
        self._work.tally(self._progress.accounts, outcome)

    def _paid(self, purpose: Purpose, usage: Usage) -> None:
        self._progress.accounts.spend(purpose, usage)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a group; an error of evolray's goes before any other."""
    errors: list[BaseException] = []
    for error in group.exceptions:
        errors.append(first_of(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in errors if isinstance(error, EvolrayError)), errors[0])
