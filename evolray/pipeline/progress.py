"""How steps look while they run: a row each in a terminal, a line now and then in a log."""

import logging
import time
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from evolray.cluster.jobs.logs import last_line
from evolray.display import Display, duration
from evolray.pipeline.schedule import Entry, Server

logger = logging.getLogger("evolray")

LOOK_SECONDS = 3.0  # between two looks at a job's log, all of which comes over the network
STYLES = {"complete": "green", "running": "cyan", "failed": "red", "waiting": "dim"}


class Progress(Display):
    def __init__(self, title: str, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console)
        self._title = title
        self._last_lines: dict[str, tuple[float, str]] = {}

    def tell(self, event: str) -> None:
        """What became of a step; a live view shows it in the step's row."""
        if not self._screen:
            logger.info(event)

    def show(self, entries: Sequence[Entry], server: Server) -> None:
        def said(entry: Entry) -> str:
            return self._last_line(entry, server)

        self.display(lambda: view(self._title, entries, said), lambda: line(entries, said))

    def _last_line(self, entry: Entry, server: Server) -> str:
        """Of its job's log."""
        looked, said = self._last_lines.get(entry.job, (float("-inf"), ""))
        if time.monotonic() - looked >= LOOK_SECONDS:
            said = last_line(server.log(entry.job))
            self._last_lines[entry.job] = (time.monotonic(), said)
        return said


def view(title: str, entries: Sequence[Entry], said: Callable[[Entry], str]) -> Group:
    rows = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for column in ("step", "state", "time"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("said", no_wrap=True, overflow="ellipsis")
    for entry in entries:
        record = entry.record
        state = _state(entry)
        took = duration(record.seconds) if record.attempts else ""
        words = said(entry) if record.state == "running" else _why(entry)
        rows.add_row(Text(record.name), Text(state, style=STYLES[record.state]), took, Text(words, style="dim"))
    return Group(*([Text(title, style="bold")] if title else []), rows)


def line(entries: Sequence[Entry], said: Callable[[Entry], str]) -> str:
    """For a log: how many are done, and below it a line for each that runs."""
    done = sum(entry.record.state == "complete" for entry in entries)
    running = [entry for entry in entries if entry.record.state == "running"]
    return "\n".join(
        [f"{done:,} of {len(entries):,} steps complete", *(_running(entry, said(entry)) for entry in running)]
    )


def _running(entry: Entry, said: str) -> str:
    return f"    {entry.record.name} {_state(entry)} for {duration(entry.record.seconds)}{f': {said}' if said else ''}"


def _why(entry: Entry) -> str:
    """What became of a step that failed, or that waits for another try."""
    record = entry.record
    message = record.attempts[-1].message if record.state in ("failed", "waiting") and record.attempts else ""
    return message.partition("\n")[0]


def _state(entry: Entry) -> str:
    return "pending" if entry.record.state == "running" and entry.is_pending else entry.record.state
