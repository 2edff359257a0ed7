"""The coordinator: what is limited per run is shared out here, and what all workers did is added up here.

No Ray here: one instance lives in an actor, and everything is a function of the reports and the clock it is given.
"""

from dataclasses import replace
from typing import Any

from evolray.config import BudgetConfig
from evolray.engine.messages import Orders, Report, Snapshot, Stop
from evolray.engine.spending import totals
from evolray.engine.work import Work
from evolray.pool.accounts import Accounts, Usage
from evolray.teachers.allotment import Allotment, Budget


class Coordinator:
    """`finished` are the accounts of shards done before; `spent` is everything ever paid in this run directory."""

    def __init__(self, work: Work[Any, Any], budget: BudgetConfig, finished: Accounts, spent: dict[str, Usage]) -> None:
        self._work = work
        self._spent = Accounts(usage={purpose: replace(usage) for purpose, usage in spent.items()})
        self._accounts = Accounts()
        self._accounts.add(finished)
        self._refused = 0
        self._shards_open: dict[str, int] = {}
        self._last: dict[str, tuple[int, Orders]] = {}
        self._shards_finished = 0
        calls, tokens = totals(self._spent.usage)
        self._budget = Budget(
            budget.calls,
            budget.tokens,
            budget.money,
            spent_calls=calls,
            spent_tokens=tokens,
            spent_money=work.cost(self._spent.usage),
        )
        self._allotments = {
            group: Allotment(
                limits.max_in_flight,
                limits.requests_per_minute,
                limits.tokens_per_minute,
                budget=self._budget,
                prompt_token_price=limits.price_per_million_prompt_tokens / 1e6,
                completion_token_price=limits.price_per_million_completion_tokens / 1e6,
            )
            for group, limits in work.groups.items()
        }
        self.stopped: Stop | None = None

    def exchange(self, report: Report, now: float) -> Orders:
        """Take in a worker's report and say what it may do until the next one.

        A report that arrives again, since the answer to it was lost on its way, gets the same answer.
        """
        number, orders = self._last.get(report.worker, (None, None))
        if orders and number == report.number:
            return orders
        orders = self._take_in(report, now)
        if report.number is not None:
            self._last[report.worker] = report.number, orders
        return orders

    def _take_in(self, report: Report, now: float) -> Orders:
        if report.stop:
            self.stop(report.stop)
        self._spent.add(Accounts(usage=report.accounts.usage))
        self._accounts.add(Accounts(outcomes=report.accounts.outcomes))
        self._shards_open[report.worker] = report.shards_open
        self._shards_finished += report.shards_finished
        grants = {
            group: self._allotments[group].exchange(report.worker, usage, now) for group, usage in report.usage.items()
        }
        if self._budget.exhausted() and any(allotment.waiting for allotment in self._allotments.values()):
            self.stop(Stop("out_of_budget", f"the budget is spent: {self._spent_budget()}; raise it to go on"))
        return Orders(grants, self.stopped)

    def stop(self, stop: Stop) -> None:
        """The first reason counts."""
        self.stopped = self.stopped or stop

    def snapshot(self) -> Snapshot:
        calls, _ = totals(self._spent.usage)
        usage, allotments = self._spent.usage.values(), self._allotments.values()
        return Snapshot(
            accounts=self._accounts,
            calls=calls,
            prompt_tokens=sum(one.prompt_tokens for one in usage),
            completion_tokens=sum(one.completion_tokens for one in usage),
            cost=self._work.cost(self._spent.usage),
            refused=sum(allotment.refused for allotment in allotments),
            in_flight=sum(allotment.in_flight for allotment in allotments),
            limit=sum(allotment.limit_now for allotment in allotments),
            shards_open=sum(self._shards_open.values()),
            shards_finished=self._shards_finished,
        )

    @property
    def groups(self) -> list[str]:
        return list(self._allotments)

    @property
    def has_workers(self) -> bool:
        return bool(self._shards_open)

    def in_flight(self, group: str) -> int:
        return self._allotments[group].in_flight

    def limit(self, group: str) -> int:
        return self._allotments[group].limit_now

    def cost(self, usage: dict[str, Usage]) -> float:
        return self._work.cost(usage)

    def _spent_budget(self) -> str:
        budget = self._budget
        parts = (
            ("calls", budget.spent_calls, budget.calls),
            ("tokens", budget.spent_tokens, budget.tokens),
            ("money", round(budget.spent_money, 4), budget.money),
        )
        return ", ".join(f"{spent:,} of {limit:,} {name}" for name, spent, limit in parts if limit is not None)
