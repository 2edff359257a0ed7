"""A seccomp filter: system calls that no solution needs and that would undo a limit or widen what can be attacked.

namespaces                      would give a program rights over namespaces of its own making
memory outside of processes     memfd, SysV segments and queues: the sum over processes would not see it
large kernel interfaces         keyrings, bpf, perf, userfaultfd, io_uring
other processes                 ptrace and reading another's memory
sockets but for AF_UNIX         there is no network; VSOCK, to a virtual machine's host, knows no namespaces

A denied call fails with EPERM. On processors other than these two there is no filter; the other walls stand.
"""

import ctypes
import errno
import platform
import struct

DENIED = {
    "x86_64": (
        272, 308,  # unshare, setns
        319, 447, 29, 30, 68, 64,  # memfd_create, memfd_secret, shmget, shmat, msgget, semget
        248, 249, 250, 321, 298, 323, 425, 426, 427,  # add_key, request_key, keyctl, bpf, perf_event_open, ...
        101, 310, 311,  # ptrace, process_vm_readv, process_vm_writev
    ),
    "aarch64": (97, 268, 279, 447, 194, 196, 186, 190, 217, 218, 219, 280, 241, 282, 425, 426, 427, 117, 270, 271),
}  # fmt: skip
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
SOCKET = {"x86_64": 41, "aarch64": 198}
AF_UNIX = 1
AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEW_NAMESPACE = 0x7E020080  # every CLONE_NEW* flag
X32 = 0x40000000  # the second set of numbers that x86_64 has

LOAD, JUMP_EQUAL, JUMP_SET, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06  # of classic BPF
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def filter_program(machine: str) -> bytes:
    """The filter for a processor, b"" for one we have no numbers of."""
    if machine not in DENIED:
        return b""
    denied = FAIL | errno.EPERM
    steps = [
        (LOAD, 0, 0, ARCHITECTURE), (JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER), (JUMP_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, FAIL | errno.ENOSYS),
        (JUMP_EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | errno.ENOSYS),  # its flags lie in memory; clone is used then
    ]  # fmt: skip
    for number in DENIED[machine]:
        steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, denied)]
    steps += [
        (JUMP_EQUAL, 0, 4, CLONE[machine]), (LOAD, 0, 0, FIRST_ARGUMENT), (JUMP_SET, 0, 1, NEW_NAMESPACE),
        (RETURN, 0, 0, denied), (RETURN, 0, 0, ALLOW),
        (JUMP_EQUAL, 1, 0, SOCKET[machine]), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, AF_UNIX), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, denied),
    ]  # fmt: skip
    return b"".join(struct.pack("HBBI", *step) for step in steps)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


_steps = filter_program(platform.machine())  # once: what is done after each fork is what a program costs
_program = _Program(len(_steps) // 8, _steps)


def install(libc: ctypes.CDLL) -> None:
    """For this process and all it starts. Needs no_new_privs."""
    if _steps and libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(_program), 0, 0):
        raise OSError(ctypes.get_errno(), "the system call filter was not accepted")
