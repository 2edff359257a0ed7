"""What separates one program from the zygote, from the host and from the next program.

A process for a program gets new user, process, mount and IPC namespaces, an empty /tmp and /dev/shm, no /proc, limits,
no capabilities and a filter on system calls. It is process 1 of its process namespace, so everything that it started
ends with it. There is no network to take away: bubblewrap's has none, and the filter allows no sockets for it.

All of it works without privileges: as root, the zygote first becomes a user that owns nothing. It then moves into a
user and a process namespace of its own, where it may make more of them: a process namespace for each program, by a
system call before the fork, and back into its own after it.
"""

import ctypes
import os
import resource
from typing import NamedTuple

from . import system_calls

USER_OF_ROOT = 65_533  # what root becomes: no file belongs to it
USER_INSIDE = 1000

NEW_USER, NEW_PROCESSES, NEW_MOUNTS, NEW_IPC = 0x10000000, 0x20000000, 0x20000, 0x8000000
NO_SUID, NO_DEVICES = 2, 4
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVILEGES = 4, 38
CAPABILITIES_VERSION = 0x20080522

FILE_MB = 64  # a file, /tmp, /dev/shm
FILES = 10_000  # in each of them: an empty one takes the kernel's memory, too
OPEN_FILES = 256


class Limits(NamedTuple):
    memory_mb: int
    processes: int
    cpu_seconds: int


_libc = ctypes.CDLL(None, use_errno=True)
_HEADER, _NO_CAPABILITIES = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()


def leave_root() -> None:
    """As root, become a user who owns nothing on this machine."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(USER_OF_ROOT, USER_OF_ROOT, USER_OF_ROOT)
        os.setresuid(USER_OF_ROOT, USER_OF_ROOT, USER_OF_ROOT)
        _check(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")  # else /proc/self stays root's
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")


class ProcessNamespaces:
    """Of the zygote, which must have entered its own with `enter_own`."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self) -> int:
        """Like os.fork, but the child is process 1 of a new namespace."""
        _check(_libc.unshare(NEW_PROCESSES), "a new process namespace")
        process = os.fork()
        if process:
            _check(_libc.setns(self._own, NEW_PROCESSES), "back to the zygote's process namespace")
        return process


def enter_own() -> None:
    """Go on in a child that has a user and a process namespace of its own; this process ends when the child does."""
    _new_user_namespace(NEW_PROCESSES)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)


def separate() -> None:
    """New namespaces for this process, which already has one of processes, and folders of its own."""
    _new_user_namespace(NEW_MOUNTS | NEW_IPC)
    room = f"size={FILE_MB}m,nr_inodes={FILES}"
    for path, options in (("/tmp", room), ("/dev/shm", room), ("/proc", "size=4k,mode=555")):
        arguments = b"tmpfs", path.encode(), b"tmpfs", NO_SUID | NO_DEVICES, options.encode()
        _check(_libc.mount(*arguments), f"a new {path}")
    os.chdir("/tmp")


def _new_user_namespace(others: int) -> None:
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(NEW_USER | others), "new namespaces")
    for name, text in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (USER_INSIDE, user)),
        ("gid_map", b"%d %d 1" % (USER_INSIDE, group)),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, text)
        os.close(file)


def limit(limits: Limits) -> None:
    """Limits of each process; `processes` is of the user namespace, and so of the program."""
    memory = limits.memory_mb * 2**20
    limit_each(
        {
            resource.RLIMIT_AS: memory,
            resource.RLIMIT_CPU: limits.cpu_seconds,
            resource.RLIMIT_FSIZE: FILE_MB * 2**20,
            resource.RLIMIT_NOFILE: OPEN_FILES,
            resource.RLIMIT_CORE: 0,
        }
    )


def limit_all(limits: Limits) -> None:
    """Limits that count what a whole user has: right only in a user namespace of one's own."""
    limit_each({resource.RLIMIT_NPROC: limits.processes, resource.RLIMIT_MEMLOCK: 0, resource.RLIMIT_MSGQUEUE: 0})


def limit_each(limits: dict[int, int]) -> None:
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def give_up_rights() -> None:
    """No capabilities in the new user namespace, and the system call filter. Nothing can be set up after this."""
    _check(_libc.capset(_HEADER, _NO_CAPABILITIES), "capabilities")
    system_calls.install(_libc)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
