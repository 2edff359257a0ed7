"""From how processes ended to an outcome and a message."""

import errno
import signal
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evolray.evaluate.execution.interpreters import Ended
from evolray.evaluate.execution.verdicts import Limits, printable

if TYPE_CHECKING:
    from evolray.evaluate.benchmark import Outcome

# What a program gets when it meets a wall of the sandbox.
REFUSALS = (
    errno.EPERM, errno.EACCES, errno.EAGAIN, errno.EROFS, errno.ENOSPC, errno.EFBIG, errno.EMFILE,
    errno.ENETUNREACH, errno.EADDRNOTAVAIL, socket.EAI_AGAIN,
)  # fmt: skip


def outcome_of_exception(names: list[Any], number: Any) -> "Outcome":
    """From the names of an exception's classes, the nearest first, and its errno."""
    if "MemoryError" in names:
        return "memory"
    return "refused" if type(number) is int and number in REFUSALS else "error"


def explain_end(
    ended: Mapping[str, Ended], is_over: bool, limits: Limits, cpu_seconds: int, message: str
) -> "tuple[Outcome, str]":
    """Why the program stopped answering. `message`: what is known besides."""
    if is_over:
        return "memory", f"its processes took more than {limits.memory_mb:,} MB together"
    callee = ended.get("callee")
    if callee is None or callee.was_alive or callee.code >= 0:
        return "error", printable(message)
    name = signal.Signals(-callee.code).name
    if callee.code == -signal.SIGKILL and callee.cpu_seconds >= cpu_seconds - 1:
        return "timeout", f"more than {cpu_seconds} s of processor time"
    return ("refused" if name == "SIGSYS" else "error"), f"the program was ended by {name}"
