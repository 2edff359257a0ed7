"""Waiting for what another process does, however fast the machine is, but not for ever."""

import subprocess
import time
from collections.abc import Callable
from threading import Event


def wait_until(happened: Callable[[], bool], seconds: float = 120.0, pause: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        Event().wait(pause)


def wait_for(
    process: subprocess.Popen[str], happened: Callable[[], bool], seconds: float = 300.0, pause: float = 0.1
) -> None:
    """Like `wait_until`; with what the process said where it ends before."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended too early: {'; '.join(filter(None, process.communicate()))}")
