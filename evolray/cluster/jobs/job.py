"""What is asked of a job server, and how what was asked for stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One process that the cluster is to run: the interpreter with `words` behind it.

    `cpus`, `gpus` and `resources` are set aside for the process itself; what it starts asks for its own. With none of
    them it runs on the head node. `working_dir`: packed and sent; None: nothing is, all nodes see the same paths.
    """

    id: str
    words: Sequence[str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    gpus: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict)
    working_dir: str | None = None


@dataclass(frozen=True)
class Job:
    """How a submitted job stands. `is_pending`: it waits for a place in the cluster; `found_no_place`: so it ended."""

    has_ended: bool
    has_succeeded: bool = False
    is_pending: bool = False
    found_no_place: bool = False
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Listed:
    """A job as a server lists it. `state`: pending, running, stopped, succeeded or failed; times in seconds since 1970.

    `message` says how it ended; `command` is what its shell was given.
    """

    id: str
    state: str
    command: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    message: str = ""
