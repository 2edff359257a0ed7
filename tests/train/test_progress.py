"""What one sees of a training: the same figures in a terminal and, now and then, as a line of a log."""

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from evolray import display
from evolray.train.progress import Progress
from evolray.train.watching import Figures

FIGURES = Figures(
    step=1200, steps=3000, epoch=1.2, loss=1.23456, learning_rate=1.5e-5, gradient_norm=0.5,
    tokens_per_second=12_345.6, flops_per_second=3.21e9, memory_bytes=3 * 2**30 // 2, padding=0.034, examples=9600,
    tokens=10**6, seconds_left=3900.0,
)  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    caplog.set_level(logging.INFO, logger="evolray")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "evolray"]


def log_to(file: io.StringIO) -> Progress:
    return Progress("training", 30.0, Console(file=file, force_terminal=False))


def test_a_log_gets_a_line_now_and_then(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO()) as progress:
        for clock.now in (1000.0, 1029.9, 1030.0, 1030.1, 1061.0):
            progress.show(replace(FIGURES, step=int(clock.now)))
    assert [line.split("  ")[0] for line in lines()] == [f"step {step:,} of 3,000" for step in (1000, 1030, 1061)]


def test_a_line_says_how_learning_and_machine_are_doing(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO()) as progress:
        progress.show(FIGURES)
    assert lines() == [
        "step 1,200 of 3,000  epoch 1.20  loss 1.2346  learning rate 1.50e-05; "
        "12,346 tokens/s  3.2 GFLOP/s  1.5 GiB  3.4% padding  1 h 05 min left"
    ]


def test_what_is_not_in_the_latest_figures_stays(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO()) as progress:
        progress.show(FIGURES)
        clock.now += 30
        progress.show(replace(FIGURES, loss=None, learning_rate=None, held_out_loss=2.5, mfu=0.456, seconds_left=None))
    assert lines()[1] == (
        "step 1,200 of 3,000  epoch 1.20  loss 1.2346  held-out 2.5000  learning rate 1.50e-05; "
        "12,346 tokens/s  45.6% MFU  1.5 GiB  3.4% padding"
    )


def test_tokenising_is_told_too(clock: Clock, lines: Callable[[], list[str]]) -> None:
    with log_to(io.StringIO()) as progress:
        progress.tokenised(12_345)
    assert lines() == ["12,345 examples tokenised"]


def test_a_terminal_shows_the_latest_and_gets_no_lines(lines: Callable[[], list[str]]) -> None:
    file = io.StringIO()
    with Progress("training llama", 30.0, Console(file=file, force_terminal=True, width=120)) as progress:
        progress.tokenised(512)
        progress.show(FIGURES)
    shown = file.getvalue()
    for words in ("training llama", "512 examples tokenised", "step 1,200 of 3,000", "12,346 tokens/s"):
        assert words in shown
    assert lines() == []
