"""Finding out how much an endpoint can take: `max_in_flight: auto`. Pure: time comes in as an argument.

Two limits look different and are found in two ways.

*Capacity*: beyond it, extra calls wait at the endpoint. With N calls in flight and a latency of L0 at low load, the
throughput is X = min(N, C) / L0 (Little's law): it grows with N up to the knee C and is flat beyond. One number of
slots is held for an *epoch*, long enough for the answers of the epoch before to drain and for a mean to mean something,
and gives one point (N, X). While doubling N raises X enough, N is doubled. Then N alternates between the knee that fits
the latest points best and a little above, so that both sides of it stay known. Latency alone decides nothing: long
answers are not load, and an endpoint whose answers became longer shows as a flatter line, not as a knee.

*Rate*: calls beyond it are refused (429), after a burst that the endpoint allows. The burst is empty at every refusal;
so between two refusals exactly the limit was accepted, unless the burst could fill up in between. The pace stays below
that, then rises by small steps until the next refusal. Before the first refusal it may double every second.
"""

import math
from dataclasses import dataclass

START_SLOTS = 16
CEILING_SLOTS = 1024
FEWEST_ANSWERS = 60  # of an epoch that decides about a knee: 12 % standard error at a variation of 0.95
REMEMBERED_EPOCHS = 8
FADING = 0.75  # weight of an epoch, relative to the next one
ABOVE, BELOW = 1.22, 1.0  # of the knee: where the alternating epochs stand (Little's N at the knee keeps all busy)
FAR_BELOW = 0.8  # of the fewest calls in flight that are remembered, when even they show no less throughput
GROWTH_WANTED = 0.4  # of throughput, by the growth of calls in flight: about halfway between none and all
SURPRISE_UP, SURPRISE_DOWN = 2.0, 3.0  # standard errors: the endpoint has changed, older epochs are void

FIRST_PACE = 12.0  # calls per second before anything is known
SLOWEST_PACE = 0.05
STEP_BACK = 0.97  # of the accepted rate, after a refusal
SAME_REFUSAL_SECONDS = 1.0  # refusals this close together are one event
TRUSTED_SECONDS = 15.0  # between refusals: in a longer time the burst may have overflowed


@dataclass(slots=True)
class Epoch:
    """A stretch of time with one number of slots. Integrals start after the settling time."""

    slots: int
    start: float
    measured_from: float = math.inf
    in_flight_seconds: float = 0.0
    answered: int = 0
    latency_seconds: float = 0.0
    starved_seconds: float = 0.0  # without waiting calls: the slots were not what limited

    def seconds(self, now: float) -> float:
        return max(0.0, now - self.measured_from)


@dataclass(frozen=True, slots=True)
class Point:
    in_flight: float
    throughput: float
    answered: int


class KneeFinder:
    """The slots at which an endpoint's throughput stops growing."""

    def __init__(self, start: int, ceiling: int) -> None:
        self.slots = min(start, ceiling)
        self._ceiling = ceiling
        self._points: list[Point] = []
        self._doubling = True
        self._above = True
        self._latency = 0.0  # mean of the last answers, seconds
        self._epoch = Epoch(self.slots, 0.0)
        self._last: float | None = None

    def observe(
        self, now: float, answered: int, latency_seconds: float, in_flight: int, waiting: int, paced: bool
    ) -> None:
        if self._last is None:
            self._last, self._epoch.start = now, now
        epoch, elapsed = self._epoch, now - self._last
        self._last = now
        if answered:
            fading = max(0.2, 0.98**answered)
            mean = latency_seconds / answered
            self._latency = mean if self._latency == 0.0 else fading * self._latency + (1 - fading) * mean
        if epoch.measured_from == math.inf:
            # Until about a latency has passed, the answers are those of the epoch before.
            settling = self._latency * (0.8 if self._doubling else 1.0)
            if self._latency > 0.0 and now - epoch.start >= settling:
                epoch.measured_from = now
            return
        epoch.in_flight_seconds += in_flight * elapsed
        epoch.answered += answered
        epoch.latency_seconds += latency_seconds
        if paced or (waiting == 0 and in_flight < 0.9 * epoch.slots):
            epoch.starved_seconds += elapsed
        if self._long_enough(now):
            self._conclude(now)

    def _long_enough(self, now: float) -> bool:
        epoch, seconds = self._epoch, self._epoch.seconds(now)
        if self._doubling:
            return seconds >= max(0.8, 0.9 * self._latency) and epoch.answered >= FEWEST_ANSWERS // 2
        return seconds >= max(2.0, 2.5 * self._latency) and epoch.answered >= FEWEST_ANSWERS

    def _conclude(self, now: float) -> None:
        epoch, seconds = self._epoch, self._epoch.seconds(now)
        if epoch.starved_seconds > 0.3 * seconds:
            self._begin(self.slots, now)  # too little was asked for: nothing can be learned about more
            return
        point = Point(max(epoch.in_flight_seconds / seconds, 1.0), epoch.answered / seconds, epoch.answered)
        if self._doubling:
            self._double(point, now)
        else:
            self._alternate(point, now)

    def _double(self, point: Point, now: float) -> None:
        before = self._points[-1] if self._points else None
        self._points.append(point)
        if before is not None and not grew(before, point):
            # These epochs were too short to settle: they say where to look, not where the knee is.
            knee = before.in_flight * max(1.0, point.throughput / before.throughput)
            self._points.clear()
            self._doubling, self._above = False, True
            self._begin(round(knee * ABOVE), now)
        elif self.slots * 2 > self._ceiling:
            self._points = [point]
            self._doubling, self._above = False, True
            self._begin(self._ceiling, now)
        else:
            self._begin(self.slots * 2, now)

    def _alternate(self, point: Point, now: float) -> None:
        surprise = self._surprise(point)
        if surprise is not None:
            # Fewer answers may mean less capacity or longer answers: fewer calls will tell. When the change came in the
            # middle of this epoch, its point belongs to neither side of it.
            self._above = self._doubling = surprise > 1.0
            self._points = [point] if self._doubling else []
            self._begin(round(point.in_flight * (1.5 if self._doubling else max(0.5, surprise))), now)
            return
        self._points = [*self._points[-REMEMBERED_EPOCHS + 1 :], point]
        knee, _ = fit_knee(self._points)
        lowest = min(known.in_flight for known in self._points)
        highest = max(known.in_flight for known in self._points)
        if self._above and knee >= 0.97 * highest and len(self._points) > 1 and self.slots * 1.5 < self._ceiling:
            self._points = [point]
            self._doubling = True
            self._begin(round(self.slots * 1.5), now)
            return
        flat = knee < 1.02 * lowest
        self._above = not self._above and not flat
        if self._above:
            self._begin(round(knee * ABOVE), now)
        else:
            self._begin(round(lowest * FAR_BELOW if flat else knee * BELOW), now)

    def _surprise(self, point: Point) -> float | None:
        """Throughput by what the points so far foretold, when noise cannot explain it."""
        if len(self._points) < 2:
            return None
        knee, latency = fit_knee(self._points)
        ratio = max(point.throughput, 1e-9) * latency / min(point.in_flight, knee)
        error = math.sqrt(1.0 / point.answered + 0.0025)
        return ratio if ratio > math.exp(SURPRISE_UP * error) or ratio < math.exp(-SURPRISE_DOWN * error) else None

    def _begin(self, slots: int, now: float) -> None:
        self.slots = max(1, min(slots, self._ceiling))
        self._epoch = Epoch(self.slots, now)


def grew(before: Point, after: Point) -> bool:
    """Whether more calls in flight brought enough more throughput to go on adding."""
    more = max(after.in_flight / before.in_flight - 1.0, 0.0)
    return after.throughput >= before.throughput * (1.0 + GROWTH_WANTED * more)


def fit_knee(points: list[Point]) -> tuple[float, float]:
    """Knee C and latency L0 of X = min(N, C) / L0 that fit best, by weighted least squares of logarithms.

    Points on one side only: when all lie on the rising line, C is the highest N seen; when all are flat, the lowest.
    """
    weights = [FADING ** (len(points) - 1 - i) * min(p.answered, 400) for i, p in enumerate(points)]
    total = sum(weights)
    lowest, highest = min(p.in_flight for p in points), max(p.in_flight for p in points)
    best = (math.inf, highest, 1.0)
    steps = 40
    for step in range(steps + 1):
        knee = lowest * (highest / lowest) ** (step / steps)
        logs = [math.log(min(p.in_flight, knee) / max(p.throughput, 1e-9)) for p in points]
        latency = sum(w * x for w, x in zip(weights, logs, strict=True)) / total
        misfit = sum(w * (x - latency) ** 2 for w, x in zip(weights, logs, strict=True)) / total
        if misfit < best[0] - 1e-12:
            best = (misfit, knee, math.exp(latency))
    return best[1], best[2]


class PaceFinder:
    """The rate at which an endpoint accepts calls, in calls per second; None while it is not what limits."""

    def __init__(self) -> None:
        self.pace = FIRST_PACE
        self.limit: float | None = None  # measured between two refusals
        self._refused_at: float | None = None
        self._accepted_since = 0
        self._recent: list[tuple[float, int]] = []  # accepted calls per report, of the last seconds
        self._last: float | None = None

    @property
    def found(self) -> bool:
        return self._refused_at is not None

    def observe(self, now: float, started: int, refused: int, answered: int, binding: bool) -> None:
        """`binding` is whether the pace, and not the slots or a lack of calls, held calls back."""
        elapsed = 0.0 if self._last is None else now - self._last
        self._last = now
        self._accepted_since += started - refused
        self._recent.append((now, started - refused))
        while self._recent[0][0] < now - 3.0:
            self._recent.pop(0)
        if refused:
            self._step_back(now)
        elif binding:
            self._step_up(now, elapsed)

    def _step_back(self, now: float) -> None:
        if self._refused_at is None:
            seconds = max(now - self._recent[0][0], 1.0)
            self.pace = min(self.pace, STEP_BACK * sum(count for _, count in self._recent) / seconds)
        else:
            seconds = now - self._refused_at
            if seconds < SAME_REFUSAL_SECONDS:
                return
            measured = self._accepted_since / seconds
            if seconds > TRUSTED_SECONDS and measured < 0.97 * self.pace:
                # So long below the limit that the burst was full again: `measured` is too low, the pace too high.
                self.limit = math.sqrt(measured * self.pace)
            else:
                self.limit = min(measured, self.pace)
            self.pace = STEP_BACK * self.limit
        self.pace = max(self.pace, SLOWEST_PACE)
        self._refused_at, self._accepted_since = now, 0

    def _step_up(self, now: float, elapsed: float) -> None:
        if self._refused_at is None:
            self.pace *= 2.0**elapsed
            return
        # Quickly up to what was measured, then hardly at all, then faster: the limit may have been raised.
        calm = now - self._refused_at
        if self.limit is not None and self.pace < 0.985 * self.limit:
            per_second = 0.02
        else:
            per_second = 0.0005 * 2.0 ** min(max(0.0, calm - 20.0) / 10.0, 7.0)
        self.pace *= 1.0 + per_second * elapsed


class AutoLimit:
    """Slots and pace for one endpoint, found from what all its holders report together."""

    def __init__(self, start: int = START_SLOTS, ceiling: int = CEILING_SLOTS) -> None:
        self._knee = KneeFinder(start, ceiling)
        self._pace = PaceFinder()

    @property
    def slots(self) -> int:
        return self._knee.slots

    @property
    def requests_per_second(self) -> float | None:
        return self._pace.pace

    def observe(
        self,
        now: float,
        *,
        started: int,
        answered: int,
        latency_seconds: float,
        refused: int,
        in_flight: int,
        waiting: int,
    ) -> None:
        """Take in what happened since the last call of this method; `in_flight` and `waiting` are of now."""
        paced = waiting > 0 and in_flight < 0.95 * self.slots
        self._pace.observe(now, started, refused, answered, binding=paced)
        self._knee.observe(now, answered, latency_seconds, in_flight, waiting, paced)
