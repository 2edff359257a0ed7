"""Leases: limits and budgets hold at every instant, whatever the order of messages; and nothing lies idle for long."""

import random
from dataclasses import dataclass

import pytest

from evolray.teachers.allotment import Allotment, Budget, share
from evolray.teachers.throttle import Grant, Usage


@dataclass
class Process:
    """A holder as it really is, with messages on their way: usage() ... exchange() ... apply()."""

    name: str
    waiting: int = 0
    in_flight: int = 0
    slots: int = 0
    calls: int | None = 0
    started: int = 0  # since the last report
    report: Usage | None = None
    reply: Grant | None = None

    def start_what_it_may(self) -> int:
        room = min(self.waiting, self.slots - self.in_flight)
        if self.calls is not None:
            room = min(room, self.calls)
            self.calls -= max(room, 0)
        room = max(room, 0)
        self.waiting -= room
        self.in_flight += room
        self.started += room
        return room

    def take_report(self, answered: int = 0, tokens: int = 0) -> Usage:
        usage = Usage(started=self.started, answered=answered, completion_tokens=tokens)
        usage.in_flight, usage.waiting = self.in_flight, self.waiting
        self.started = 0
        return usage

    def apply(self, grant: Grant) -> None:
        self.slots = grant.slots
        self.calls = None if grant.calls is None else grant.calls - self.started


def exchange(allotment: Allotment, process: Process, now: float) -> Grant:
    """One whole round trip at one instant."""
    grant = allotment.exchange(process.name, process.take_report(), now)
    process.apply(grant)
    process.start_what_it_may()
    return grant


@pytest.mark.parametrize("seed", range(30))
def test_neither_the_limit_nor_the_calls_are_ever_exceeded(seed: int) -> None:
    rng = random.Random(seed)
    limit, budget_calls = rng.choice([1, 7, 64]), rng.choice([50, 400, 20000])
    budget = Budget(calls=budget_calls)
    allotment = Allotment(limit, budget=budget, lease_seconds=1000.0)
    processes = [Process(f"p{i}") for i in range(rng.choice([1, 2, 5]))]
    started = highest = births = 0
    reported: dict[str, int] = {}
    granted: dict[str, int] = {}
    for step in range(4000):
        now = step * 0.02
        process = rng.choice(processes)
        action = rng.randrange(6)
        if action == 0:
            process.waiting += rng.randrange(3 * limit)
        elif action == 1 and process.in_flight:
            process.in_flight -= rng.randrange(process.in_flight + 1)
        elif action == 2 and process.report is None and process.reply is None:
            process.report = process.take_report()
        elif action == 3 and process.report is not None:
            reported[process.name] = process.report.in_flight
            process.reply, process.report = allotment.exchange(process.name, process.report, now), None
            granted[process.name] = process.reply.slots
        elif action == 4 and process.reply is not None:
            process.apply(process.reply)
            process.reply = None
        elif action == 5 and rng.random() < 0.002:  # it dies, and another takes its place
            processes.remove(process)
            allotment.drop(process.name)
            reported.pop(process.name, None)
            granted.pop(process.name, None)
            births += 1
            processes.append(Process(f"born{births}"))
        for each in processes:
            started += each.start_what_it_may()
        flying = sum(each.in_flight for each in processes)
        highest = max(highest, flying)
        assert flying <= limit
        assert sum(max(granted[name], reported[name]) for name in granted) <= limit
        assert started <= budget_calls
    assert highest > 0.5 * min(limit, budget_calls / 20)  # not kept by giving nothing
    assert started > min(40, budget_calls / 2)


def test_a_single_holder_gets_everything_at_once() -> None:
    allotment = Allotment(256)
    assert allotment.exchange("a", Usage(waiting=5000), 0.0).slots == 256
    assert allotment.exchange("a", Usage(), 0.2).slots == 256


def test_a_second_holder_gets_its_half_as_the_calls_of_the_first_end() -> None:
    allotment = Allotment(100)
    first, second = Process("a", waiting=1000), Process("b", waiting=1000)
    exchange(allotment, first, 0.0)
    exchange(allotment, second, 0.1)
    assert (first.in_flight, second.in_flight) == (100, 0)
    for round_number in range(1, 4):
        first.in_flight = min(first.in_flight, max(50, first.in_flight - 30))
        exchange(allotment, first, round_number * 0.2)
        exchange(allotment, second, round_number * 0.2 + 0.1)
    assert (first.in_flight, second.in_flight) == (50, 50)


def test_in_the_tail_the_busy_holder_has_the_rest_within_two_exchanges() -> None:
    allotment = Allotment(100)
    idle, busy = Process("a", waiting=500), Process("b", waiting=500)
    for round_number in range(3):
        exchange(allotment, idle, round_number * 0.2)
        exchange(allotment, busy, round_number * 0.2 + 0.1)
        idle.in_flight = min(idle.in_flight, 50)
    assert (idle.slots, busy.slots) == (50, 50)
    idle.waiting, idle.in_flight = 0, 2
    for round_number in range(3, 5):
        exchange(allotment, idle, round_number * 0.2)
        exchange(allotment, busy, round_number * 0.2 + 0.1)
    assert busy.slots >= 97


def test_a_silent_holder_loses_its_lease_and_the_others_get_it() -> None:
    allotment = Allotment(100, lease_seconds=3.0)
    exchange(allotment, Process("dead", waiting=1000), 0.0)
    alive = Process("alive", waiting=1000)
    for tenth in range(1, 31):
        exchange(allotment, alive, tenth * 0.1)
    assert alive.slots == 0
    exchange(allotment, alive, 3.2)
    assert alive.slots == 100


def test_rates_follow_the_slots_and_add_up() -> None:
    allotment = Allotment(100, requests_per_minute=6000, tokens_per_minute=60000)
    a, b = Process("a", waiting=300), Process("b", waiting=10)
    for round_number in range(6):
        a.in_flight = min(a.in_flight, 80)
        grant_a = exchange(allotment, a, round_number * 0.2)
        grant_b = exchange(allotment, b, round_number * 0.2 + 0.1)
    assert grant_a.requests_per_second is not None and grant_b.requests_per_second is not None
    assert grant_a.requests_per_second + grant_b.requests_per_second == pytest.approx(100.0)
    assert grant_a.requests_per_second / grant_a.slots == pytest.approx(grant_b.requests_per_second / grant_b.slots)
    assert grant_a.tokens_per_second == pytest.approx(10 * grant_a.requests_per_second)


def test_a_pause_of_one_holder_is_everybodys() -> None:
    allotment = Allotment(10)
    allotment.exchange("a", Usage(refused=1, pause_seconds=5.0), 0.0)
    assert allotment.exchange("b", Usage(), 1.0).pause_seconds == pytest.approx(4.0)
    assert allotment.exchange("b", Usage(), 6.0).pause_seconds == 0.0
    assert allotment.refused == 1


@pytest.mark.parametrize(
    ("limit", "demands", "expected"),
    [
        (100, {"a": 1000, "b": 1000}, {"a": 50, "b": 50}),
        (100, {"a": 3, "b": 1000}, {"a": 3, "b": 97}),
        (100, {"a": 10, "b": 40, "c": 90}, {"a": 10, "b": 40, "c": 50}),
        (1, {"a": 5, "b": 5}, {"a": 1, "b": 0}),
        (10, {"a": 0, "b": 0}, {"a": 5, "b": 5}),
    ],
)
def test_shares_are_filled_like_water(limit: int, demands: dict[str, int], expected: dict[str, int]) -> None:
    assert share(limit, demands) == expected


@pytest.mark.parametrize("seed", range(20))
def test_shares_always_add_up(seed: int) -> None:
    rng = random.Random(seed)
    demands = {str(i): rng.randrange(100) for i in range(rng.randrange(1, 9))}
    limit = rng.randrange(300)
    shares = share(limit, demands)
    assert sum(shares.values()) == limit
    assert all(value >= 0 for value in shares.values())


def test_without_a_budget_nothing_is_counted_down() -> None:
    assert Budget().allowance() is None
    assert not Budget().exhausted()
    assert Allotment(5, budget=Budget()).exchange("a", Usage(waiting=9), 0.0).calls is None


def test_a_budget_of_calls_is_used_to_the_last_one_by_two_holders() -> None:
    budget = Budget(calls=500, spent_calls=100)
    allotment = Allotment(64, budget=budget)
    processes = [Process("a", waiting=1000), Process("b", waiting=300)]
    started = 0
    for step in range(200):
        for process in processes:
            process.in_flight //= 2
            before = process.waiting
            exchange(allotment, process, step * 0.2)
            started += before - process.waiting
    assert started == 400
    assert not budget.exhausted(in_flight=1)
    assert budget.exhausted()


def test_calls_that_one_holder_does_not_use_go_to_the_other() -> None:
    budget = Budget(calls=40)
    allotment = Allotment(64, budget=budget)
    idle, busy = Process("idle", waiting=20), Process("busy")
    exchange(allotment, idle, 0.0)
    idle.in_flight = 0
    idle.waiting = 0
    exchange(allotment, busy, 0.1)
    busy.waiting = 100
    for step in range(1, 8):
        exchange(allotment, idle, step * 0.2)
        exchange(allotment, busy, step * 0.2 + 0.1)
    assert busy.waiting == 80


def test_a_lease_that_is_taken_back_is_free_only_when_its_holder_has_heard_of_it() -> None:
    allotment = Allotment(64, budget=Budget(calls=14))
    first, second = Process("first", waiting=10), Process("second", waiting=100)
    for now in (0.0, 0.2):  # the second round makes room in the slots; nothing is started yet
        first.apply(allotment.exchange("first", first.take_report(), now))
        second.apply(allotment.exchange("second", second.take_report(), now))
    first.waiting = 0
    smaller = allotment.exchange("first", first.take_report(), 0.4)
    first.waiting = 10  # before the message arrives
    started = first.start_what_it_may()
    assert smaller.calls is not None
    assert started > smaller.calls
    for step in range(3, 9):
        second.in_flight = 0
        exchange(allotment, second, step * 0.2)
    assert 10 < started + (100 - second.waiting) <= 14


def test_calls_leased_to_a_dead_holder_count_as_spent_until_it_returns() -> None:
    budget = Budget(calls=1000)
    allotment = Allotment(10, budget=budget, lease_seconds=3.0)
    leased = allotment.exchange("a", Usage(waiting=5), 0.0).calls
    assert leased
    allotment.exchange("b", Usage(), 10.0)
    assert budget.spent_calls == leased
    allotment.exchange("a", Usage(started=2, answered=2), 11.0)
    assert budget.spent_calls == 2


@pytest.mark.parametrize("seed", range(10))
def test_tokens_and_money_overshoot_by_no_more_than_the_last_calls(seed: int) -> None:
    rng = random.Random(seed)
    budget = Budget(tokens=200_000) if seed % 2 else Budget(money=200_000 * 2e-6)
    allotment = Allotment(32, budget=budget, completion_token_price=2e-6)
    process = Process("a", waiting=100_000)
    mean_tokens = rng.choice([100, 3000])
    flying: list[int] = []
    for step in range(3000):
        rng.shuffle(flying)
        ended = [flying.pop() for _ in range(rng.randrange(len(flying) + 1))]
        process.in_flight = len(flying)
        process.apply(allotment.exchange("a", process.take_report(len(ended), sum(ended)), step * 0.2))
        flying += [round(mean_tokens * rng.uniform(0.5, 1.5)) for _ in range(process.start_what_it_may())]
        if budget.exhausted():
            break
    assert budget.exhausted()
    assert 200_000 <= budget.spent_tokens <= 200_000 + 8 * mean_tokens  # of 32 in flight


def test_auto_starts_small_and_follows_what_it_finds() -> None:
    allotment = Allotment("auto")
    grant = allotment.exchange("a", Usage(waiting=5000), 0.0)
    assert grant.slots == allotment.limit_now == 16
    assert grant.requests_per_second is not None
