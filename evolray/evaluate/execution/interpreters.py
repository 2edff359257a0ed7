"""The zygote as the host sees it: a child process that starts and ends the processes of programs.

It is started when it is first needed and again when it is gone. Never a fork of this process, which may hold torch.
"""

import json
import logging
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evolray.errors import EvolrayError, UserError
from evolray.evaluate.execution import bubblewrap
from evolray.evaluate.execution.inside.channel import Channel
from evolray.evaluate.execution.verdicts import Limits

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ZygoteLost(EvolrayError):
    """The zygote does not answer; the next program gets a new one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended. `code` as subprocess has it: below zero, a signal's number."""

    was_alive: bool
    code: int
    cpu_seconds: float


class Interpreters:
    def __init__(self, limits: Limits, unsafe: bool, packages: Sequence[str]) -> None:
        self._limits, self._unsafe, self._packages = limits, unsafe, packages
        self._bubblewrap = "" if unsafe else bubblewrap.find()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        if unsafe:
            logger.warning("programs run without bubblewrap: they can read and change what this user can")

    def check(self) -> None:
        """Raises UserError when no process can be started the way that programs will be."""
        try:
            self.start_callee(1).close()
            self.stop()
        except ZygoteLost as error:
            self.close()
            raise UserError(
                f"programs cannot be kept apart from this machine here: {error}. bubblewrap needs user namespaces "
                "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; a container needs the "
                f"right to make them), Linux 5.14 or newer. {bubblewrap.INSIST}."
            ) from error

    def start_callee(self, cpu_seconds: int) -> Channel:
        """A callee, and the channel to it."""
        mine, its = socket.socketpair()
        self._start(["callee"], [its], cpu_seconds, mine)
        return Channel(mine)

    def start_pair(self, cpu_seconds: int) -> Channel:
        """A tester and a callee that talk to each other, and the channel to the tester."""
        mine, testers = socket.socketpair()
        callees, testers_callee = socket.socketpair()
        self._start(["callee", "tester"], [callees, testers, testers_callee], cpu_seconds, mine)
        return Channel(mine)

    def stop(self) -> tuple[dict[str, Ended], bool]:
        """End the processes: how each ended, and whether they were ended for their memory."""
        _, ended, is_over = self._ask(["stop"], [])
        return {role: Ended(**how) for role, how in ended.items()}, bool(is_over)

    def close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS if not self._unsafe else 5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control = self._process = None

    def _start(self, roles: list[str], ends: list[socket.socket], cpu_seconds: int, mine: socket.socket) -> None:
        limits = [self._limits.memory_mb, self._limits.processes, cpu_seconds]
        try:
            reply = self._ask(["start", limits, roles], [one.fileno() for one in ends])
            if reply[0] != "started":
                raise ZygoteLost(reply[1])
        except EvolrayError:
            mine.close()
            raise
        finally:
            for one in ends:
                one.close()

    def _ask(self, message: list[Any], files: list[int]) -> list[Any]:
        if self._control is None:
            self._launch()
        assert self._control is not None
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], files)
            answer = self._control.recv(65536)
        except OSError as error:
            answer, why = b"", str(error)
        else:
            why = ""
        if not answer:
            raise ZygoteLost(self._last_words() or why or "the sandbox ended")
        reply: list[Any] = json.loads(answer)
        return reply

    def _launch(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.settimeout(START_SECONDS)
        self._log = tempfile.TemporaryFile()
        with its:
            if self._unsafe:
                code = bubblewrap.start_code(str(bubblewrap.HERE), "", is_isolated=False)
                command = [sys.executable, *bubblewrap.interpreter_options(code), str(its.fileno())]
                environment = bubblewrap.ENVIRONMENT
            else:
                command, environment = bubblewrap.command(self._bubblewrap, its.fileno(), self._packages), {}
            self._process = subprocess.Popen(
                command, env=environment, pass_fds=[its.fileno()], close_fds=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log,
            )  # fmt: skip
        self._control = mine

    def _last_words(self) -> str:
        """What the zygote, or bubblewrap, wrote before it ended; and forget it."""
        self.close()
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip()
        self._log.close()
        return words[-500:]
