"""The found limits, against simulated endpoints in simulated time: a queue, a rate limit, both, and ones that change.

The simulation is a list of events in a heap: a call starts when slots and pace allow, travels, is refused, queued or
served for a time drawn from a lognormal distribution, and travels back. The limits are asked every 0.22 s.
"""

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field
from statistics import mean

import pytest

from evolray.teachers.autolimit import AutoLimit, Point, fit_knee

SIGMA = 0.8
MEAN_BY_MEDIAN = math.exp(SIGMA**2 / 2)
TRAVEL_SECONDS = 0.01


@dataclass
class Simulation:
    """One endpoint and one client that always has more calls waiting."""

    seed: int
    median_seconds: float = 1.0
    capacity: float = math.inf
    per_minute: float = math.inf
    whole_seconds: bool = False  # of Retry-After
    demand: float = math.inf
    changes: tuple[tuple[float, float], ...] = ()  # (when, capacity)
    auto: AutoLimit = field(default_factory=AutoLimit)
    finished: list[float] = field(default_factory=list)
    in_flight_at: list[tuple[float, int]] = field(default_factory=list)
    busy_at: list[tuple[float, float]] = field(default_factory=list)
    started: int = 0
    refused: int = 0

    def run(self, seconds: float) -> "Simulation":
        self._rng = random.Random(self.seed)
        self._events: list[tuple[float, int, str, float]] = []
        self._numbers = itertools.count()
        self._in_flight, self._busy, self._paused_until = 0, 0, 0.0
        self._queue: deque[float] = deque()
        self._burst, self._burst_at = self.per_minute / 60, 0.0
        self._level, self._level_at, self._pump_at = 1.0, 0.0, math.inf
        self._seen = {"started": 0, "answered": 0, "refused": 0, "latency_seconds": 0.0}
        self._at(0.0, "exchange")
        for when, capacity in self.changes:
            self._at(when, "change", capacity)
        while self._events[0][0] < seconds:
            now, _, kind, value = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(now, value)
        return self

    def _at(self, when: float, kind: str, value: float = 0.0) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), kind, value))

    def _exchange(self, now: float, _: float) -> None:
        waiting = 10**6 if self.demand > self._in_flight else 0
        self.auto.observe(now, in_flight=self._in_flight, waiting=waiting, **self._seen)  # type: ignore[arg-type]
        self._seen = dict.fromkeys(self._seen, 0)
        self.in_flight_at.append((now, self._in_flight))
        self.busy_at.append((now, self._busy / self.capacity))
        self._at(now + 0.22, "exchange")
        self._start(now)

    def _pump(self, now: float, _: float) -> None:
        if now == self._pump_at:
            self._pump_at = math.inf
            self._start(now)

    def _start(self, now: float) -> None:
        pace = self.auto.requests_per_second
        assert pace is not None
        self._level = min(max(1.0, pace * 0.1), self._level + (now - self._level_at) * pace)
        self._level_at = now
        while self._in_flight < min(self.auto.slots, self.demand):
            ready = max(self._paused_until, now if self._level >= 1 - 1e-9 else now + (1 - self._level) / pace + 1e-6)
            if ready > now:
                if not now < self._pump_at <= ready:
                    self._pump_at = ready
                    self._at(ready, "pump")
                return
            self._level -= 1
            self._in_flight += 1
            self.started += 1
            self._seen["started"] += 1
            self._at(now + TRAVEL_SECONDS, "arrive", now)

    def _arrive(self, now: float, sent: float) -> None:
        rate = self.per_minute / 60
        if rate < math.inf:
            self._burst = min(rate, self._burst + (now - self._burst_at) * rate)
            self._burst_at = now
            if self._burst < 1:
                retry_after = (1 - self._burst) / rate
                self._at(now + TRAVEL_SECONDS, "refuse", math.ceil(retry_after) if self.whole_seconds else retry_after)
                return
            self._burst -= 1
        self._queue.append(sent)
        self._serve(now)

    def _serve(self, now: float) -> None:
        while self._queue and self._busy < self.capacity:
            self._busy += 1
            service = self.median_seconds * math.exp(SIGMA * self._rng.gauss(0, 1))
            self._at(now + service, "leave", self._queue.popleft())

    def _leave(self, now: float, sent: float) -> None:
        self._busy -= 1
        self._at(now + TRAVEL_SECONDS, "answer", sent)
        self._serve(now)

    def _answer(self, now: float, sent: float) -> None:
        self._in_flight -= 1
        self._seen["answered"] += 1
        self._seen["latency_seconds"] += now - sent
        self.finished.append(now)
        self._start(now)

    def _refuse(self, now: float, retry_after: float) -> None:
        self._in_flight -= 1
        self.refused += 1
        self._seen["refused"] += 1
        self._paused_until = max(self._paused_until, now + retry_after * self._rng.uniform(1.0, 1.1))
        self._start(now)

    def _change(self, now: float, capacity: float) -> None:
        self.capacity = capacity
        self._serve(now)

    def throughput(self, begin: float, end: float) -> float:
        return sum(begin <= when < end for when in self.finished) / (end - begin)

    def mean_in_flight(self, begin: float, end: float) -> float:
        return mean(count for when, count in self.in_flight_at if begin <= when < end)

    def mean_busy(self, begin: float, end: float) -> float:
        """The part of the capacity that was at work: free of the luck of the drawn latencies."""
        return mean(min(part, 1.0) for when, part in self.busy_at if begin <= when < end)


SEEDS = range(8)


@pytest.mark.parametrize("median_seconds", [1.0, 0.3])
def test_a_queueing_capacity_is_used_without_piling_calls_up(median_seconds: float) -> None:
    runs = [Simulation(seed, median_seconds, capacity=64).run(180) for seed in SEEDS]
    assert min(run.mean_busy(60, 180) for run in runs) >= 0.95
    assert mean(run.mean_in_flight(60, 180) for run in runs) <= 1.3 * 64
    assert max(run.mean_in_flight(60, 180) for run in runs) <= 1.5 * 64


@pytest.mark.parametrize("capacity", [8, 512])
def test_small_and_large_capacities(capacity: int) -> None:
    run = Simulation(1, capacity=capacity).run(180)
    assert run.mean_busy(60, 180) >= 0.95
    assert run.mean_in_flight(60, 180) <= 2.5 * capacity


@pytest.mark.parametrize("whole_seconds", [False, True])
@pytest.mark.parametrize(("per_minute", "seeds"), [(600, 8), (6000, 4), (30000, 2)])
def test_a_rate_limit_is_used_with_few_refusals(per_minute: int, seeds: int, whole_seconds: bool) -> None:
    for seed in range(seeds):
        run = Simulation(seed, per_minute=per_minute, whole_seconds=whole_seconds).run(180)
        assert run.throughput(60, 180) >= 0.95 * per_minute / 60
        assert 0 < run.refused < 0.01 * run.started


@pytest.mark.parametrize("per_minute", [1800, 2500, 3500])
def test_both_limits_at_once(per_minute: int) -> None:
    for seed in range(4):
        run = Simulation(seed, capacity=64, per_minute=per_minute).run(180)
        if per_minute / 60 < 64 / MEAN_BY_MEDIAN:
            assert run.throughput(60, 180) >= 0.95 * per_minute / 60
        else:
            assert run.mean_busy(60, 180) >= 0.95
        assert run.refused < 0.01 * run.started
        assert run.mean_in_flight(60, 180) <= 1.5 * 64


@pytest.mark.parametrize("median_seconds", [1.0, 0.3])
def test_a_capacity_that_changes_is_followed(median_seconds: float) -> None:
    runs = [Simulation(seed, median_seconds, 64, changes=((80, 32), (160, 128))).run(240) for seed in SEEDS]
    assert mean(run.mean_busy(110, 160) for run in runs) >= 0.95
    assert mean(run.mean_in_flight(110, 160) for run in runs) <= 1.5 * 32
    assert mean(run.mean_busy(190, 240) for run in runs) >= 0.93
    assert min(run.mean_busy(190, 240) for run in runs) >= 0.75
    assert mean(run.mean_in_flight(190, 240) for run in runs) <= 1.4 * 128


@pytest.mark.parametrize(("median_seconds", "within"), [(0.3, 30), (1.0, 30), (10.0, 150)])
def test_an_endpoint_without_limits_is_soon_used_to_the_ceiling(median_seconds: float, within: float) -> None:
    run = Simulation(1, median_seconds).run(2 * within)
    assert run.mean_in_flight(within, 2 * within) >= 0.9 * 1024


def test_long_answers_are_not_taken_for_load() -> None:
    """Answers of a minute: nothing can be known sooner, but what is known is not turned around."""
    run = Simulation(3, median_seconds=60.0).run(1500)
    assert run.mean_in_flight(1200, 1500) >= 0.9 * 1024


def test_slots_do_not_grow_while_little_is_asked_for() -> None:
    run = Simulation(1, demand=10).run(120)
    assert run.auto.slots == 16
    assert run.refused == 0


def test_the_knee_of_exact_points_is_found() -> None:
    points = [Point(n, min(n, 64) / 1.5, 200) for n in (40, 50, 60, 70, 80, 90)]
    knee, latency = fit_knee(points)
    assert knee == pytest.approx(64, rel=0.03)
    assert latency == pytest.approx(1.5, rel=0.03)
    assert fit_knee([Point(n, n / 2.0, 200) for n in (10, 20, 40)])[0] == pytest.approx(40)
    assert fit_knee([Point(n, 5.0, 200) for n in (10, 20, 40)])[0] == pytest.approx(10)
