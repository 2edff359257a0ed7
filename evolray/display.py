"""How long work shows itself: a live view in a terminal, a line now and then in a log."""

import logging
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

logger = logging.getLogger("evolray")


class Display:
    """Shows what it is given, in the one form or the other; only the one that is shown is made."""

    def __init__(self, log_seconds: float, console: Console | None, *, at_once: bool = False) -> None:
        """`at_once`: the first line comes with the first call, not after `log_seconds`."""
        console = console or Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._log_seconds, self._logged = log_seconds, float("-inf") if at_once else time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def display(self, view: Callable[[], RenderableType], line: Callable[[], str]) -> None:
        """The view at once, or the line if the last one is `log_seconds` ago."""
        if self._live:
            self._live.update(view(), refresh=True)
        elif time.monotonic() - self._logged >= self._log_seconds:
            self._logged = time.monotonic()
            logger.info(line())


def duration(seconds: float) -> str:
    """For example 2 h 05 min, 3 min 07 s or 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
