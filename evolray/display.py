"""How long work shows itself: a live view in a terminal or a notebook, a line now and then in a log."""

import io
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

logger = logging.getLogger("evolray")

# A notebook's view is replaced as a whole, and sent to a browser: less often than a terminal's.
NOTEBOOK_SECONDS = 1.0
NOTEBOOK_COLUMNS = 110
# Without colours of its own, so that it reads on light and dark pages.
BLOCK = '<pre style="white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace">{code}</pre>'


class Display:
    """Shows what it is given, in the one form or the other; only the one that is shown is made."""

    def __init__(self, log_seconds: float, console: Console | None, *, at_once: bool = False) -> None:
        """`at_once`: the first line comes with the first call, not after `log_seconds`."""
        self._screen = _screen(console or Console(stderr=True))
        self._log_seconds, self._logged = log_seconds, float("-inf") if at_once else time.monotonic()

    def __enter__(self) -> Self:
        if self._screen:
            self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen:
            self._screen.stop()

    def display(self, view: Callable[[], RenderableType], line: Callable[[], str]) -> None:
        """The view at once, or the line if the last one is `log_seconds` ago."""
        if self._screen:
            self._screen.show(view)
        elif time.monotonic() - self._logged >= self._log_seconds:
            self._logged = time.monotonic()
            logger.info(line())


class Screen(Protocol):
    def start(self) -> None: ...
    def show(self, view: Callable[[], RenderableType]) -> None: ...
    def stop(self) -> None: ...


class Terminal:
    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def start(self) -> None:
        self._live.start()

    def show(self, view: Callable[[], RenderableType]) -> None:
        self._live.update(view(), refresh=True)

    def stop(self) -> None:
        self._live.stop()


class Notebook:
    """One output below the cell, replaced in place: a saved notebook holds the last state alone.

    rich's own live view would need ipywidgets, whose state a saved notebook does not show.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = float("-inf")
        self._waiting: Callable[[], RenderableType] | None = None

    def start(self) -> None:
        """The output appears with the first state."""

    def show(self, view: Callable[[], RenderableType]) -> None:
        self._waiting = view
        if time.monotonic() - self._shown >= NOTEBOOK_SECONDS:
            self._send()

    def stop(self) -> None:
        """The last state is shown, however soon it came after the one before."""
        if self._waiting:
            self._send()

    def _send(self) -> None:
        from IPython.display import display

        assert self._waiting
        state, self._waiting, self._shown = as_mime(self._waiting()), None, time.monotonic()
        if self._handle is None:
            self._handle = display(state, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(state, raw=True)


def as_mime(view: RenderableType) -> dict[str, str]:
    """What a notebook keeps of a view, by MIME type: as HTML, and as plain text for what shows no HTML."""
    console = Console(
        file=io.StringIO(), record=True, width=NOTEBOOK_COLUMNS, force_terminal=True, force_jupyter=False,
        color_system="truecolor", legacy_windows=False,
    )  # fmt: skip
    console.print(view)
    plain = console.export_text(clear=False)
    return {"text/html": console.export_html(inline_styles=True, code_format=BLOCK), "text/plain": plain}


def _screen(console: Console) -> Screen | None:
    if console.is_jupyter:
        return Notebook()
    return Terminal(console) if console.is_terminal else None


def duration(seconds: float) -> str:
    """For example 2 h 05 min, 3 min 07 s or 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
