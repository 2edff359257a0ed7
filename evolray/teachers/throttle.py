"""The gate before one endpoint in one process: how many calls may run, how fast they may start, and who is next.

How much this process may do is leased to it (`Grant`, see allotment.py) and changes a few times a second; what it did
is reported back (`Usage`). Between two grants the gate decides alone, so a call costs microseconds and no message.

Waiters are served by (priority, arrival): the oldest shard has the lowest number, so shards finish early.
A slot is held from `acquire` until exactly one of `answered`, `refused`, `failed` or `abandoned`.

Not thread-safe: everything is called on the event loop that makes the calls. Time is the loop's own clock.
"""

import asyncio
import heapq
import random
from dataclasses import dataclass

BURST_SECONDS = 0.1  # of the pace; smooth enough for strict limits, coarse enough for the loop's timers
FIRST_PAUSE_SECONDS = 0.5  # after a refusal that names no time; doubles while refusals follow each other
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease of the endpoint's limits. None means unlimited.

    `calls` may be started after the `usage()` that this grant answers; it replaces what was left of the grant before.
    Without a new grant for `valid_seconds`, no call is started: the lease may have gone to another process by then.
    """

    slots: int
    requests_per_second: float | None = None
    tokens_per_second: float | None = None
    calls: int | None = None
    pause_seconds: float = 0.0
    valid_seconds: float | None = None


@dataclass(slots=True)
class Usage:
    """What happened since the report before, and what is going on now (the last three fields).

    `started` counts every try, `refused` the answers 429, `errors` every other failure. `latency_seconds` is a sum over
    the answered ones.
    """

    started: int = 0
    answered: int = 0
    refused: int = 0
    errors: int = 0
    latency_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    waiting: int = 0
    pause_seconds: float = 0.0


class Pace:
    """A token bucket that may run into debt by one withdrawal, so that no single cost is too large for it."""

    __slots__ = ("_at", "_burst", "_level", "rate")

    def __init__(self) -> None:
        self.rate: float | None = None
        self._level = self._burst = self._at = 0.0

    def set_rate(self, rate: float | None, now: float, smallest_burst: float) -> None:
        if self.rate is None:
            self._level, self._at = smallest_burst, now
        else:
            self._refill(now)
        self.rate = rate
        self._burst = max(smallest_burst, (rate or 0.0) * BURST_SECONDS)

    def take(self, amount: float) -> None:
        if self.rate is not None:
            self._level -= amount

    def wait_seconds(self, now: float, needed: float) -> float:
        """How long until the level reaches `needed`; 0.0 when it has."""
        if self.rate is None:
            return 0.0
        self._refill(now)
        if self._level >= needed - 1e-9:
            return 0.0
        return (needed - self._level) / self.rate if self.rate > 0 else float("inf")

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * (self.rate or 0.0))
        self._at = now


class Gate:
    """Admits calls to one endpoint within the last grant. Starts with no slots: the first grant opens it."""

    def __init__(self, grant: Grant | None = None, *, jitter: random.Random | None = None) -> None:
        self._jitter = jitter or random.Random()
        self._first_grant = grant
        self._slots = 0
        self._calls: int | None = None
        self._expires = float("inf")
        self._paused_until = 0.0
        self._refusals_in_a_row = 0
        self._requests, self._tokens = Pace(), Pace()
        self._queue: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._waiting = 0
        self._in_flight = 0
        self._usage = Usage()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        return self._waiting

    def apply(self, grant: Grant) -> None:
        """Take over a new lease. A lower cap drains: running calls are never stopped."""
        now = self._now()
        self._slots = grant.slots
        self._requests.set_rate(grant.requests_per_second, now, smallest_burst=1.0)
        self._tokens.set_rate(grant.tokens_per_second, now, smallest_burst=0.0)
        # What was started since the report that this grant answers was not known to the one who granted.
        self._calls = None if grant.calls is None else grant.calls - self._usage.started
        self._expires = float("inf") if grant.valid_seconds is None else now + grant.valid_seconds
        if grant.pause_seconds > 0:
            self._paused_until = max(self._paused_until, now + grant.pause_seconds)
        self._dispatch()

    async def acquire(self, priority: int = 0, tokens: int = 0) -> None:
        """Wait for a slot and for the pace. `tokens` is the estimate that `answered` corrects."""
        if self._waiting == 0 and self._blocked_seconds() == 0.0:
            self._start(tokens)
            return
        future = self._running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (priority, self._arrivals, tokens, future))
        self._waiting += 1
        self._dispatch()
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._waiting -= 1  # its place in the queue is skipped when its turn comes
            else:
                self.abandoned()  # the slot had been given in the same turn of the loop
            raise

    def answered(
        self, latency_seconds: float, prompt_tokens: int = 0, completion_tokens: int = 0, reserved_tokens: int = 0
    ) -> None:
        """Give the slot back after an answer; `reserved_tokens` is what `acquire` was told."""
        self._usage.answered += 1
        self._usage.latency_seconds += latency_seconds
        self._usage.prompt_tokens += prompt_tokens
        self._usage.completion_tokens += completion_tokens
        self._tokens.take(prompt_tokens + completion_tokens - reserved_tokens)
        self._refusals_in_a_row = 0
        self._give_back()

    def refused(self, retry_after: float | None = None, reserved_tokens: int = 0) -> float:
        """Give the slot back after a 429: nothing starts until the pause ends. Returns its remaining seconds."""
        now = self._now()
        if now >= self._paused_until:
            self._refusals_in_a_row += 1
        if retry_after is None:
            doublings = min(self._refusals_in_a_row - 1, 10)
            retry_after = min(FIRST_PAUSE_SECONDS * 2.0 ** max(doublings, 0), LONGEST_PAUSE_SECONDS)
        # Only upward: the endpoint's word is the least; the spread keeps processes from returning in step.
        self._paused_until = max(self._paused_until, now + retry_after * self._jitter.uniform(1.0, 1.1))
        self._usage.refused += 1
        self._tokens.take(-reserved_tokens)
        self._give_back()
        return self._paused_until - now

    def failed(self, reserved_tokens: int = 0) -> None:
        """Give the slot back after a failure that was not a refusal."""
        self._usage.errors += 1
        self._tokens.take(-reserved_tokens)
        self._give_back()

    def abandoned(self) -> None:
        """Give the slot back of a call that was cancelled: neither answered nor failed."""
        self._give_back()

    def usage(self) -> Usage:
        """Everything since the last call of this method."""
        report, self._usage = self._usage, Usage()
        report.in_flight, report.waiting = self._in_flight, self._waiting
        report.pause_seconds = max(0.0, self._paused_until - self._now())
        return report

    def _blocked_seconds(self) -> float:
        """0.0 when a call may start now; infinity when only an event (not time) can change that."""
        if self._first_grant is not None:
            grant, self._first_grant = self._first_grant, None
            self.apply(grant)
        if self._in_flight >= self._slots or (self._calls is not None and self._calls <= 0):
            return float("inf")
        now = self._now()
        if now >= self._expires:
            return float("inf")
        wait = self._requests.wait_seconds(now, needed=1.0)
        # Calls of unknown cost may start while any tokens are left; the debt then delays the next ones.
        wait = max(wait, self._tokens.wait_seconds(now, needed=0.0))
        return max(wait, self._paused_until - now, 0.0)

    def _start(self, tokens: int) -> None:
        self._in_flight += 1
        self._usage.started += 1
        if self._calls is not None:
            self._calls -= 1
        self._requests.take(1.0)
        self._tokens.take(tokens)

    def _give_back(self) -> None:
        self._in_flight -= 1
        if self._waiting:
            self._dispatch()

    def _dispatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            if self._queue[0][3].done():
                heapq.heappop(self._queue)
                continue
            blocked = self._blocked_seconds()
            if blocked > 0.0:
                if blocked != float("inf"):
                    self._timer = self._running_loop().call_later(blocked, self._dispatch)
                return
            _, _, tokens, future = heapq.heappop(self._queue)
            self._waiting -= 1
            self._start(tokens)
            future.set_result(None)

    def _now(self) -> float:
        return self._running_loop().time()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop
