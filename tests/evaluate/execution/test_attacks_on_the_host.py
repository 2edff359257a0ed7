"""What a program tries to do to the machine. Each is stopped, as root and as a plain user, and leaves nothing behind.

A program says what it found as the value of `attack()`; the tests look at the host, too.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from evolray.evaluate.execution import Limits, Lost, Raised, Returned, TimedOut

SECONDS = 10.0  # for what ends by itself
SHORT = 0.4  # for what does not


def attack(sandbox: Any, program: str, *arguments: Any, seconds: float = SECONDS) -> Any:
    """What `attack` of the program came to; and the next program is judged as if nothing had been."""
    outputs = sandbox.outputs(
        f"import os, socket, sys, time\n{program}",
        "attack",
        [arguments],
        seconds_per_call=[seconds],
        total_seconds=seconds,
    )
    assert outputs.defined.outcome == "passed", outputs.defined.message
    assert_works(sandbox)
    (output,) = outputs.all
    return output


def assert_works(sandbox: Any) -> None:
    test = "assert double(4) == 8"
    right = sandbox.check("def double(n):\n    return n * 2", test, seconds=SECONDS)
    wrong = sandbox.check("def double(n):\n    return n + 2", test, seconds=SECONDS)
    assert (right.outcome, wrong.outcome) == ("passed", "wrong")


def has_connection(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


# --- network ---


@pytest.mark.parametrize(
    "program",
    [
        "def attack():\n    socket.create_connection(('192.0.2.1', 80), timeout=2)",
        "def attack():\n    socket.create_connection(('2001:db8::1', 80), timeout=2)",
        "def attack():\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "def attack():\n    socket.getaddrinfo('example.com', 80)",
        "def attack():\n    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        "def attack():\n    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "def attack():\n    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    ],
)
def test_nothing_is_reached(sandbox: Any, program: str) -> None:
    output = attack(sandbox, program)
    assert isinstance(output, Raised) and output.outcome == "refused"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_hosts_loopback_is_not_reached(sandbox: Any, family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listener.listen()
        program = "def attack(address, port):\n    socket.create_connection((address, port), timeout=2)"
        output = attack(sandbox, program, address, listener.getsockname()[1])
        assert isinstance(output, Raised) and output.outcome == "refused"
        assert not has_connection(listener)


@pytest.mark.parametrize("is_abstract", [True, False])
def test_unix_sockets_of_the_host_are_not_reached(sandbox: Any, is_abstract: bool, secret: str) -> None:
    name = f"\0{secret}" if is_abstract else f"/tmp/{secret}.socket"
    program = "def attack(name):\n    socket.socket(socket.AF_UNIX).connect(name)"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        try:
            output = attack(sandbox, program, name)
            assert isinstance(output, Raised)
            assert output.kind == ("ConnectionRefusedError" if is_abstract else "FileNotFoundError")
            assert not has_connection(listener)
        finally:
            if not is_abstract:
                os.unlink(name)


# --- reading ---

READ_EVERYTHING = """
def attack(first, second):
    secret, hits, number = (first + second).encode(), [], 0
    for folder, folders, files in os.walk("/"):
        for name in files:
            path = os.path.join(folder, name)
            if secret.decode() in path:
                hits.append(path)
            if path.startswith("/dev/") or os.path.islink(path) or path.endswith(".so") or ".so." in path:
                continue
            try:
                with open(path, "rb") as file:
                    number += 1
                    if secret in file.read(2**20):
                        hits.append(path)
            except OSError:
                pass
    if any(secret in (key + value).encode() for key, value in os.environ.items()):
        hits.append("environment")
    return hits, number
"""


def test_neither_home_nor_environment_can_be_read(sandbox: Any, secret: str) -> None:
    home = Path.home() / f".{secret}"
    home.write_text(secret)
    try:
        output = attack(sandbox, READ_EVERYTHING, secret[:10], secret[10:], seconds=60.0)
    finally:
        home.unlink()
    hits, number = output.value
    assert hits == []
    assert number > 500  # the standard library, at least: it did look


def test_there_is_no_proc_and_little_else(sandbox: Any) -> None:
    program = (
        "def attack():\n    return [sorted(os.listdir(one)) for one in ('/proc', '/dev', '/')] + [dict(os.environ)]"
    )
    proc, devices, top, environment = attack(sandbox, program).value
    assert proc == []
    assert devices == ["full", "null", "random", "shm", "urandom", "zero"]
    assert set(top) <= {"code", "dev", "lib", "lib64", "packages", "proc", "python", "tmp", "usr"}
    assert environment == {}


def test_the_name_of_the_machine_and_of_the_user_stay_outside(sandbox: Any) -> None:
    program = "def attack():\n    return socket.gethostname(), os.getuid(), os.getgid(), os.getpid(), os.getppid()"
    assert attack(sandbox, program).value == ("sandbox", 1000, 1000, 1, 0)


def test_no_file_is_open_but_its_channel(sandbox: Any) -> None:
    program = """
def attack():
    opened = []
    for number in range(256):
        try:
            opened.append((number, os.fstat(number).st_rdev == os.stat("/dev/null").st_rdev))
        except OSError:
            pass
    return opened
"""
    assert attack(sandbox, program).value == [(0, True), (1, True), (2, True), (3, False)]


# --- writing ---

WRITE_EVERYWHERE = """
def attack(name):
    written = []
    for folder, _, _ in os.walk("/"):
        try:
            with open(os.path.join(folder, name), "w") as file:
                file.write("x")
            written.append(folder)
        except OSError:
            pass
    return written
"""


def test_only_its_own_folders_can_be_written(sandbox: Any, secret: str) -> None:
    name = f"{secret}.written"
    assert sorted(attack(sandbox, WRITE_EVERYWHERE, name).value) == ["/dev/shm", "/tmp"]
    for folder in ("/tmp", "/dev/shm", "/", sys.base_prefix, f"{sys.base_prefix}/lib", Path.home()):
        assert not Path(folder, name).exists()


@pytest.mark.parametrize(
    "program",
    [
        "def attack():\n    os.setgroups([0])",
        "def attack():\n    os.chroot('/tmp')",
        "def attack():\n    open('/python/lib/new', 'w')",
        "def attack():\n    os.unlink('/python/bin/python3')",
        "def attack():\n    os.sethostname = socket.sethostname('mine')",
        "def attack():\n    os.memfd_create('more')",
        "def attack():\n    raise OSError(call('unshare', 0x10000000), 'unshare')",
        "def attack():\n    raise OSError(call('unshare', 0x20000), 'unshare')",
        "def attack():\n    raise OSError(call('mount', b'none', b'/tmp', b'tmpfs', 0, None), 'mount')",
        "def attack():\n    raise OSError(call('umount2', b'/proc', 2), 'umount')",
        "def attack():\n    raise OSError(call('shmget', 0, 2**20, 0o1600), 'shmget')",
        "def attack():\n    raise OSError(call('ptrace', 0, 0, 0, 0), 'ptrace')",
    ],
)
def test_rights_it_has_not(sandbox: Any, program: str) -> None:
    libc = """
def call(name, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if getattr(libc, name)(*arguments) == -1 else 0
"""
    output = attack(sandbox, libc + program)
    assert isinstance(output, Raised) and output.outcome == "refused", output


# --- other processes ---


@pytest.mark.parametrize("victim", ["-1", "0", "os.getppid()", "1", "os.getpid()", *map(str, (2, 3, 4))])
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSTOP"])
def test_it_can_kill_nobody(sandbox: Any, sandboxes: Any, victim: str, number: str) -> None:
    before = sandboxes.descendants()
    program = f"""
import signal
def attack():
    try:
        os.kill({victim}, signal.{number})
    except ProcessLookupError:
        pass
    return "alive"
"""
    assert attack(sandbox, program).value == "alive"
    assert sandboxes.descendants() == before


def test_a_fork_bomb_ends_at_the_number_of_processes(sandbox: Any, sandboxes: Any) -> None:
    before = sandboxes.descendants()
    program = """
def attack():
    children = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(1000)
            children += 1
    except BlockingIOError:
        return children
"""
    assert attack(sandbox, program).value == 15
    assert sandboxes.descendants() == before


def test_a_fork_bomb_that_never_gives_up(sandbox: Any, sandboxes: Any) -> None:
    before = sandboxes.descendants()
    program = """
def attack():
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
    assert isinstance(attack(sandbox, program, seconds=SHORT), TimedOut)
    assert sandboxes.descendants() == before


def test_too_many_processes_are_named(sandbox: Any) -> None:
    output = attack(sandbox, "def attack():\n    while os.fork():\n        pass\n    time.sleep(1000)")
    assert isinstance(output, Raised) and (output.kind, output.outcome) == ("BlockingIOError", "refused")


# --- memory, files, time ---


def test_the_memory_of_many_children_counts_together(sandbox: Any, sandboxes: Any) -> None:
    before = sandboxes.descendants()
    program = """
def attack():
    for _ in range(8):
        if os.fork() == 0:
            held = b"x" * (300 * 2**20)
            time.sleep(1000)
    while True:
        time.sleep(1)
"""
    output = attack(sandbox, program, seconds=30.0)
    assert output == Lost("its processes took more than 1,000 MB together", "memory")
    assert sandboxes.descendants() == before


@pytest.mark.parametrize(
    "held", ["bytearray(2 * 10**9)", "[0] * 10**10", "__import__('mmap').mmap(-1, 2 * 10**9).close() or 1"]
)
def test_the_memory_of_one_process(sandbox: Any, held: str) -> None:
    output = attack(sandbox, f"def attack():\n    return len({held})")
    assert isinstance(output, Raised)
    assert output.outcome == "memory" or "Cannot allocate memory" in output.message


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_its_folders_are_small(sandbox: Any, folder: str) -> None:
    program = """
def attack(folder):
    for number in range(10):
        with open(f"{folder}/{number}", "wb") as file:
            for _ in range(20):
                file.write(bytes(2**20))
"""
    output = attack(sandbox, program, folder)
    assert isinstance(output, Raised)
    assert (output.outcome, output.message) == ("refused", "[Errno 28] No space left on device")


def test_empty_files_are_counted_too(sandbox: Any) -> None:
    program = "def attack():\n    for number in range(10**6):\n        open(f'/tmp/{number}', 'w').close()"
    output = attack(sandbox, program)
    assert isinstance(output, Raised) and output.outcome == "refused"


ENDLESS = {
    "loop": "while True: pass",
    "sleep": "time.sleep(1000)",
    "output": "while True: print('x' * 10_000); os.write(2, b'y' * 10_000)",
    "ignored signals": """
    import signal
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True: pass""",
    "threads": """
    import threading
    for _ in range(5):
        threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
    time.sleep(1000)""",
    "swallowed": """
    while True:
        try:
            while True: pass
        except BaseException:
            pass""",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_end_is_ended(sandbox: Any, sandboxes: Any, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = sandboxes.descendants()
    program = f"import time, os\ndef attack():\n    {ENDLESS[name].strip()}"
    assert attack(sandbox, program, seconds=SHORT) == TimedOut(SHORT)
    ran = sandbox.check(program, "attack()", seconds=SHORT)
    assert (ran.outcome, ran.message) == ("timeout", "not finished within 0.4 s")
    assert sandboxes.descendants() == before
    assert capfd.readouterr() == ("", "")


# --- leaving something for the next program ---

LEAVE = """
import _posixshmem, builtins, json, threading
def attack():
    for folder in ("/tmp", "/dev/shm"):
        with open(folder + "/left", "w") as file:
            file.write("left")
    _posixshmem.shm_open("/shared", os.O_CREAT | os.O_RDWR, 0o600)
    for library in ("", None):
        if os.fork() == 0:
            os.setsid()
            listener = socket.socket(socket.AF_UNIX)
            listener.bind("\\0left" + str(library))
            listener.listen()
            while True:
                time.sleep(0.01)
    json.loads = builtins.sum = lambda *_: "left"
    sys.modules["left"] = sys
    os.environ["left"] = "left"
    os.umask(0o777)
    sys.setrecursionlimit(50_000)
    threading.Thread(target=time.sleep, args=[1000]).start()
    return True
"""
FIND = """
import json
def attack():
    found = os.listdir("/tmp") + os.listdir("/dev/shm") + [name for name in sys.modules if name == "left"]
    try:
        socket.socket(socket.AF_UNIX).connect("\\0left")
        found.append("socket")
    except ConnectionRefusedError:
        pass
    for process in range(2, 100):
        try:
            os.kill(process, 0)
            found.append(process)
        except ProcessLookupError:
            pass
    return found, json.loads("[1]"), sum([1, 1]), dict(os.environ), os.umask(0), sys.getrecursionlimit(), os.getcwd()
"""


def test_nothing_is_left_for_the_next_program(sandbox: Any, sandboxes: Any) -> None:
    before = sandboxes.descendants()
    expected = attack(sandbox, FIND).value
    assert expected == ([], [1], 2, {}, 0o022, 1000, "/tmp")
    assert attack(sandbox, LEAVE).value is True
    assert attack(sandbox, FIND).value == expected
    assert sandboxes.descendants() == before


def test_the_limits_are_the_sandboxs_own(sandboxes: Any) -> None:
    program = """
def attack():
    children = 0
    try:
        while os.fork():
            children += 1
    except OSError:
        return children
    time.sleep(1000)
"""
    assert attack(sandboxes(Limits(memory_mb=500, processes=3)), program).value == 2
    assert isinstance(
        attack(sandboxes(Limits(memory_mb=500, processes=3)), "def attack():\n    return len(b'x' * 2 * 10**8)"),
        Returned,
    )
