"""What a run does to its own process while it works: SIGTERM ends it like Ctrl-C, and stderr stays readable."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Ray's C++ part writes these past every logger, and nobody can act on them.
QUIET_LINES = ("has constructor arguments in the object store and max_restarts > 0",)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """`ray job stop` sends SIGTERM: the same as Ctrl-C. Set here because ray.init() puts in a handler of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def without_known_noise() -> Iterator[None]:
    """Hold back what is written to stderr, by Ray's C++ part too, and then write all of it but `QUIET_LINES`."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            kept = "".join(line for line in lines if not any(noise in line for noise in QUIET_LINES))
            os.write(stderr, kept.encode())
            os.close(stderr)
