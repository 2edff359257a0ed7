"""Who teaches in the demo: the offline teacher over HTTP, in a process of its own, or an endpoint of the user's.

    TEACHER_BASE_URL, TEACHER_MODEL    an endpoint in place of the offline teacher
    TEACHER_API_KEY                    its key, where it wants one

The server's process ends with the demo, however that ends: it reads from a pipe that nobody writes to, and stops when
the other end is gone, as after kill -9, too.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.errors import EvolrayError, UserError
from evolray.pool.layout import LocalFolder
from evolray.pool.seed_formats import without_credentials
from evolray.teachers.simulated import MODEL
from evolray.teachers.simulated.settings import ServerSettings, as_arguments

BASE_URL, NAME, KEY = "TEACHER_BASE_URL", "TEACHER_MODEL", "TEACHER_API_KEY"
FLAWS = 0.05  # the share of the offline teacher's answers that elimination has to find
PLACE = "teacher.json"
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Teaching:
    """`settings` of `evolve.teacher`; `is_simulated`: by rule, from this package."""

    settings: Mapping[str, Any]
    is_simulated: bool


def from_environment(environment: Mapping[str, str] = os.environ) -> Teaching | None:
    """The endpoint that the environment names, None where it names none. Raises UserError when it is half a name."""
    url, model = environment.get(BASE_URL, ""), environment.get(NAME, "")
    if not url and not model:
        return None
    if not (url and model):
        there, missing = (BASE_URL, NAME) if url else (NAME, BASE_URL)
        raise UserError(f"{there} is set and {missing} is not. Set both for a teacher of your own, or none.")
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{BASE_URL}={without_credentials(url)}: expected a URL such as http://localhost:8000/v1.")
    return Teaching({"kind": "endpoint", "base_url": url, "model": model, "api_key_env": KEY}, is_simulated=False)


@contextlib.contextmanager
def simulated(folder: LocalFolder) -> Iterator[Teaching]:
    """The offline teacher as a server on this machine, at the same address as in earlier invocations where it is free.

    So the settings of a run stay what they were. Raises EvolrayError when the server does not start.
    """
    port = _earlier_port(folder)
    arguments = as_arguments(ServerSettings(port=port, flaws=FLAWS))
    command = [sys.executable, "-m", "evolray.demo.teaching", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,  # Ctrl-C is for the demo, which stops whoever still asks before it stops this
    ) as child:  # fmt: skip
        try:
            assert child.stdin is not None and child.stdout is not None
            url = next((word for word in child.stdout.readline().split() if word.startswith("http://")), "")
            if not url:
                raise EvolrayError(f"the offline teacher did not start (exit code {child.wait()}); its error is above.")
            folder.write(PLACE, json.dumps({"base_url": url}).encode() + b"\n")
            yield Teaching({"kind": "endpoint", "base_url": url, "model": MODEL}, is_simulated=True)
        finally:
            child.terminate()
            try:
                child.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def _earlier_port(folder: LocalFolder) -> int:
    """0, which takes any free one, where there was no server yet or its port is taken."""
    if not folder.exists(PLACE):
        return 0
    try:
        port = int(json.loads(folder.read(PLACE))["base_url"].rpartition(":")[2].partition("/")[0])
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself will
            attempt.bind((ServerSettings.host, port))
    except (OSError, OverflowError, ValueError, KeyError, TypeError, AttributeError):
        return 0
    return port


def main(arguments: Sequence[str]) -> int:
    """The server, until SIGTERM or the end of its standard input."""
    from evolray.teachers.simulated.server import main as serve

    threading.Thread(target=_end_with_input, daemon=True).start()
    return serve(arguments)


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
