"""What one sees of a run: the same figures in a terminal and, now and then, as a line of a log."""

import io
import logging
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console

from evolray import display
from evolray.engine.messages import Snapshot
from evolray.evolve import progress as module
from evolray.evolve.progress import Progress
from evolray.pool.accounts import Accounts

OUTCOMES = Counter(
    {
        (0, "seed", "kept", ""): 1200,
        (1, "deepen", "kept", ""): 900,
        (1, "deepen", "eliminated", "no_information_gain"): 70,
        (1, "mutate", "eliminated", "refusal"): 25,
        (1, "mutate", "failed", "timeout"): 5,
    }
)


def snapshot(calls: int = 4321, outcomes: Counter[tuple[int, str, str, str]] = OUTCOMES) -> Snapshot:
    return Snapshot(
        Accounts(outcomes=outcomes),  # type: ignore[arg-type]
        calls, prompt_tokens=1_500_000, completion_tokens=250_000, cost=12.345,
        refused=17, in_flight=61, limit=64, shards_open=3,
    )  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for one in (display, module):
        monkeypatch.setattr(one, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    caplog.set_level(logging.INFO, logger="evolray")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "evolray"]


def log_to(file: io.StringIO, seconds: float = 30.0) -> Progress:
    return Progress("evolving", 1200, 4, seconds, Console(file=file, force_terminal=False))


def test_a_terminal_shows_generations_reasons_rates_and_cost(clock: Clock, lines: Callable[[], list[str]]) -> None:
    out = io.StringIO()
    with Progress("evolving 1,200 roots", 1200, 4, 30.0, Console(file=out, force_terminal=True, width=120)) as progress:
        progress.show(snapshot(4000))
        clock.now += 10
        progress.show(snapshot(4321))
    shown = out.getvalue()
    for text in (
        "evolving 1,200 roots", "1,200", "900", "95", "no_information_gain 70", "refusal 25", "timeout 5",
        "4,321 calls", "32/s", "61 of 64 in flight", "17 refused", "1,500,000 + 250,000 tokens",
        "cost 12.35", "3 shards open",
    ):  # fmt: skip
        assert text in shown, text
    assert lines() == []


def test_a_terminal_has_a_row_for_every_generation_from_the_start(clock: Clock) -> None:
    out = io.StringIO()
    with Progress("evolving", 10, 3, 30.0, Console(file=out, force_terminal=True, width=100)) as progress:
        progress.show(Snapshot())
    rows = [line.split() for line in out.getvalue().splitlines() if line.split()[1:4] == ["0", "0", "0"]]
    assert [row[0] for row in rows[-4:]] == ["0", "1", "2", "3"]


def test_a_terminal_is_left_as_it_was_found_when_the_run_breaks(clock: Clock) -> None:
    out = io.StringIO()
    with (
        pytest.raises(ZeroDivisionError),
        Progress("evolving", 10, 1, 30.0, Console(file=out, force_terminal=True)) as progress,
    ):
        progress.show(Snapshot())
        raise ZeroDivisionError
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert out.getvalue().count(hidden) == out.getvalue().count(shown) == 1


def test_a_log_has_one_line_with_the_figures(clock: Clock, lines: Callable[[], list[str]]) -> None:
    out = io.StringIO()
    with log_to(out) as progress:
        progress.show(snapshot(4000))
        clock.now += 30
        progress.show(snapshot(4321))
    (line,) = lines()
    for text in (
        "2,200 of 6,000 outcomes", "2,100 kept", "95 eliminated", "5 failed", "4,321 calls", "11/s",
        "61 of 64 in flight", "1,750,000 tokens", "cost 12.35",
    ):  # fmt: skip
        assert text in line, text
    assert out.getvalue() == ""


def test_a_log_gets_a_line_every_so_often(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO(), seconds=30.0) as progress:
        for _ in range(240):  # twice a second, for two minutes
            clock.now += 0.5
            progress.show(snapshot())
    assert len(lines()) == 4


def test_the_time_left_follows_from_what_was_done_since_the_start(clock: Clock, lines: Callable[[], list[str]]) -> None:
    """A resumed run starts with 3,000 of 6,000 outcomes; those were not made in its time."""
    with log_to(io.StringIO(), seconds=0.0) as progress:
        progress.show(snapshot(0, Counter({(0, "seed", "kept", ""): 3000})))
        clock.now += 60
        progress.show(snapshot(0, Counter({(0, "seed", "kept", ""): 4000})))
        clock.now += 3600
        progress.show(snapshot(0, Counter({(0, "seed", "kept", ""): 4001})))
    assert [line.rpartition(", ")[2] for line in lines()] == ["time left unknown", "2 min 00 s left", "2 h 01 min left"]


def test_the_rate_is_that_of_the_last_moments(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO(), seconds=0.0) as progress:
        calls = 0
        for rate in [100] * 50 + [10] * 30:
            clock.now += 1
            calls += rate
            progress.show(snapshot(calls))
    assert "100/s" in lines()[49]
    assert " 10/s" in lines()[-1]
