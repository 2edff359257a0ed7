"""The found limit: how much of an endpoint's capacity does `teacher.max_in_flight=auto` reach, and what is refused?

    python benchmarks/auto_limit.py                                   # four endpoints, 150 s each; about 12 minutes
    python benchmarks/auto_limit.py --cases capacity rpm600 --seconds 60 --settle 20

    case        the simulated endpoint                                                 what it limits
    capacity    64 calls at once, the others queue; latency of median 1 s, sigma 0.8   calls in flight
    rpm600      600 requests per minute, 429 beyond; median 0.3 s, sigma 0.8           pace
    rpm6000     6,000                                                                  pace
    rpm30000    30,000                                                                 pace

evolray runs as a user starts it and gets Ctrl-C after `--seconds` from its first call. Counted is the time after
`--settle`, to a little before the end. A capacity is used as far as its places are busy: that is the throughput by
64 / mean latency of just those calls, without the luck of which prompts were drawn. A pace is used as far as calls were
let through.
"""

import argparse
import contextlib
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import SIGMA, Row, check_ended, evolve_command, print_table, start, synthetic_seeds
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings

CASES = {
    "capacity": ServerSettings(latency_seconds=1.0, sigma=SIGMA, capacity=64),
    "rpm600": ServerSettings(latency_seconds=0.3, sigma=SIGMA, requests_per_minute=600),
    "rpm6000": ServerSettings(latency_seconds=0.3, sigma=SIGMA, requests_per_minute=6000),
    "rpm30000": ServerSettings(latency_seconds=0.3, sigma=SIGMA, requests_per_minute=30000),
}
UNSEEN_SECONDS = 5.0  # at the end: calls that are still in flight are not on the server's timeline
FIRST_CALL_SECONDS = 120.0
STOP_SECONDS = 60.0
CALLS_PER_SEED = 2.0  # a little fewer than there will be, so that no run is short of seeds
INTERRUPTED = 130


@dataclass(frozen=True)
class Found:
    """One case. Rates in calls per second, over the window."""

    rate: float
    capacity: float
    used: float
    """Share of the capacity."""
    refused: float
    """Share of all requests of the run, those before the window included."""
    in_flight: float
    """Mean over the window."""


def run_case(settings: ServerSettings, seconds: float, settle: float, folder: Path) -> Found:
    """Run evolray for so long after its first call, and stop it. RuntimeError when it ended in another way."""
    seeds = folder / "seeds.json"
    seeds.write_text(json.dumps(list(synthetic_seeds(_enough_seeds(settings, seconds)))))
    with running(settings) as base_url:
        child = start(evolve_command(base_url, seeds, folder / "run", "auto"), folder / "log")
        try:
            _wait_for_first_call(child, base_url)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(seconds)  # it should not have ended by then
            stats, timeline = fetch(base_url, "stats"), fetch(base_url, "timeline")
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
        finally:
            child.kill()
            child.wait()
        check_ended(child, folder / "log", codes=(INTERRUPTED,))
    first = min(at for at, _, _ in timeline)
    window = (first + settle, first + seconds - UNSEEN_SECONDS)
    return _found(settings, timeline, window, stats["refused"] / stats["requests"])


def _enough_seeds(settings: ServerSettings, seconds: float) -> int:
    return math.ceil(_nominal_rate(settings) * seconds / CALLS_PER_SEED) + 500


def _nominal_rate(settings: ServerSettings) -> float:
    """Calls per second that the endpoint can serve: by the pace, or by the mean of the lognormal distribution."""
    if settings.requests_per_minute:
        return settings.requests_per_minute / 60.0
    return settings.capacity / (settings.latency_seconds * math.exp(settings.sigma**2 / 2.0))


def _wait_for_first_call(child: "subprocess.Popen[bytes]", base_url: str) -> None:
    deadline = time.monotonic() + FIRST_CALL_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if fetch(base_url, "stats")["requests"]:
            return
        time.sleep(0.1)


def _found(
    settings: ServerSettings,
    timeline: Sequence[tuple[float, float, str]],
    window: tuple[float, float],
    refused: float,
) -> Found:
    begin, end = window
    seconds = end - begin
    busy = busy_seconds(timeline, window, settings.capacity or sys.maxsize)
    answered = sum(begin <= at < end for _, at, _ in timeline)
    accepted = sum(begin <= at < end for at, _, _ in timeline)
    in_flight = busy_seconds(timeline, window, sys.maxsize) / seconds
    if settings.capacity:
        capacity = settings.capacity * answered / busy  # places by mean latency of the calls, without the queue
        return Found(answered / seconds, capacity, busy / seconds / settings.capacity, refused, in_flight)
    capacity = _nominal_rate(settings)
    return Found(accepted / seconds, capacity, accepted / seconds / capacity, refused, in_flight)


def busy_seconds(timeline: Sequence[tuple[float, float, str]], window: tuple[float, float], places: int) -> float:
    """Integral of min(calls in flight, places) over the window: a queue never leaves a place empty."""
    begin, end = window
    changes = sorted([(at, 1) for at, _, _ in timeline] + [(at, -1) for _, at, _ in timeline])
    total, in_flight, before = 0.0, 0, begin
    for at, change in changes:
        now = min(max(at, begin), end)
        total += (now - before) * min(in_flight, places)
        before, in_flight = now, in_flight + change
    return total + (end - before) * min(in_flight, places)


def main() -> int:
    parser = argparse.ArgumentParser(description="max_in_flight=auto against endpoints with limits.")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seconds", type=float, default=150.0, help="of each run, from its first call")
    parser.add_argument("--settle", type=float, default=60.0, help="seconds from the first call that do not count")
    options = parser.parse_args()
    if options.seconds < options.settle + UNSEEN_SECONDS + 1.0:
        parser.error(f"--seconds {options.seconds:g}: expected at least {UNSEEN_SECONDS + 1.0:g} more than --settle")
    rows = []
    for name in options.cases:
        print(f"{name} ...", end=" ", flush=True)
        with tempfile.TemporaryDirectory(prefix="evolray-") as folder:
            found = run_case(CASES[name], options.seconds, options.settle, Path(folder))
        print(f"{found.rate:.1f} calls/s, {found.in_flight:.0f} in flight", flush=True)
        rate, capacity = f"{found.rate:.1f}", f"{found.capacity:.1f}"
        rows += [
            Row(f"{name}: calls/s", rate, capacity, found.used, 0.95, at_least=True),
            Row(f"{name}: share refused", "", "", found.refused, 0.01),
        ]
        if places := CASES[name].capacity:
            in_flight = f"{found.in_flight:.0f}"
            rows.append(Row(f"{name}: calls in flight, mean", in_flight, str(places), found.in_flight / places))
    window = f"from {options.settle:g} to {options.seconds - UNSEEN_SECONDS:g} s after the first call"
    print_table(window, rows, columns=("evolray", "capacity", "share"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
