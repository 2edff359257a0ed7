"""A Ray with a job server, for a run that finds none: it ends with the run, however that ends.

`ray.init` could start one, too, but insists on one port for the part that starts jobs, which another Ray of this
machine, for example a training's, may hold: its jobs then never start. `ray start` takes free ports, and a folder of
its own, so that other programs do not mistake it for the cluster of this machine.
"""

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evolray.errors import EvolrayError

START_SECONDS = 120.0
STOP_SECONDS = 5.0  # Ray would wait for half a minute for actors that jobs of Ray Data leave behind
PAUSE_SECONDS = 0.25
LOG_LINES = 10

# Ends when its standard input does, so when the process that started it is gone; SIGTERM makes `ray start` clear up.
UNTIL_INPUT_ENDS = """
exec 3<&0
{command} & ray=$!
(cat <&3 >/dev/null; kill $ray) &
wait $ray
"""


@dataclass(frozen=True)
class OwnRay:
    """`headers` let a client in."""

    url: str
    headers: Mapping[str, str]


@contextmanager
def own_ray(settings: Mapping[str, str]) -> Iterator[OwnRay]:
    """`settings` are environment variables for it. Raises EvolrayError when it does not start."""
    environment, headers = {**settings, **os.environ}, {}
    environment.pop("RAY_ADDRESS", None)
    if environment.setdefault("RAY_AUTH_MODE", "token") == "token":
        token = environment["RAY_AUTH_TOKEN"] = _token()
        headers["Authorization"] = f"Bearer {token}"
    port = _free_port()
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir=os.environ.get("RAY_TMPDIR"), ignore_cleanup_errors=True
    ) as folder:
        log = Path(folder) / "start.log"
        process = _start(folder, port, log, environment)
        try:
            ray = OwnRay(f"http://127.0.0.1:{port}", headers)
            _wait_for(ray, process, log)
            yield ray
        finally:
            _end(process)


def _token() -> str:
    """The user's, where there is one, so that a browser can be let in; else one for this run alone."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token
    place = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    return (place.read_text().strip() if place.is_file() else "") or secrets.token_hex(32)


def _start(folder: str, port: int, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
        "--port=0", "--dashboard-agent-listen-port=0", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}",
        f"--temp-dir={folder}",
    ]  # fmt: skip
    with log.open("wb") as output:
        return subprocess.Popen(
            ["sh", "-c", UNTIL_INPUT_ENDS.format(command=shlex.join(command))],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the run, which has jobs to stop first
        )


def _wait_for(ray: OwnRay, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(ray):
        if process.poll() is not None or time.monotonic() > deadline:
            said = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            raise EvolrayError(f"Ray did not start. The last it said:\n{said}")
        time.sleep(PAUSE_SECONDS)


def _answers(ray: OwnRay) -> bool:
    request = urllib.request.Request(f"{ray.url}/api/version", headers=dict(ray.headers))
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=START_SECONDS):
            return True
    except (OSError, urllib.error.HTTPError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # all of it: workers end when their raylet is gone
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
