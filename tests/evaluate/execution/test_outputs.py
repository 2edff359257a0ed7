"""Calls with a time limit each, and what comes back."""

from typing import Any

import pytest

from evolray.evaluate.execution import Lost, Opaque, Outputs, Raised, Returned, Sandbox, TimedOut

SECONDS = 10.0


def outputs(sandbox: Any, program: str, inputs: list[list[Any]], **more: Any) -> Outputs:
    settings = {"seconds_per_call": [SECONDS] * len(inputs), "total_seconds": SECONDS, **more}
    return sandbox.outputs(program, "f", inputs, **settings)  # type: ignore[no-any-return]


def values(got: Outputs) -> list[Any]:
    return [output.value if isinstance(output, Returned) else type(output).__name__ for output in got.all]


def test_one_output_per_input(sandbox: Any) -> None:
    got = outputs(sandbox, "def f(a, b):\n    return a / b", [[1, 2], [1, 0], [4, 2]])
    assert got.defined.outcome == "passed" and not got.is_cut
    assert values(got) == [0.5, "Raised", 2.0]
    assert got.all[1] == Raised("ZeroDivisionError", "division by zero", "error")


def test_inputs_are_copies_and_state_stays(sandbox: Any) -> None:
    same = [1]
    got = outputs(
        sandbox, "calls = []\ndef f(x):\n    x.append(2)\n    calls.append(1)\n    return x, len(calls)", [[same]] * 2
    )
    assert values(got) == [([1, 2], 1), ([1, 2], 2)]
    assert same == [1]


def test_each_call_has_its_time(sandbox: Any) -> None:
    program = "calls = []\ndef f(n):\n    calls.append(n)\n    while n == 1: pass\n    return calls"
    got = outputs(sandbox, program, [[0], [1], [2]], seconds_per_call=[SECONDS, 0.3, SECONDS])
    assert values(got) == [[0], "TimedOut", [2]]  # the program was defined anew after the second
    assert got.all[1] == TimedOut(0.3)


def test_all_calls_together_have_theirs(sandbox: Any) -> None:
    got = outputs(sandbox, "def f(n):\n    while n: pass\n    return n", [[0], [1], [0]], total_seconds=0.4)
    assert values(got) == [0, "TimedOut"] and got.is_cut


def test_a_process_that_ends_is_replaced(sandbox: Any) -> None:
    got = outputs(sandbox, "import os\ndef f(n):\n    return n or os._exit(0)", [[1], [0], [2]])
    assert values(got) == [1, "Lost", 2]
    assert got.all[1] == Lost("the program ended its process or closed its channel", "error")


def test_it_stops_where_it_is_told(own: Sandbox) -> None:
    got = outputs(
        own, "def f(n):\n    return n", [[1], [2], [3]],
        stop_at_failure=lambda number, output: number == 1 and output.value == 2,
    )  # fmt: skip
    assert values(got) == [1, 2] and got.is_cut


def test_no_inputs_are_no_calls(sandbox: Any) -> None:
    assert outputs(sandbox, "nonsense(", []).all == []


@pytest.mark.parametrize(
    ("program", "outcome", "message"),
    [
        ("def f(:", "error", "SyntaxError: invalid syntax (<program>, line 1)"),
        ("def g(): pass", "error", "the program defines no function f"),
        ("f = 3", "error", "the program defines no function f"),
        ("import os\nos._exit(0)", "error", "the program ended its process or closed its channel"),
        ("x = bytearray(10**10)", "memory", "MemoryError"),
        ("open('/python/mine', 'w')", "refused", "OSError: [Errno 30] Read-only file system: '/python/mine'"),
    ],
)  # fmt: skip
def test_a_program_that_cannot_be_defined(sandbox: Any, program: str, outcome: str, message: str) -> None:
    got = outputs(sandbox, program, [[1], [2]])
    assert (got.defined.outcome, got.defined.message, list(got.all)) == (outcome, message, [])


def test_a_definition_without_end(sandbox: Any) -> None:
    got = outputs(sandbox, "while True: pass", [[1]], total_seconds=0.3)
    assert got.defined.outcome == "timeout" and not got.all


def test_what_has_no_content_is_opaque(sandbox: Any) -> None:
    got = outputs(sandbox, "import math\ndef f(n):\n    return [lambda: n, math, iter([])]", [[1]])
    (value,) = values(got)
    assert [type(one) for one in value] == [Opaque] * 3
    assert [one.kind for one in value] == ["function", "module", "list_iterator"]


def test_an_input_that_cannot_cross(own: Sandbox) -> None:
    with pytest.raises(TypeError, match="a function cannot be passed to a program"):
        outputs(own, "def f(n):\n    return n", [[lambda: 1]])
    assert values(outputs(own, "def f(n):\n    return n", [[1]])) == [1]
