"""How a training looks while it runs: a live view in a terminal, a line now and then in a log."""

import logging
import time
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from evolray.durations import duration
from evolray.train.watching import Figures

logger = logging.getLogger("evolray")

GIB = 2**30


class Progress:
    """Follows a training's figures. What is not in the latest ones (a loss between two logs) stays as it was."""

    def __init__(self, title: str, log_seconds: float, console: Console | None) -> None:
        self._title, self._log_seconds = title, log_seconds
        console = console or Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._logged = 0.0
        self._loss: float | None = None
        self._held_out: float | None = None
        self._rate: float | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def tokenised(self, examples: int) -> None:
        text = f"{examples:,} examples tokenised"
        if self._live:
            self._live.update(Group(Text(self._title, style="bold"), Text(text)), refresh=True)
        else:
            self._say(text)

    def show(self, now: Figures) -> None:
        self._loss = self._loss if now.loss is None else now.loss
        self._held_out = self._held_out if now.held_out_loss is None else now.held_out_loss
        self._rate = self._rate if now.learning_rate is None else now.learning_rate
        if self._live:
            bar = Padding(ProgressBar(total=max(now.steps, 1), completed=now.step), (0, 0, 1, 0))
            lines = [Text(part) for part in (self._learning(now), self._working(now))]
            self._live.update(Group(Text(self._title, style="bold"), bar, *lines), refresh=True)
        else:
            self._say(f"{self._learning(now)}; {self._working(now)}")

    def _say(self, line: str) -> None:
        if time.monotonic() - self._logged >= self._log_seconds:
            self._logged = time.monotonic()
            logger.info(line)

    def _learning(self, now: Figures) -> str:
        parts = [f"step {now.step:,} of {now.steps:,}", f"epoch {now.epoch:.2f}"]
        parts += [f"loss {self._loss:.4f}"] if self._loss is not None else []
        parts += [f"held-out {self._held_out:.4f}"] if self._held_out is not None else []
        parts += [f"learning rate {self._rate:.2e}"] if self._rate is not None else []
        return "  ".join(parts)

    def _working(self, now: Figures) -> str:
        parts = [f"{now.tokens_per_second:,.0f} tokens/s"]
        parts += [f"{now.mfu:.1%} MFU"] if now.mfu is not None else [f"{now.flops_per_second / 1e9:,.1f} GFLOP/s"]
        parts += [f"{now.memory_bytes / GIB:.1f} GiB", f"{now.padding:.1%} padding"]
        parts += [f"{duration(now.seconds_left)} left"] if now.seconds_left is not None else []
        return "  ".join(parts)
