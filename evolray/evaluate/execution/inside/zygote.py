"""The first process of a sandbox: it forks one program's processes after the other's, and ends them.

    host -> ["start", limits, roles] with a socket for each end   -> ["started"] or ["failed", why]
    host -> ["stop"]                                              -> ["stopped", {role: how it ended}, is over memory]

It holds what a warm interpreter has loaded and nothing of any program: messages go past it, over sockets between the
host and the processes. Only the host talks to it.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from . import callee, isolation, memory, tester
from .channel import Channel

WATCH_SECONDS = 0.02
CALLEE, TESTER = "callee", "tester"
ENDS = {CALLEE: 1, TESTER: 2}  # sockets that each role gets: to the host or the tester; to the host and to the callee

# What programs import, so that they find it loaded. Not threading, nor what imports it: its work after each fork would
# double the time that a fork takes.
WARM = (
    "abc array bisect calendar cmath collections contextlib copy dataclasses datetime decimal enum fractions functools "
    "hashlib heapq io itertools json math numbers operator os random re statistics string struct sys textwrap "
    "time traceback types typing unicodedata"
).split()


def main(is_isolated: bool) -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in WARM:
        __import__(name)
    if is_isolated:
        isolation.leave_root()
        isolation.enter_own()
    gc.collect()
    gc.freeze()
    try:
        Zygote(control, is_isolated).serve()
    finally:
        os._exit(0)


class Zygote:
    def __init__(self, control: socket.socket, is_isolated: bool) -> None:
        self._control = control
        self._namespaces = isolation.ProcessNamespaces() if is_isolated else None
        self._running: dict[str, int] = {}  # role -> process
        self._is_over = False
        self._memory_mb = 0

    def serve(self) -> None:
        """Until the host closes its end: this process is the first of its namespace, so all others end with it."""
        while True:
            if self._running and self._namespaces and not self._is_over:
                if not select.select([self._control], [], [], WATCH_SECONDS)[0]:
                    self._watch()
                    continue
            message, ends, _, _ = socket.recv_fds(self._control, 65536, 8)
            if not message:
                self._stop()
                return
            name, *arguments = json.loads(message)
            reply = self._start(ends, *arguments) if name == "start" else self._stop()
            self._control.send(json.dumps(reply).encode())

    def _watch(self) -> None:
        if memory.used_mb() > self._memory_mb:
            self._is_over = True
            for process in self._running.values():
                os.kill(process, signal.SIGKILL)

    def _start(self, ends: list[int], limits: list[int], roles: list[str]) -> list[Any]:
        self._memory_mb, self._is_over = limits[0], False
        given, readies = list(ends), []
        try:
            for role in roles:
                mine, given = given[: ENDS[role]], given[ENDS[role] :]
                self._running[role], ready = self._fork(role, mine, isolation.Limits(*limits))
                readies.append(ready)
            failure = "".join(map(read_all, readies))
        except OSError as error:
            failure = str(error)
        finally:
            for end in ends:
                os.close(end)
        if failure:
            self._stop()
            return ["failed", failure]
        return ["started"]

    def _fork(self, role: str, ends: list[int], limits: isolation.Limits) -> tuple[int, int]:
        """The process for a role, and a file that ends when it is separated, or says why it is not."""
        ready, report = os.pipe()
        process = self._namespaces.fork() if self._namespaces else os.fork()
        if process:
            os.close(report)
            return process, ready
        try:
            self._become(role, ends, report, limits)
        finally:
            os._exit(0)  # whatever happens, it must never go on as a zygote

    def _become(self, role: str, ends: list[int], report: int, limits: isolation.Limits) -> None:
        """Be the process for a role until it ends."""
        try:
            os.setsid()
            if self._namespaces:
                isolation.separate()
            keep_only([*ends, report])
            ends, report = list(range(3, 3 + len(ends))), 3 + len(ends)
            isolation.limit(limits)
            if self._namespaces:
                isolation.limit_all(limits)
                isolation.give_up_rights()
        except BaseException as error:
            os.write(report, f"{type(error).__name__}: {error}".encode())
            return
        os.close(report)
        channels = [Channel(socket.socket(fileno=end)) for end in ends]
        if role == CALLEE:
            callee.serve(*channels)
        else:
            tester.serve(*channels)

    def _stop(self) -> list[Any]:
        """End what runs. Process 1 of a namespace is gone only when all others in it are."""
        ended = {}
        for role, process in self._running.items():
            done, status, usage = os.wait4(process, os.WNOHANG)
            was_alive = not done
            if not self._namespaces:
                end_group(process)
            if was_alive:
                os.kill(process, signal.SIGKILL)
                _, status, usage = os.wait4(process, 0)
            code = os.waitstatus_to_exitcode(status)
            ended[role] = {"was_alive": was_alive, "code": code, "cpu_seconds": usage.ru_utime + usage.ru_stime}
        self._running = {}
        return ["stopped", ended, self._is_over]


def read_all(file: int) -> str:
    with open(file, "rb") as reading:
        return reading.read().decode(errors="replace")


def end_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except OSError:
        pass  # nothing of it is left


def keep_only(files: list[int]) -> None:
    """Close every file but these, which become 3, 4, ...; input is empty and output goes nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    high = [os.dup(one) for one in files]  # above all of them, so that none is overwritten on its way
    for place, one in enumerate(high, 3):
        os.dup2(one, place)
    os.closerange(3 + len(files), 65536)
