"""How sampling looks while it runs: a live view in a terminal, a line now and then in a log."""

import time

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from evolray.display import Display, duration
from evolray.sampling.sampler import Sampling

WINDOW = 120  # snapshots; there are about two a second


class Progress(Display):
    """Follows one phase after another. `questions`: how many samples there are to be."""

    def __init__(self, title: str, questions: int, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console)
        self._title, self._questions = title, questions
        self._window: list[tuple[float, int]] = []

    def sampling(self, now: Sampling) -> None:
        parts = [f"{now.sampled:,} of {self._questions:,} sampled", f"{now.failed:,} failed"]
        parts += [f"{now.prompt_tokens + now.completion_tokens:,} tokens"]
        parts += [f"cost {now.cost:,.2f}"] if now.cost else []
        parts += [now.detail] if now.detail else []
        self.show(parts, now.sampled + now.failed, self._questions)

    def begin(self) -> None:
        """A new phase, with a pace of its own."""
        self._window = []

    def show(self, parts: list[str], done: int, todo: int) -> None:
        self._window = [*self._window, (time.monotonic(), done)][-WINDOW:]
        line = "  ".join([*parts, *self._left(done, todo)])
        bar = Padding(ProgressBar(total=max(todo, 1), completed=done), (0, 0, 1, 0))
        self.display(lambda: Group(Text(self._title, style="bold"), bar, Text(line)), lambda: line)

    def _left(self, done: int, todo: int) -> list[str]:
        (start, before), (end, after) = self._window[0], self._window[-1]
        if after <= before or end - start < 2:
            return []
        return [f"{duration((end - start) / (after - before) * (todo - done))} left"]
