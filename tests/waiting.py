"""Waiting for what another process does, however fast the machine is, but not for ever."""

import subprocess
import time
from collections.abc import Callable
from threading import Event

from evolray.teachers.simulated.server import fetch


def wait_until(happened: Callable[[], bool], seconds: float = 120.0, pause: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        Event().wait(pause)


def wait_for(
    process: subprocess.Popen[str], happened: Callable[[], bool], seconds: float = 300.0, pause: float = 0.1
) -> None:
    """Like `wait_until`; with what the process said where it ends before."""

    def has_happened() -> bool:
        if happened():
            return True
        if process.poll() is not None:
            raise AssertionError(f"it ended too early: {'; '.join(filter(None, process.communicate()))}")
        return False

    wait_until(has_happened, seconds, pause)


def wait_for_answers(endpoint: str, number: int, alive: Callable[[], bool]) -> None:
    """Until a simulated endpoint has given so many to whoever asks, who has to be alive all the while."""

    def are_given() -> bool:
        assert alive(), f"it ended before {number:,} answers were given"
        return bool(fetch(endpoint, "stats")["answered"] >= number)

    wait_until(are_given, seconds=300.0, pause=0.02)
