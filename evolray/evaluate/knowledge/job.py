"""What goes to the process that runs lm-eval, what comes back, and how far it is meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.source import ModelSource
from evolray.evaluate.knowledge.task_files import TaskFiles


@dataclass(frozen=True)
class Job:
    """`files`: None for the tasks that lm-eval comes with. `cache`: where an endpoint's answers are kept, a path
    without an ending; None for a checkpoint. `key`: of the endpoint; in no text of the job."""

    benchmark: KnowledgeBenchmark
    source: ModelSource
    shots: int | None
    batch_size: int
    limit: int | None
    files: TaskFiles | None
    cache: str | None = None
    key: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Outcome:
    """`results`: lm-eval's own, without samples. `metric`: lm-eval's name of the one that the score is.

    `max_length`, in tokens; `truncated`: requests that were longer, and lost their beginning to fit.
    """

    results: Mapping[str, Any] = field(hash=False, repr=False)
    rows: pa.Table = field(hash=False, repr=False)
    metric: str
    max_length: int
    truncated: int

    @property
    def outcomes(self) -> dict[str, int]:
        """`scored`: with a share of what is right, as TruthfulQA is."""
        names = {True: "passed", False: "wrong", None: "scored"}
        return dict(sorted(Counter(names[one] for one in self.rows["correct"].to_pylist()).items()))


class Stage:
    """What the process is doing, told to it by one thread and read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text, self._done, self._all = "starting", 0, 0
        self.before_end: Callable[[], None] = lambda: None
        """Called before the process is ended while it works."""

    def say(self, text: str) -> None:
        with self._lock:
            self._text, self._done, self._all = text, 0, 0

    def expect(self, requests: int) -> None:
        """So many more; those that an earlier run was answered are not among them."""
        with self._lock:
            self._all += requests

    def add(self) -> None:
        with self._lock:
            self._done += 1

    @property
    def line(self) -> str:
        with self._lock:
            if not self._all:
                return self._text
            return f"{min(self._done, self._all):,} of {self._all:,} requests answered"
