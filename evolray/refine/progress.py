"""How refining looks while it runs: a line per step in a terminal, the current one now and then in a log."""

import time

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evolray.display import Display, duration

WINDOW = 120  # looks; there are about two a second


class Progress(Display):
    """Follows one step after another. `notes`: what the finished ones found."""

    def __init__(self, title: str, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console)
        self._title = title
        self._ended: list[tuple[str, str]] = []
        self._step, self._done, self._todo = "", 0, 0
        self._window: list[tuple[float, int]] = []

    def begin(self, step: str, todo: int, done: int = 0) -> None:
        """`todo`: shards or units of the step, `done` of them by an earlier invocation."""
        self._step, self._done, self._todo, self._window = step, done, todo, []
        self.show()

    def advance(self, number: int = 1) -> None:
        self._done += number
        self.show()

    def at(self, done: int, note: str) -> None:
        """`note`: what there is to say of the step beside how far it is."""
        self._done = done
        self.show(note)

    def end(self, note: str) -> None:
        self._ended.append((self._step, note))
        self.show()

    @property
    def now(self) -> dict[str, object]:
        return {"step": self._step, "done": self._done, "todo": self._todo}

    def show(self, note: str = "") -> None:
        self._window = [*self._window, (time.monotonic(), self._done)][-WINDOW:]
        line = "  ".join([f"{self._done:,} of {self._todo:,}", *filter(None, [note]), *self._left()])
        self.display(lambda: self._view(line), lambda: f"{self._step}: {line}")

    def _view(self, line: str) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for step, note in self._ended:
            table.add_row(Text(step), Text(note, style="dim"))
        if self._step and (not self._ended or self._ended[-1][0] != self._step):
            table.add_row(Text(self._step, style="bold"), Text(line))
        bar = Padding(ProgressBar(total=max(self._todo, 1), completed=self._done), (0, 0, 1, 0))
        return Group(Text(self._title, style="bold"), bar, table)

    def _left(self) -> list[str]:
        (start, before), (end, after) = self._window[0], self._window[-1]
        if after <= before or end - start < 2:
            return []
        return [f"{duration((end - start) / (after - before) * (self._todo - after))} left"]
