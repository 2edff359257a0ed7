"""Calls from this process to a program in a callee, each with a time limit of its own."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from evolray.evaluate.execution.explaining import explain_end, outcome_of_exception
from evolray.evaluate.execution.inside.channel import Closed, Garbage
from evolray.evaluate.execution.inside.values import Json, Reader, Writer
from evolray.evaluate.execution.interpreters import Interpreters, ZygoteLost
from evolray.evaluate.execution.verdicts import (
    Limits,
    Lost,
    Opaque,
    Output,
    Outputs,
    Raised,
    Ran,
    Returned,
    TimedOut,
    cpu_seconds,
    printable,
)

BROKEN = "the program broke its channel"


def call_all(
    interpreters: Interpreters,
    limits: Limits,
    program: str,
    entry_point: str,
    calls: Sequence[tuple[Sequence[Any], float]],
    total_seconds: float,
    stop_at_failure: Callable[[int, Output], bool] | None,
) -> Outputs:
    """See `Sandbox.outputs`."""
    deadline = time.monotonic() + total_seconds
    outputs: list[Output] = []
    defined = Ran("passed")
    callee: Callee | None = None
    try:
        for number, (arguments, seconds) in enumerate(calls):
            if callee is None:
                callee = Callee(interpreters, limits, total_seconds)
                defined = callee.define(program, entry_point, deadline)
                if defined.outcome != "passed":
                    return Outputs(defined, outputs, is_cut=bool(outputs))
            output = callee.call(arguments, seconds, deadline)
            outputs.append(output)
            if isinstance(output, TimedOut | Lost):
                callee = None  # it has been ended
            if time.monotonic() >= deadline or (stop_at_failure is not None and stop_at_failure(number, output)):
                break
    finally:
        if callee is not None:
            callee.end()
    return Outputs(defined, outputs, is_cut=len(outputs) < len(calls))


class Callee:
    """One process with the program. After TimedOut or Lost it is ended."""

    def __init__(self, interpreters: Interpreters, limits: Limits, total_seconds: float) -> None:
        self._interpreters, self._limits = interpreters, limits
        self._cpu_seconds = cpu_seconds(total_seconds)
        try:
            self._channel = interpreters.start_callee(self._cpu_seconds)
        except ZygoteLost:
            self._channel = interpreters.start_callee(self._cpu_seconds)  # something of the machine's ended it
        self._target: Json = None

    def define(self, program: str, entry_point: str, deadline: float) -> Ran:
        """The entry point must be there, and be no plain value."""
        begun = time.monotonic()
        reply = self._ask({"define": program, "names": [entry_point]}, deadline)
        seconds = time.monotonic() - begun
        match reply:
            case Raised(kind, message, outcome):
                self.end()
                return Ran(outcome, printable(f"{kind}: {message}" if message else kind), seconds)
            case Lost(message, outcome):
                return Ran(outcome, message, seconds)
            case TimedOut():
                return Ran("timeout", f"not defined within {seconds:.3g} s", seconds)
        match reply:
            case {"value": dict() as names} if isinstance(names.get(entry_point), dict):
                self._target = names[entry_point]
                return Ran("passed", "", seconds)
        self.end()
        return Ran("error", f"the program defines no function {printable(entry_point)}", seconds)

    def call(self, arguments: Sequence[Any], seconds: float, deadline: float) -> Output:
        write = Writer(_refuse_handle).write
        request = {"operate": "call", "on": self._target, "arguments": write(list(arguments)), "keywords": {}}
        begun = time.monotonic()
        reply = self._ask(request, min(begun + seconds, deadline))
        taken = time.monotonic() - begun
        if isinstance(reply, TimedOut):
            return TimedOut(seconds)
        if not isinstance(reply, dict):
            return reply
        try:
            return Returned(Reader(_opaque, lambda name: _opaque([0, "module", name])).read(reply["value"]), taken)
        except (KeyError, ValueError):
            return self._lost(BROKEN)

    def end(self) -> None:
        self._channel.close()
        with contextlib.suppress(ZygoteLost):  # then it has ended all the more
            self._interpreters.stop()

    def _ask(self, request: Json, deadline: float) -> dict[str, Any] | Raised | TimedOut | Lost:
        try:
            self._channel.send(request, deadline)
            reply = self._channel.receive(deadline)
        except TimeoutError:
            self.end()
            return TimedOut(0)
        except Closed:
            return self._lost("the program ended its process or closed its channel")
        except Garbage:
            return self._lost(BROKEN)
        match reply:
            case {"raised": [[str() as kind, *_] as names, str() as text, number]}:
                return Raised(printable(kind, 100), printable(text), outcome_of_exception(names, number))
            case dict():
                return reply
        return self._lost(BROKEN)

    def _lost(self, message: str) -> Lost:
        self._channel.close()
        try:
            ended, is_over = self._interpreters.stop()
        except ZygoteLost as error:
            return Lost(printable(f"the sandbox ended while the program ran: {error}"))
        outcome, message = explain_end(ended, is_over, self._limits, self._cpu_seconds, message)
        return Lost(message, outcome)


def _opaque(content: Json) -> Opaque:
    match content:
        case [int(), str() as kind, str() as text]:
            return Opaque(printable(kind, 100), printable(text))
    raise ValueError("no handle")


def _refuse_handle(value: Any) -> Json:
    raise TypeError(f"a {type(value).__name__} cannot be passed to a program")
