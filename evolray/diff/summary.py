"""What a diff came to, and how far it is on the way there."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evolray.diff.tensors import Tensor

log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 30


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done. `new_tensors`, which have no counterpart in the raw model, are stored as they are;
    `grown_tensors` have rows that the raw model lacks; `converted_tensors` have another dtype there. `num_bytes` counts
    the tuned weights; `left_out` are the tuned folder's files that did not come along.
    """

    folder: str
    num_tensors: int
    num_bytes: int
    new_tensors: tuple[str, ...]
    grown_tensors: tuple[str, ...]
    converted_tensors: tuple[str, ...]
    num_files: int
    left_out: tuple[str, ...]
    seconds: float

    @classmethod
    def of(
        cls,
        folder: Path,
        pairs: list[tuple[Tensor, Tensor | None]],
        num_files: int,
        left_out: list[str],
        seconds: float,
    ) -> "Summary":
        """`pairs` are the tuned tensors, each with the raw one that it was compared with."""
        both = [(tensor, base) for tensor, base in pairs if base is not None]
        return cls(
            folder=str(folder),
            num_tensors=len(pairs),
            num_bytes=sum(tensor.num_bytes for tensor, _ in pairs),
            new_tensors=tuple(tensor.name for tensor, base in pairs if base is None),
            grown_tensors=tuple(tensor.name for tensor, base in both if tensor.shape[:1] > base.shape[:1]),
            converted_tensors=tuple(tensor.name for tensor, base in both if tensor.dtype != base.dtype),
            num_files=num_files,
            left_out=tuple(left_out),
            seconds=seconds,
        )

    def __str__(self) -> str:
        size = f"{self.num_bytes / 1e9:,.2f} GB"
        done = f"{self.num_tensors:,} tensors ({size}) and {self.num_files:,} other files in {self.seconds:,.0f} s"
        told = [
            ("with rows that the raw model lacks", self.grown_tensors),
            ("of another dtype in the raw model", self.converted_tensors),
            ("without a counterpart in the raw model, so stored as they are", self.new_tensors),
            ("left out", self.left_out),
        ]
        parts = [done, *(f"{what}: {_few(names)}" for what, names in told if names)]
        return f"{self.folder}: {'; '.join(parts)}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


@contextmanager
def progress(what: str, num_bytes: int) -> Iterator[Callable[[int], None]]:
    """Yields the function to tell of bytes that are done: a bar on a terminal, else a log line now and then."""
    if not sys.stderr.isatty():
        yield _lines(what, num_bytes)
        return
    from rich import progress as rich
    from rich.console import Console

    columns = rich.TextColumn(what), rich.BarColumn(), rich.DownloadColumn(), rich.TransferSpeedColumn()
    with rich.Progress(*columns, rich.TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=num_bytes)
        yield lambda done: bar.advance(task, done)


def _lines(what: str, num_bytes: int) -> Callable[[int], None]:
    done, told = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        if time.monotonic() - told >= SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            log.info("%s: %.1f of %.1f GB", what, done / 1e9, num_bytes / 1e9)

    return advance
