"""The zygote as the host sees it: a child process that starts and ends the processes of programs.

It is started when it is first needed and again when it is gone. Never a fork of this process, which may hold torch.
"""

import json
import logging
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from evolray.errors import EvolrayError, UserError
from evolray.evaluate.execution import bubblewrap
from evolray.evaluate.execution.inside.channel import Channel
from evolray.evaluate.execution.verdicts import Limits

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0  # of the zygote, which answers in milliseconds: then it hangs, or the machine does
END_SECONDS = 10.0


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
        self._limits = limits
        self._command = bubblewrap.unsafe_command() if unsafe else bubblewrap.command(packages)
        self._environment = bubblewrap.ENVIRONMENT if unsafe else {}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._log: IO[bytes] | None = None
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

    def close(self) -> str:
        """End the zygote, and with it all others. What it, or bubblewrap, wrote: nothing, unless it failed."""
        if self._control is None or self._process is None or self._log is None:
            return ""
        self._control.close()  # upon which it ends
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._log:
            self._log.seek(0)
            words = self._log.read().decode(errors="replace").strip()
        self._control = self._process = self._log = None
        return words[-500:]

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
        why = "the sandbox ended"
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], files)
            answer = self._control.recv(65536)
        except OSError as error:
            answer, why = b"", str(error)
        except BaseException:
            self.close()  # interrupted: its answer must not be taken for that to the next question
            raise
        if not answer:
            raise ZygoteLost(self.close() or why)
        reply: list[Any] = json.loads(answer)
        return reply

    def _launch(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.settimeout(ANSWER_SECONDS)
        self._log = tempfile.TemporaryFile()
        with its:
            self._process = subprocess.Popen(
                [*self._command, str(its.fileno())], env=self._environment, pass_fds=[its.fileno()], close_fds=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log,
                start_new_session=True,  # Ctrl-C is for this process, which then ends the zygote
            )  # fmt: skip
        self._control = mine
