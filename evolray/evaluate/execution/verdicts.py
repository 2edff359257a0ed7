"""What running a program gives back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # running programs needs nothing but the standard library
    from evolray.evaluate.benchmark import Outcome

MOST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one program, all its processes together, its tests included."""

    memory_mb: int = 4096
    processes: int = 16


@dataclass(frozen=True, slots=True)
class Ran:
    """`message`: why it did not pass, for people; printable, at most 1,000 characters."""

    outcome: "Outcome"
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value without content to copy: a function, a generator, an object of the program's. It equals nothing."""

    kind: str
    text: str

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Returned:
    value: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class Raised:
    """`kind`: the name of the exception's class. `outcome`: error, memory or refused."""

    kind: str
    message: str
    outcome: "Outcome" = "error"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """`seconds`: the limit that ran out."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The process did not answer: it ended itself, was ended for its memory, or broke its channel."""

    message: str
    outcome: "Outcome" = "error"


Output = Returned | Raised | TimedOut | Lost


@dataclass(frozen=True, slots=True)
class Outputs:
    """`defined`: passed, or why the program could not be defined; then there are no outputs.

    `all`: one per input, in order; fewer when `stop_at_failure` or the time for all of them ended it (`is_cut`).
    """

    defined: Ran
    all: Sequence[Output] = ()
    is_cut: bool = False


def printable(text: str, most: int = MOST_TEXT) -> str:
    """A hostile text made safe for terminals and files: escapes for what is not printable, and not too long."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    safe = "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
    return safe if len(safe) <= most else safe[: most - 3] + "..."


def cpu_seconds(seconds: float) -> int:
    """The limit on a process's processor time: a backstop above the limit on time that has passed."""
    return math.ceil(seconds) + 2
