"""Sharing one endpoint's limits, and one budget, between the processes that call it. Pure: time is an argument.

An `Allotment` lives in one coordinator. Every holder (a process with a `Gate`) reports its usage some four times a
second and gets back a lease, never more than what others cannot be using. What another holder *may* still be doing is
what counts: a share that shrinks is free only when the holder's next report, made under the smaller grant, shows it
free.

    committed(holder) = max(slots of its last grant, slots of the one before until it reports, calls in flight)
    sum of committed <= limit, always

A holder's messages must be in order and one at a time: usage() -> exchange() -> apply() -> usage() ... Its name must be
its own: a process that replaces another needs a new one, or calls that the dead one started would be forgotten.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from evolray.teachers.autolimit import AutoLimit
from evolray.teachers.throttle import Grant, Usage

PRIOR_TOKENS_PER_CALL = 1000.0  # before any answer
PRIOR_MONEY_PART = 0.02  # of the budget left, per call, before any answer
PRIOR_ANSWERS = 5.0  # how many answers the prior weighs as much as
SPARE_CALLS = 4  # leased to a busy holder beyond what it is seen to need


class Budget:
    """Calls, tokens and money that a run may spend; None is no limit. Several allotments may share one budget.

    Calls are exact: every started one counts, whatever became of it, and so does every leased one that may start.
    Tokens and money are known only afterwards: calls that are open count with the mean of the calls so far, so that
    the overspending is at most the error of that estimate over the last calls.
    """

    def __init__(
        self,
        calls: int | None = None,
        tokens: int | None = None,
        money: float | None = None,
        *,
        spent_calls: int = 0,
        spent_tokens: int = 0,
        spent_money: float = 0.0,
    ) -> None:
        self.calls, self.tokens, self.money = calls, tokens, money
        self.spent_calls, self.spent_tokens, self.spent_money = spent_calls, spent_tokens, spent_money
        self._answered = float(spent_calls)
        self._open: dict[object, tuple[int, int]] = {}

    @property
    def limited(self) -> bool:
        return not (self.calls is None and self.tokens is None and self.money is None)

    def record(self, calls: int = 0, tokens: int = 0, money: float = 0.0, answered: int = 0) -> None:
        """`calls` were started, `answered` were answered for `tokens` and `money`."""
        self.spent_calls += calls
        self.spent_tokens += tokens
        self.spent_money += money
        self._answered += answered

    def commit(self, owner: object, in_flight: int, leased: int) -> None:
        """What `owner` has started and not yet reported answered, and what it may start: replaces what it had."""
        self._open[owner] = (in_flight, leased)

    def allowance(self, in_flight: int = 0) -> int | None:
        """How many more calls may be leased now, cluster-wide; None without a budget. `in_flight` adds to the known."""
        if not self.limited:
            return None
        flying = in_flight + sum(flying for flying, _ in self._open.values())
        leased = sum(leased for _, leased in self._open.values())
        left = math.inf
        if self.calls is not None:
            left = self.calls - self.spent_calls - leased
        if self.tokens is not None:
            affordable = self._affordable(self.tokens, self.spent_tokens, self._tokens_per_call())
            left = min(left, affordable - flying - leased)
        if self.money is not None:
            affordable = self._affordable(self.money, self.spent_money, self._money_per_call())
            left = min(left, affordable - flying - leased)
        return max(0, math.floor(left)) if left != math.inf else 0

    def exhausted(self, in_flight: int = 0) -> bool:
        """Whether nothing may be started any more, not even when everything in flight turns out cheap."""
        if not self.limited or in_flight + sum(flying for flying, _ in self._open.values()) > 0:
            return False
        return self.allowance() == 0 and not any(leased for _, leased in self._open.values())

    def _tokens_per_call(self) -> float:
        return (self.spent_tokens + PRIOR_ANSWERS * PRIOR_TOKENS_PER_CALL) / (self._answered + PRIOR_ANSWERS)

    def _money_per_call(self) -> float:
        """The mean price of a token so far, times the tokens of a call; without one, a small part of what is left."""
        if self.spent_tokens > 0 and self.spent_money > 0:
            return self.spent_money / self.spent_tokens * self._tokens_per_call()
        return max((self.money or 0.0) - self.spent_money, 0.0) * PRIOR_MONEY_PART if self._answered == 0 else 0.0

    @staticmethod
    def _affordable(limit: float, spent: float, each: float) -> float:
        if spent >= limit:
            return 0.0
        return math.inf if each <= 0 else max(1.0, (limit - spent) / each)


@dataclass(slots=True)
class Holder:
    """One process that makes calls, as its last report and the last grants show it."""

    seen: float
    usage: Usage = field(default_factory=Usage)
    granted: int = 0  # slots of the last grant
    committed: int = 0  # slots that it may be using until its next report
    leased: int = 0  # calls of the last grant
    leased_before: int = 0  # calls left of the grant before, usable until the last one arrives

    @property
    def demand(self) -> int:
        return self.usage.in_flight + self.usage.waiting

    @property
    def startable(self) -> int:
        return max(self.leased, self.leased_before)


class Allotment:
    """Divides one endpoint's limits among holders. `limit` is calls in flight, or "auto" to find them.

    Prices are money per token, for the budget. `refused`, `started` and the other totals are sums over all holders.
    """

    def __init__(
        self,
        limit: int | Literal["auto"],
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        lease_seconds: float = 3.0,
        *,
        budget: Budget | None = None,
        prompt_token_price: float = 0.0,
        completion_token_price: float = 0.0,
    ) -> None:
        self._fixed = limit if isinstance(limit, int) else 0
        self._auto = AutoLimit() if limit == "auto" else None
        self._requests_per_second = None if requests_per_minute is None else requests_per_minute / 60.0
        self._tokens_per_second = None if tokens_per_minute is None else tokens_per_minute / 60.0
        self._lease_seconds = lease_seconds
        self._budget = budget
        self._prices = (prompt_token_price, completion_token_price)
        self._holders: dict[str, Holder] = {}
        self._lost_calls: dict[str, int] = {}  # leased to holders that fell silent: counted as started
        self._paused_until = -math.inf
        self.totals = Usage()

    @property
    def limit_now(self) -> int:
        return self._auto.slots if self._auto else self._fixed

    @property
    def requests_per_second_now(self) -> float | None:
        found = self._auto.requests_per_second if self._auto else None
        rates = [rate for rate in (found, self._requests_per_second) if rate is not None]
        return min(rates) if rates else None

    @property
    def refused(self) -> int:
        return self.totals.refused

    @property
    def in_flight(self) -> int:
        return sum(holder.usage.in_flight for holder in self._holders.values())

    @property
    def waiting(self) -> int:
        return sum(holder.usage.waiting for holder in self._holders.values())

    def exchange(self, name: str, usage: Usage, now: float) -> Grant:
        """Take in what `name` did since its last exchange, and lease it its share until the next one."""
        for other in [key for key, holder in self._holders.items() if now - holder.seen > self._lease_seconds]:
            self.drop(other)
        holder = self._holders.get(name)
        if holder is None:
            holder = self._holders[name] = Holder(seen=now, leased=self._returned_calls(name))
        holder.seen, holder.usage = now, usage
        # It reports under its last grant: whatever it had before that one is void, what it shows free is free.
        holder.committed = max(holder.granted, usage.in_flight)
        self._account(holder, usage, now)
        slots = self._slots(name, holder)
        holder.granted, holder.committed = slots, max(holder.committed, slots)
        requests_per_second, tokens_per_second = self._rates(slots)
        return Grant(
            slots=slots,
            requests_per_second=requests_per_second,
            tokens_per_second=tokens_per_second,
            calls=self._calls(name, holder, slots),
            pause_seconds=max(0.0, self._paused_until - now),
            valid_seconds=self._lease_seconds,
        )

    def drop(self, name: str) -> None:
        """Forget a holder that ended or fell silent. What was leased to it counts as started: it may have been."""
        holder = self._holders.pop(name, None)
        if holder is None or self._budget is None:
            return
        if holder.startable:
            self._lost_calls[name] = holder.startable
            self._budget.record(calls=holder.startable)
        self._budget.commit((id(self), name), 0, 0)

    def _returned_calls(self, name: str) -> int:
        """A silent holder is back: it will report what it started, so nothing needs to be assumed any more."""
        calls = self._lost_calls.pop(name, 0)
        if calls and self._budget is not None:
            self._budget.record(calls=-calls)
        return calls

    def _account(self, holder: Holder, usage: Usage, now: float) -> None:
        totals = self.totals
        totals.started += usage.started
        totals.answered += usage.answered
        totals.refused += usage.refused
        totals.errors += usage.errors
        totals.latency_seconds += usage.latency_seconds
        totals.prompt_tokens += usage.prompt_tokens
        totals.completion_tokens += usage.completion_tokens
        totals.in_flight, totals.waiting = self.in_flight, self.waiting
        if usage.pause_seconds > 0:
            self._paused_until = max(self._paused_until, now + usage.pause_seconds)
        if self._auto is not None:
            self._auto.observe(
                now,
                started=usage.started,
                answered=usage.answered,
                latency_seconds=usage.latency_seconds,
                refused=usage.refused,
                in_flight=totals.in_flight,
                waiting=totals.waiting,
            )
        if self._budget is not None:
            money = usage.prompt_tokens * self._prices[0] + usage.completion_tokens * self._prices[1]
            tokens = usage.prompt_tokens + usage.completion_tokens
            self._budget.record(usage.started, tokens, money, usage.answered)
            holder.leased_before = max(0, holder.leased - usage.started)

    def _slots(self, name: str, holder: Holder) -> int:
        """This holder's share, as far as the others leave it free already."""
        free = self.limit_now - sum(other.committed for key, other in self._holders.items() if key != name)
        demands = {key: other.demand for key, other in self._holders.items()}
        return max(0, min(share(self.limit_now, demands)[name], free))

    def _rates(self, slots: int) -> tuple[float | None, float | None]:
        requests, tokens = self.requests_per_second_now, self._tokens_per_second
        granted = sum(holder.granted for holder in self._holders.values())
        part = slots / granted if granted else 0.0
        return (None if requests is None else requests * part), (None if tokens is None else tokens * part)

    def _calls(self, name: str, holder: Holder, slots: int) -> int | None:
        """How many calls the holder may start until its next report.

        Plenty while there is plenty; near the end only what it has waiting, so that nothing lies idle with another.
        """
        if self._budget is None or not self._budget.limited:
            return None
        owner = (id(self), name)
        usage = holder.usage
        self._budget.commit(owner, usage.in_flight, 0)
        left = self._budget.allowance() or 0
        wanted = slots + 2 * usage.started + SPARE_CALLS
        fair = left // max(1, sum(key == name or other.usage.waiting > 0 for key, other in self._holders.items()))
        holder.leased = wanted if fair >= wanted else min(usage.waiting, max(fair, 1), left)
        # It may start the rest of its last lease before it hears of this one.
        self._budget.commit(owner, usage.in_flight, holder.startable)
        return holder.leased


def share(limit: int, demands: dict[str, int]) -> dict[str, int]:
    """`limit` by water-filling: small demands are met, large ones share the rest evenly.

    What nobody demands is divided too, in proportion to the demands, so that new calls can start without asking. The
    shares are whole and add up to `limit`.
    """
    shares: dict[str, int] = {}
    left = limit
    order = sorted(demands, key=lambda name: (demands[name], name))
    for position, name in enumerate(order):
        shares[name] = min(demands[name], -(-left // (len(order) - position)))
        left -= shares[name]
    surplus, total = left, sum(demands.values()) + len(order)
    for name in reversed(order):  # the largest demand first: rounding up serves who needs it
        extra = min(left, math.ceil(surplus * (demands[name] + 1) / total))
        shares[name] += extra
        left -= extra
    return shares
