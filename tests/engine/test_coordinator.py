"""The coordinator: what all workers did is added up, and the first reason to stop is the one that counts."""

from collections import Counter
from typing import Any

import pytest

from evolray.config import BudgetConfig
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Report, Stop
from evolray.pool.accounts import Accounts
from evolray.pool.accounts import Usage as Paid
from evolray.teachers.throttle import Usage as Seen
from tests.engine.small import words

PRICES: dict[str, Any] = {
    "teacher": {"price_per_million_prompt_tokens": 1000.0, "price_per_million_completion_tokens": 2000.0},
    "judge": {"model": "n", "price_per_million_prompt_tokens": 0.0, "price_per_million_completion_tokens": 1000.0},
}


def coordinator(
    finished: Accounts | None = None,
    spent: dict[str, Paid] | None = None,
    budget: BudgetConfig | None = None,
    teacher: dict[str, Any] | None = None,
    judge: dict[str, Any] | None = None,
) -> Coordinator:
    work = words(lambda call: "", {"max_in_flight": 10, **(teacher or {})}, **(judge or {}))
    return Coordinator(work, budget or BudgetConfig(), finished or Accounts(), spent or {})


def report(worker: str, seen: Seen | None = None, **accounts: Any) -> Report:
    return Report(worker, {"teacher": seen or Seen()}, Accounts(**accounts), shards_open=2)


def test_the_first_reason_to_stop_counts_and_every_worker_hears_of_it() -> None:
    one = coordinator()
    first, second = Stop("endpoint", "the key is refused"), Stop("interrupted", "Ctrl-C")
    assert one.exchange(report("a"), 0.0).stop is None
    stopping = report("a")
    stopping.stop = first
    assert one.exchange(stopping, 1.0).stop == first
    one.stop(second)
    assert one.stopped == first
    assert one.exchange(report("b"), 1.1).stop == first


def test_a_report_that_arrives_twice_counts_once() -> None:
    """Ray sends it again when the answer was lost on its way."""
    one = coordinator(**PRICES)
    paid = report("a", Seen(refused=2), usage={"respond": Paid(1, 10, 100)})
    paid.number = 1
    orders = one.exchange(paid, 0.0)
    assert one.exchange(paid, 0.1) is orders
    following = report("a", Seen(refused=1), usage={"respond": Paid(1, 10, 100)})
    following.number = 2
    assert one.exchange(following, 0.2) is not orders
    assert (one.snapshot().calls, one.snapshot().refused) == (2, 3)


def test_a_snapshot_sums_all_workers_and_what_was_there_before() -> None:
    finished = Accounts(outcomes=Counter({(0, "seed", "kept", ""): 5}), usage={"respond": Paid(99, 99, 99)})
    one = coordinator(finished, {"respond": Paid(7, 70, 700)}, **PRICES)
    done = Counter({(0, "seed", "kept", ""): 2, (1, "deepen", "eliminated", "refusal"): 1})
    one.exchange(report("a", Seen(in_flight=3, refused=2), outcomes=done, usage={"respond": Paid(1, 10, 100)}), 0.0)
    one.exchange(report("b", Seen(in_flight=4, refused=1), outcomes=done, usage={"judge": Paid(2, 20, 200)}), 0.1)
    one.exchange(report("a", Seen(in_flight=1), outcomes=done), 0.2)
    now = one.snapshot()
    assert now.accounts.outcomes == {(0, "seed", "kept", ""): 11, (1, "deepen", "eliminated", "refusal"): 3}
    assert (now.calls, now.prompt_tokens, now.completion_tokens) == (7 + 1 + 2, 70 + 10 + 20, 700 + 100 + 200)
    assert (now.in_flight, now.refused, now.shards_open, now.limit) == (1 + 4, 3, 2 + 2, 10 + 10)
    assert now.cost == pytest.approx((80 * 1000 + 800 * 2000 + 200 * 1000) / 1e6)


def test_a_worker_reports_its_open_shards_anew_each_time() -> None:
    one = coordinator()
    for shards_open in (2, 5, 0):
        said = report("a")
        said.shards_open = shards_open
        one.exchange(said, 0.0)
        assert one.snapshot().shards_open == shards_open


def test_workers_share_the_slots() -> None:
    one = coordinator()
    assert one.exchange(report("a", Seen(waiting=50)), 0.0).grants["teacher"].slots == 10
    one.exchange(report("b", Seen(waiting=50)), 0.1)
    shares = [one.exchange(report(name, Seen(waiting=50)), 0.2).grants["teacher"].slots for name in "aab"]
    assert shares[1:] == [5, 5]


def test_every_group_has_a_limit_of_its_own() -> None:
    one = coordinator(judge={"model": "n", "max_in_flight": 3})
    orders = one.exchange(Report("a", {"teacher": Seen(), "judge": Seen(in_flight=2)}), 0.0)
    assert {group: grant.slots for group, grant in orders.grants.items()} == {"teacher": 10, "judge": 3}
    assert (one.limit("teacher"), one.limit("judge"), one.in_flight("judge")) == (10, 3, 2)
    assert one.snapshot().limit == 13


def test_a_spent_budget_stops_the_run_only_when_someone_waits_for_a_call() -> None:
    one = coordinator(budget=BudgetConfig(calls=5), spent={"respond": Paid(5, 50, 5)})
    orders = one.exchange(report("a"), 0.0)
    assert (orders.grants["teacher"].calls, orders.stop) == (0, None)
    stop = one.exchange(report("a", Seen(waiting=1)), 0.1).stop
    assert stop is not None and stop.kind == "out_of_budget"
    assert stop.message == "the budget is spent: 5 of 5 calls; raise it to go on"


def test_calls_in_flight_may_still_end_when_the_budget_is_spent() -> None:
    one = coordinator(budget=BudgetConfig(calls=2))
    assert one.exchange(report("a", Seen(waiting=9)), 0.0).grants["teacher"].calls == 2
    assert one.exchange(report("a", Seen(started=2, in_flight=2, waiting=7)), 0.1).stop is None
    assert one.exchange(report("a", Seen(answered=1, in_flight=1, waiting=7)), 0.2).stop is None
    stop = one.exchange(report("a", Seen(answered=1, waiting=7)), 0.3).stop
    assert stop is not None and "2 of 2 calls" in stop.message


def test_all_limits_of_the_budget_are_named() -> None:
    budget = BudgetConfig(calls=2000, tokens=60_000, money=0.05)
    one = coordinator(budget=budget, spent={"respond": Paid(1000, 50_000, 10_000)}, **PRICES)
    stop = one.exchange(report("a", Seen(waiting=1)), 0.0).stop
    assert stop is not None
    assert "1,000 of 2,000 calls, 60,000 of 60,000 tokens, 70.0 of 0.05 money" in stop.message


def test_without_a_budget_calls_are_not_counted_out() -> None:
    one = coordinator(spent={"respond": Paid(10**9, 10**12, 10**12)})
    orders = one.exchange(report("a", Seen(waiting=100)), 0.0)
    assert (orders.grants["teacher"].calls, orders.stop) == (None, None)


def test_what_was_spent_before_is_not_changed_by_what_comes_after() -> None:
    spent = {"respond": Paid(1, 2, 3)}
    one = coordinator(spent=spent)
    one.exchange(report("a", usage={"respond": Paid(1, 1, 1)}), 0.0)
    assert spent == {"respond": Paid(1, 2, 3)}
    assert one.snapshot().calls == 2
