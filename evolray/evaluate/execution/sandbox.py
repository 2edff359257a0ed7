"""Run hostile programs and say how they did.

A program runs in a process of its own, the callee; what it is judged by never does. For `check`, the benchmark's tests
run in another process, the tester, and call the program over a socket. For `outputs`, this process calls it, and the
caller compares. Either way the program can only return values, which cross by content (`inside/values.py`).
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from evolray.evaluate.execution.calling import call_all
from evolray.evaluate.execution.explaining import explain_end, outcome_of_exception
from evolray.evaluate.execution.inside.channel import Closed, Garbage
from evolray.evaluate.execution.interpreters import Interpreters, ZygoteLost
from evolray.evaluate.execution.verdicts import Limits, Output, Outputs, Ran, cpu_seconds, printable


class Sandbox:
    """One per worker process or thread: it runs one program at a time.

    `packages`: installed packages that programs may import beside the standard library. Raises UserError when programs
    cannot be kept apart from this machine and `unsafe` does not insist.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False, packages: Sequence[str] = ()) -> None:
        self._limits, self._packages = limits, tuple(packages)
        self._interpreters = Interpreters(limits, unsafe, self._packages)
        self._interpreters.check()

    def check(self, program: str, test: str, *, setup: str = "", entry_point: str = "", seconds: float) -> Ran:
        """Define the program, run `setup` and then `test`; passed when nothing is raised within `seconds`.

        `test` is complete: for HumanEval it ends in `check(NAME)`. `entry_point`: the name that is the program's even
        when `setup` or Python has one of that name; give it wherever it is known. See `inside/tester.py` for the rest.
        """
        job = {
            "program": program, "test": test, "setup": setup, "entry_point": entry_point,
            "packages": list(self._packages),
        }  # fmt: skip
        try:
            return self._check(job, seconds)
        except ZygoteLost:
            pass  # something of the machine's ended it: a new one, once
        try:
            return self._check(job, seconds)
        except ZygoteLost as error:
            return Ran("error", printable(f"the sandbox ended while the program ran: {error}"))

    def outputs(
        self,
        program: str,
        entry_point: str,
        inputs: Sequence[Sequence[Any]],
        *,
        seconds_per_call: Sequence[float],
        total_seconds: float,
        stop_at_failure: Callable[[int, Output], bool] | None = None,
    ) -> Outputs:
        """Define the program and call `entry_point` with each of `inputs`, a list of arguments.

        Arguments are copies each time; the program's own state stays from call to call. After a call that timed out or
        ended the process, the program is defined anew for the next. `stop_at_failure(number, output)` is asked after
        each call; True ends it there. `total_seconds` covers everything, definition included.
        """
        calls = list(zip(inputs, seconds_per_call, strict=True))
        return call_all(self._interpreters, self._limits, program, entry_point, calls, total_seconds, stop_at_failure)

    def close(self) -> None:
        self._interpreters.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, job: dict[str, Any], seconds: float) -> Ran:
        processor_seconds = cpu_seconds(seconds)
        channel = self._interpreters.start_pair(processor_seconds)
        begun = time.monotonic()
        try:
            channel.send(job, begun + seconds)
            report = channel.receive(begun + seconds)
        except TimeoutError:
            report = {"outcome": "timeout", "message": f"not finished within {seconds:g} s"}
        except (Closed, Garbage):
            report = {"outcome": "error", "message": "the tests' process ended"}
        except ValueError as error:
            report = {"outcome": "error", "message": f"the program and its tests: {error}"}
        finally:
            channel.close()
            taken = time.monotonic() - begun
            ended, is_over = self._interpreters.stop()
        outcome, message = report["outcome"], report["message"]
        if report.get("gone") or is_over:
            outcome, message = explain_end(ended, is_over, self._limits, processor_seconds, message)
        elif outcome == "error":
            outcome = outcome_of_exception([], report.get("errno"))
        return Ran(outcome, printable(message), taken)
