"""What a training tells while it runs, and who is told."""

from dataclasses import dataclass
from typing import Any, Protocol


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
