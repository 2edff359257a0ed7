"""How a sweep looks while it runs: a live view in a terminal, a line now and then in a log.

In a terminal, what happened to the cells is part of the view, which a line of the log would tear apart.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from evolray.display import Display, duration
from evolray.sweep.schedule import Entry

logger = logging.getLogger("evolray")

EVENTS = 6  # in the live view
SHOWN = 8  # names of running cells


class Progress(Display):
    def __init__(self, title: str, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console)
        self._title, self._started = title, time.monotonic()
        self._events: deque[str] = deque(maxlen=EVENTS)
        self._is_live = (console or Console(stderr=True)).is_terminal

    def tell(self, event: str) -> None:
        """What became of a cell."""
        self._events.append(event)
        if not self._is_live:
            logger.info(event)

    def show(self, counts: Mapping[str, int], running: Sequence[Entry], is_watching: bool) -> None:
        self.display(lambda: self._view(counts, running, is_watching), lambda: _line(counts, running, is_watching))

    def _view(self, counts: Mapping[str, int], running: Sequence[Entry], is_watching: bool) -> Group:
        done = sum(counts.values()) - counts["running"] - counts["waiting"]
        bar = Padding(ProgressBar(total=max(sum(counts.values()), 1), completed=done), (0, 0, 1, 0))
        events = [Text(event.partition("\n")[0], style="dim", overflow="ellipsis") for event in self._events]
        line = f"{_line(counts, running, is_watching)}; {duration(time.monotonic() - self._started)}"
        return Group(Text(self._title, style="bold"), bar, Text(line), *events)


def _line(counts: Mapping[str, int], running: Sequence[Entry], is_watching: bool) -> str:
    said = [f"{number:,} {state}" for state, number in counts.items() if number and state != "complete"]
    pending = sum(entry.is_pending for entry in running)
    names = [f"{entry.cell.title}{' (pending)' if entry.is_pending else ''}" for entry in running[:SHOWN]]
    more = [f"{len(running) - SHOWN} more"] if len(running) > SHOWN else []
    line = f"{counts['complete']:,} of {sum(counts.values()):,} cells complete{''.join(f', {one}' for one in said)}"
    if names:
        line += f": {', '.join([*names, *more])}"
    if running and pending == len(running):
        line += "; no job has a place in the cluster yet"
    return f"{line}; watching for new checkpoints" if is_watching else line
