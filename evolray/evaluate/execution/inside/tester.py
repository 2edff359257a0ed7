"""The process that a benchmark's tests run in, apart from the program that they test.

Names of the tests mean, in this order: what the tests themselves define; the entry point, which is the program's; what
`setup` defines; Python's builtins; whatever else the program defines. So a program cannot put its own `abs` or `math`
or a problem's helper function in the place of the real one.
"""

import builtins
import traceback
from types import CodeType
from typing import Any

from .channel import Channel
from .remote import STANDARD, Program

MOST_TEXT = 1000


def serve(host: Channel, callee: Channel) -> None:
    """Run one job, {"program", "setup", "test", "entry_point"}, and tell the host how it went."""
    job = host.receive()
    program = Program(callee, STANDARD | set(job["packages"]))
    host.send(verdict(program, job))


def verdict(program: Program, job: dict[str, Any]) -> dict[str, Any]:
    """{"outcome", "message", "errno"}: passed, wrong, error or memory."""
    try:
        run(program, job)
    except BaseException as error:
        if not program.gone:
            return _failed(program, error, job["test"])
    if program.gone:  # also when the tests went on without noticing
        return {"outcome": "error", "message": program.gone, "gone": True}
    return {"outcome": "passed", "message": ""}


def run(program: Program, job: dict[str, Any]) -> None:
    setup = compile(job["setup"], "<setup>", "exec", dont_inherit=True)
    test = compile(job["test"], "<test>", "exec", dont_inherit=True)
    wanted = _wanted({*_names(setup), *_names(test)}, job["entry_point"])
    defined = program.define(job["program"], sorted(wanted))
    namespace = {name: value for name, value in defined.items()}
    exec(setup, namespace)
    if job["entry_point"] in defined:
        namespace[job["entry_point"]] = defined[job["entry_point"]]
    exec(test, namespace)


def _wanted(names: set[str], entry_point: str) -> set[str]:
    """What the tests may mean of the program. MBPP/126 tests a function `sum`, and names nothing but it."""
    own = {name for name in names if not name.startswith("__")}
    others = {name for name in own if not hasattr(builtins, name)}
    return (others | {entry_point}) if entry_point or others else own


def _names(code: CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _failed(program: Program, error: BaseException, test: str) -> dict[str, Any]:
    is_programs = error is program.raised
    kind = getattr(error, "kind", type(error).__name__) if is_programs else type(error).__name__
    text = f"{kind}: {error}" if str(error) else kind
    line = _line(error, test)
    parts = [text, *([f"in: {line}"] if line else []), *([] if is_programs else _got(program))]
    if isinstance(error, MemoryError):
        outcome = "memory"
    else:
        outcome = "wrong" if isinstance(error, AssertionError) and not is_programs else "error"
    return {
        "outcome": outcome,
        "message": "\n".join(parts)[:MOST_TEXT],
        "errno": program.errno if is_programs else None,
    }


def _line(error: BaseException, test: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<test>"]
    return test.splitlines()[lines[-1] - 1].strip()[:300] if lines and lines[-1] else ""


def _got(program: Program) -> list[str]:
    if program.last_call is None:
        return []
    name, arguments, value = program.last_call
    return [f"last call: {name}({', '.join(map(_short, arguments))}) gave {_short(value)}"]


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(error).__name__}>"
    return text if len(text) <= 200 else f"{text[:200]}..."
