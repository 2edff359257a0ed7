"""What a training tells while it runs, and who is told."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from evolray.pool.layout import Folder

LOG = "log.jsonl"
"""A file of the run: a line for each time that figures were told."""


@dataclass
class Figures:
    """`padding`: the share of computed tokens that are padding. `mfu` is None where the device's peak is not known."""

    step: int
    steps: int
    epoch: float
    loss: float | None = None
    held_out_loss: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    tokens_per_second: float = 0.0
    flops_per_second: float = 0.0
    mfu: float | None = None
    memory_bytes: int = 0
    padding: float = 0.0
    examples: int = 0
    tokens: int = 0
    seconds_left: float | None = None


class Watcher(Protocol):
    """Whoever watches a training, seen from a worker."""

    def tell(self, figures: Figures) -> None:
        """Called on rank 0, at every log."""

    def wants_stop(self) -> bool:
        """Asked on rank 0, at every log: whether to write a checkpoint and stop."""

    def saved(self, checkpoint: dict[str, Any]) -> None:
        """Called on all workers after a checkpoint, with `step` and its losses."""


class Nobody:
    """The Watcher of a training that nobody watches."""

    def tell(self, figures: Figures) -> None: ...

    def wants_stop(self) -> bool:
        return False

    def saved(self, checkpoint: dict[str, Any]) -> None: ...


def read_log(folder: Folder, step: int) -> dict[str, Any]:
    """The figures of a run at a step: of each the last one that was logged up to there. Empty without a log."""
    figures: dict[str, Any] = {}
    for line in folder.read(LOG).splitlines() if folder.exists(LOG) else ():
        try:
            logged = json.loads(line)
        except ValueError:  # a kill can cut one
            continue
        if logged["step"] <= step:
            figures |= logged
    return figures
