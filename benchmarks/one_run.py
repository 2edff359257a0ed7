"""One run seen from outside: what the simulated endpoint and the kernel noted while a command ran.

Times are the server's. CPU is that of the whole process tree; processes that end count up to half a second too little.
"""

import math
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import SAMPLE_SECONDS, check_ended, process_tree, start
from evolray.teachers.simulated.server import fetch

FULL = 0.95  # of the limit counts as full


@dataclass(frozen=True)
class Measured:
    """What the server and the kernel saw of one run. Times in seconds."""

    calls: int
    asked: tuple[int, ...]
    """Requests, distinct prompts and tokens: equal for runs that asked the same."""
    first_call: float
    """After the process was started."""
    span: float
    """From the first call to the end of the last."""
    work: float
    """All calls' seconds at the server."""
    full: float
    """Share of the time until the last root starts with at least `FULL` of the limit in flight."""
    peak: int
    cpu: float
    processes: dict[str, float]
    """CPU seconds by name of process."""

    @property
    def rate(self) -> float:
        return self.calls / self.span

    @property
    def cpu_per_1000(self) -> float:
        return 1000 * self.cpu / self.calls


def measure(command: Sequence[str], base_url: str, limit: int, log: Path) -> Measured:
    """Run a command to its end. The server's clock starts with the process."""
    fetch(base_url, "reset")
    child = start(command, log)
    try:
        cpu = follow(child)
    finally:
        child.kill()
        child.wait()
    check_ended(child, log)
    stats, timeline = fetch(base_url, "stats"), fetch(base_url, "timeline")
    first = min(start for start, _, _ in timeline)
    return Measured(
        calls=len(timeline),
        asked=tuple(stats[one] for one in ("requests", "distinct_prompts", "prompt_tokens", "completion_tokens")),
        first_call=first,
        span=max(end for _, end, _ in timeline) - first,
        work=sum(end - start for start, end, _ in timeline),
        full=share_full(timeline, math.ceil(FULL * limit)),
        peak=stats["peak_in_flight"],
        cpu=sum(cpu.values()),
        processes=cpu,
    )


def follow(
    child: "subprocess.Popen[bytes]", until: Callable[[], bool] = lambda: False, pause: float = SAMPLE_SECONDS
) -> dict[str, float]:
    """CPU seconds of the command's processes, by name, at its end or when `until` says so; asked after each pause."""
    seen: dict[tuple[int, int], tuple[str, float]] = {}
    while child.poll() is None and not until():
        seen |= {(one.pid, one.started): (one.name, one.cpu_seconds) for one in process_tree(child.pid) if one.name}
        time.sleep(pause)
    total: dict[str, float] = {}
    for name, seconds in seen.values():
        total[name] = total.get(name, 0.0) + seconds
    return total


def share_full(timeline: Sequence[tuple[float, float, str]], wanted: int) -> float:
    """Share of the time from the first call to the last root's first one with at least `wanted` in flight."""
    first = min(start for start, _, _ in timeline)
    until = max(start for start, _, kind in timeline if kind == "evolve")
    changes = sorted([(start, 1) for start, _, _ in timeline] + [(end, -1) for _, end, _ in timeline])
    full = in_flight = 0.0
    before = first
    for at, change in changes:
        if at > until:
            break
        full += (at - before) * (in_flight >= wanted)
        before, in_flight = at, in_flight + change
    return full / (until - first) if until > first else 0.0
