"""The helper process: reads pairs of formulas, one JSON line each, and answers whether they are equal.

    in   {"test": "published", "prediction": "...", "reference": "..."}
    out  {"equal": true}   or {"outcome": "memory", "message": "..."}

What is protected: each pair has a limit of processor time, which the kernel keeps (SIGXCPU ends the process, also one
whose parent is gone), and the process limits of memory, of files (none can be written) and of core dumps. Its
environment is empty but for the path of its modules. What a library prints is not taken for an answer. Formulas are
never run as programs: `published_symbols` lets only arithmetic through to what would. Should one be, an audit hook
refuses it processes, sockets and files to write.

What is not: this is no sandbox as the one for programs is. An audit hook is a second line that a determined program
gets around, and the helper sees the files that its user sees.
"""

import contextlib
import json
import math
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

MEGABYTE = 1024 * 1024
_REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "signal.", "tempfile.")
_READING = ("os.listdir", "os.scandir")


def main() -> None:
    cpu_seconds, memory_mb = float(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # antlr and others print
    tests = _load()
    _limit(memory_mb)
    sys.addaudithook(_refuse)
    _put(answers, {"ready": True})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        _allow(cpu_seconds)
        _put(answers, _answer(tests[question["test"]], question["prediction"], question["reference"]))


def _load() -> dict[str, Callable[[str, str], bool]]:
    from evolray.evaluate.math.published_symbols import check_grammar, published_equal
    from evolray.evaluate.math.verified_symbols import verified_equal

    check_grammar()
    for test in (published_equal, verified_equal):
        test("x^2-1", r"\frac{(x-1)^2}{2}")  # much is built and imported at the first use: not on a pair's time
    return {"published": published_equal, "verified": verified_equal}


def _limit(memory_mb: int) -> None:
    """Once everything is imported: importing may write compiled modules."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * MEGABYTE, memory_mb * MEGABYTE))
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(kind, (0, 0))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. Modules are still imported later, so folders are listed and files are read."""
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or (event.startswith(_REFUSED) and event not in _READING):
        raise PermissionError(f"{event} is not for a formula")


def _allow(cpu_seconds: float) -> None:
    """From now on; the kernel counts whole seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(test: Callable[[str, str], bool], prediction: str, reference: str) -> dict[str, Any]:
    try:
        return {"equal": test(prediction, reference)}
    except MemoryError:
        return {"outcome": "memory", "message": "the comparison needed too much memory"}
    except Exception as error:
        return {"outcome": "error", "message": f"{type(error).__name__}: {error}"[:500]}


def _put(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
