"""Where a node finds a model."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A folder on this node, or a name on the Hub."""

    place: str | Path
    revision: str | None = None
