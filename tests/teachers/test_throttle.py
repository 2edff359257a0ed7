"""The gate: who is next, how many, how fast. Time is virtual, so nothing waits and every instant is exact."""

import asyncio
import random
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from evolray.teachers.throttle import Gate, Grant


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        really_select = selector.select

        def select(timeout: float | None) -> list[Any]:
            events: list[Any] = really_select(0)
            if not events:
                assert timeout is not None, "everything waits for something that no timer will bring"
                self._virtual += timeout
            return events

        selector.select = select

    def time(self) -> float:
        return self._virtual


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main)


def test_waiters_are_served_by_priority_and_then_by_arrival() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=1))
        await gate.acquire(0)
        served: list[str] = []

        async def waiter(name: str, priority: int) -> None:
            await gate.acquire(priority)
            served.append(name)
            gate.answered(0.1)

        tasks = []
        order = (("shard 7, first", 7), ("shard 2, first", 2), ("shard 7, second", 7), ("shard 2, second", 2))
        for name, priority in order:
            tasks.append(asyncio.create_task(waiter(name, priority)))
            await asyncio.sleep(0)
        gate.answered(0.1)
        await asyncio.gather(*tasks)
        assert served == ["shard 2, first", "shard 2, second", "shard 7, first", "shard 7, second"]

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_never_more_than_the_slots_and_cancelled_waiters_leak_none(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        gate = Gate(Grant(slots=5))
        running = highest = finished = 0

        async def caller() -> None:
            nonlocal running, highest, finished
            await gate.acquire(rng.randrange(3))
            running += 1
            highest = max(highest, running)
            try:
                await asyncio.sleep(rng.random())
            finally:
                running -= 1
                gate.abandoned()
            finished += 1

        tasks = [asyncio.create_task(caller()) for _ in range(300)]
        for _ in range(150):
            await asyncio.sleep(rng.random() * 0.1)
            rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert highest == 5
        assert 0 < finished < 300
        assert (gate.in_flight, gate.waiting) == (0, 0)
        for _ in range(5):
            await gate.acquire()  # all five slots are still there

    run(main())


def test_a_waiter_cancelled_in_the_instant_it_was_served_gives_the_slot_back() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=1))
        await gate.acquire()
        served = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.answered(1.0)  # serves the waiter, which has not run yet
        served.cancel()
        await asyncio.gather(served, return_exceptions=True)
        assert gate.in_flight == 0
        await gate.acquire()

    run(main())


def test_a_lower_cap_drains_and_a_higher_one_serves_at_once() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=3))
        waiters = [asyncio.create_task(gate.acquire()) for _ in range(6)]
        await asyncio.sleep(0)
        gate.apply(Grant(slots=1))
        gate.answered(1.0)
        gate.answered(1.0)
        await asyncio.sleep(0)
        assert (gate.in_flight, gate.waiting) == (1, 3)
        gate.apply(Grant(slots=4))
        await asyncio.gather(*waiters)
        assert (gate.in_flight, gate.waiting) == (4, 0)

    run(main())


def test_a_closed_gate_opens_with_its_first_grant() -> None:
    async def main() -> None:
        gate = Gate()
        waiter = asyncio.create_task(gate.acquire())
        await asyncio.sleep(10)
        assert not waiter.done()
        gate.apply(Grant(slots=1))
        await waiter

    run(main())


def test_the_pace_holds_and_its_burst_is_small() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(Grant(slots=1000, requests_per_second=50.0))
        starts = []
        for _ in range(250):
            await gate.acquire()
            starts.append(loop.time())
        assert starts[-1] == pytest.approx(249 / 50, abs=0.11)
        await asyncio.sleep(60)  # what was not used does not pile up
        before = loop.time()
        for _ in range(55):
            await gate.acquire()
        assert loop.time() - before == pytest.approx(1.0, abs=0.05)

    run(main())


def test_the_token_pace_follows_what_was_really_used() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(Grant(slots=10, tokens_per_second=100.0))
        for _ in range(20):
            await gate.acquire(tokens=50)
            gate.answered(0.1, prompt_tokens=100, completion_tokens=100, reserved_tokens=50)
        assert loop.time() == pytest.approx(19 * 200 / 100, rel=0.1)

    run(main())


def test_a_refusal_pauses_every_call_until_retry_after_has_passed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(Grant(slots=10))
        await gate.acquire()
        waits = gate.refused(retry_after=4.0)
        assert 4.0 <= waits <= 4.4
        await gate.acquire()
        assert 4.0 <= loop.time() <= 4.4
        assert gate.usage().refused == 1

    run(main())


def test_refusals_that_name_no_time_pause_longer_each_time() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=10))
        pauses = []
        for _ in range(5):
            await gate.acquire()
            pauses.append(gate.refused())
        assert all(later > 1.5 * earlier for earlier, later in pairwise(pauses))
        await gate.acquire()
        gate.answered(1.0)
        await gate.acquire()
        assert gate.refused() < 1.0  # an answer in between starts over

    run(main())


def test_refusals_of_one_burst_count_as_one() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=50))
        for _ in range(50):
            await gate.acquire()
        longest = max(gate.refused() for _ in range(50))
        assert longest < 1.0
        assert gate.usage().refused == 50

    run(main())


def test_calls_started_since_the_report_count_against_the_grant_that_answers_it() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=100, calls=10))
        for _ in range(4):
            await gate.acquire()
        assert gate.usage().started == 4
        for _ in range(3):
            await gate.acquire()  # the coordinator does not know of these three
        gate.apply(Grant(slots=100, calls=5))
        waiters = [asyncio.create_task(gate.acquire()) for _ in range(10)]
        await asyncio.sleep(1)
        assert sum(waiter.done() for waiter in waiters) == 2
        assert gate.usage().started == 5
        gate.apply(Grant(slots=100))
        await asyncio.gather(*waiters)

    run(main())


def test_a_lease_that_is_not_renewed_starts_nothing() -> None:
    async def main() -> None:
        gate = Gate()
        gate.apply(Grant(slots=10, valid_seconds=3.0))
        await asyncio.sleep(2.9)
        await gate.acquire()
        await asyncio.sleep(0.2)
        waiter = asyncio.create_task(gate.acquire())
        await asyncio.sleep(5)
        assert not waiter.done()
        gate.apply(Grant(slots=10, valid_seconds=3.0))
        await waiter

    run(main())


def test_usage_reports_each_thing_once() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=4))
        for _ in range(4):
            await gate.acquire()
        waiter = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.answered(2.5, prompt_tokens=10, completion_tokens=20)
        gate.failed()
        await waiter
        usage = gate.usage()
        assert (usage.started, usage.answered, usage.errors, usage.refused) == (5, 1, 1, 0)
        assert (usage.latency_seconds, usage.prompt_tokens, usage.completion_tokens) == (2.5, 10, 20)
        assert (usage.in_flight, usage.waiting) == (3, 0)
        again = gate.usage()
        assert (again.started, again.answered, again.errors, again.in_flight) == (0, 0, 0, 3)

    run(main())
