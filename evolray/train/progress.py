"""How a training looks while it runs: a live view in a terminal, a line now and then in a log."""

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from evolray.display import Display, duration
from evolray.train.watching import Figures

GIB = 2**30


class Progress(Display):
    """Follows a training's figures. What is not in the latest ones (a loss between two logs) stays as it was."""

    def __init__(self, title: str, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console, at_once=True)
        self._title = title
        self._loss: float | None = None
        self._held_out: float | None = None
        self._rate: float | None = None

    def tokenised(self, examples: int) -> None:
        text = f"{examples:,} examples tokenised"
        self.display(lambda: Group(Text(self._title, style="bold"), Text(text)), lambda: text)

    def show(self, now: Figures) -> None:
        self._loss = self._loss if now.loss is None else now.loss
        self._held_out = self._held_out if now.held_out_loss is None else now.held_out_loss
        self._rate = self._rate if now.learning_rate is None else now.learning_rate
        self.display(lambda: self._view(now), lambda: f"{self._learning(now)}; {self._working(now)}")

    def _view(self, now: Figures) -> Group:
        bar = Padding(ProgressBar(total=max(now.steps, 1), completed=now.step), (0, 0, 1, 0))
        return Group(Text(self._title, style="bold"), bar, Text(self._learning(now)), Text(self._working(now)))

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
