"""Verdicts and their messages, what the names in tests mean, and how a sandbox lives and ends."""

import logging
import shutil
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from evolray.errors import UserError
from evolray.evaluate.execution import Limits, Sandbox

SECONDS = 10.0
DOUBLE = "def double(n):\n    return n * 2\n"


@pytest.fixture(scope="module", params=["bubblewrap", "unsafe"])
def either(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Both ways of running give the same verdicts."""
    if request.param == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    with Sandbox(Limits(memory_mb=1000), unsafe=request.param == "unsafe") as sandbox:
        yield sandbox


def run(sandbox: Any, program: str, test: str, **more: Any) -> tuple[str, str]:
    ran = sandbox.check(program, test, **{"seconds": SECONDS, **more})
    return ran.outcome, ran.message


# --- verdicts ---


@pytest.mark.parametrize(
    ("program", "test", "outcome", "message"),
    [
        (DOUBLE, "assert double(2) == 4", "passed", ""),
        (DOUBLE, "", "passed", ""),
        (
            DOUBLE, "x = 1\nassert double(2) == 5, 'not five'", "wrong",
            "AssertionError: not five\nin: assert double(2) == 5, 'not five'\nlast call: double(2) gave 4",
        ),
        (DOUBLE, "assert 1 == 2", "wrong", "AssertionError\nin: assert 1 == 2"),
        (DOUBLE, "assert half(2) == 1", "error", "NameError: name 'half' is not defined\nin: assert half(2) == 1"),
        (
            "def double(n):\n    return n['two']", "assert double(2) == 4", "error",
            "TypeError: 'int' object is not subscriptable\nin: assert double(2) == 4",
        ),
        (
            "class Odd(Exception): pass\ndef double(n):\n    raise Odd('three')", "double(3)", "error",
            "Odd: three\nin: double(3)",
        ),
        ("def double(n):\n    assert n > 2", "double(1)", "error", "AssertionError\nin: double(1)"),
        ("def double(n:\n", "double(1)", "error", "SyntaxError: '(' was never closed (<program>, line 1)"),
        ("import nothing_like_it", "", "error", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("1 / 0", "", "error", "ZeroDivisionError: division by zero"),
        ("x = bytearray(2 * 10**9)", "", "memory", "MemoryError"),
        ("while True: pass", "", "timeout", "not finished within 0.4 s"),
        (DOUBLE, "while True: double(1)", "timeout", "not finished within 0.4 s"),
        ("def f(n):\n    return f(n)", "f(1)", "error", "RecursionError: maximum recursion depth exceeded\nin: f(1)"),
        ("raise ValueError('\\x1b[31m\\u202e\\n' + 'x' * 5000)", "", "error", None),
        ("assert input() == ''", "", "error", "EOFError: EOF when reading a line"),
        ("if __name__ == '__main__':\n    raise ValueError", "", "passed", ""),
        ("assert __name__ == 'builtins'", "", "passed", ""),
    ],
)  # fmt: skip
def test_outcomes(either: Sandbox, program: str, test: str, outcome: str, message: str | None) -> None:
    seconds = 0.4 if outcome == "timeout" else SECONDS
    got = run(either, program, test, seconds=seconds)
    assert got[0] == outcome
    if message is not None:
        assert got[1] == message
    else:
        assert got[1].startswith("ValueError: \\x1b[31m\\u202e\nxxx") and len(got[1]) == 1000


def test_the_program_does_not_see_the_arguments_of_another_call(either: Sandbox) -> None:
    program = "seen = []\ndef keep(values):\n    seen.append(values)\n    return seen"
    assert run(either, program, "assert keep([1]) == [[1]]\nassert keep([2]) == [[1], [2]]") == ("passed", "")
    assert run(either, program, "assert keep([1]) == [[1]]") == ("passed", "")


def test_what_a_program_does_to_its_arguments_is_seen_by_the_tests(either: Sandbox) -> None:
    program = """
def change(values, table, some, *rest):
    values.append(3)
    values[0] = [0]
    table["new"] = values
    some.add(1)
"""
    test = """
values, table, some, other = [1, 2], {}, set(), [9]
alias = values
change(values, table, some, other)
assert values is alias and values == [[0], 2, 3]
assert table == {"new": [[0], 2, 3]} and some == {1} and other == [9]
"""
    assert run(either, program, test) == ("passed", "")


# --- objects of the program's ---

OBJECTS = """
import collections, re
class Node:
    def __init__(self, value):
        self.value, self.left = value, None
    def __str__(self):
        return f"<{self.value}>"
def total(node):
    return node.value + (total(node.left) if node.left else 0)
def count(n):
    yield from range(n)
def adder(n):
    return lambda other: n + other
def find(text):
    return re.match("a+", text)
Point = collections.namedtuple("Point", "x y")
LIMIT = 10
"""


@pytest.mark.parametrize(
    "test",
    [
        "root = Node(1)\nroot.left = Node(2)\nroot.left.left = Node(3)\nassert total(root) == 6",
        "assert list(count(3)) == [0, 1, 2] and sum(count(4)) == 6 and next(count(1)) == 0",
        "assert adder(2)(3) == 5",
        "assert find('aab').group() == 'aa' and find('b') is None and find('a')",
        "assert Point(1, 2) == (1, 2)",
        "assert LIMIT == 10",
        "assert str(Node(5)) == '<5>' and isinstance(Node(5), Node) and not isinstance(5, Node)",
        "node = Node(1)\nassert node == node and node != Node(1) and node in [node] and Node(1) not in [node]",
        "assert re.sub('a', 'b', 'aa') == 'bb'",
        "for value in count(2):\n    assert value in (0, 1)",
        "try:\n    total(None)\nexcept AttributeError as error:\n    assert 'value' in str(error)",
        "try:\n    next(count(0))\nexcept StopIteration:\n    pass\nelse:\n    assert False",
    ],
)
def test_tests_use_what_the_program_defines(either: Sandbox, test: str) -> None:
    assert run(either, OBJECTS, test) == ("passed", "")


def test_what_the_tests_define_cannot_be_passed_on(either: Sandbox) -> None:
    message = "TypeError: a function of the tests cannot be passed to the program\nin: adder(lambda: 1)"
    assert run(either, OBJECTS, "adder(lambda: 1)") == ("error", message)


# --- names ---


@pytest.mark.parametrize(
    ("program", "setup", "test", "entry_point"),
    [
        # The tests' own come first, then the entry point, what the setup defines, Python's, the program's others.
        ("def f(): return 1\ndef g(): return 0", "", "def g(): return 2\nassert (f(), g()) == (1, 2)", "f"),
        ("def f(): return 1", "def f(): return 0", "assert f() == 1", "f"),
        ("def f(): return 1\ndef g(): return 0", "def g(): return 2", "assert (f(), g()) == (1, 2)", "f"),
        ("def f(): return 1", "def g(): return 2", "assert (f(), g()) == (1, 2)", "f"),
        ("def f(): return 1\ndef abs(n): return 0", "", "assert abs(-3) == 3 and f() == 1", "f"),
        ("def sum(a, b): return a + b", "", "assert sum(10, 15) == 25", "sum"),
        ("def sum(a, b): return a + b", "", "assert sum(10, 15) == 25", ""),
        ("def sum(a): return 0\ndef f(): return 1", "", "assert sum([1, 2]) == 3 and f() == 1", ""),
        ("class Node:\n    pass\ndef f(n): return 1", "root = Node()", "assert f(root) == 1", "f"),
        ("import math\ndef f(): return 2.0", "", "assert math.isclose(f(), 2)", "f"),
    ],
)
def test_what_names_mean(either: Sandbox, program: str, setup: str, test: str, entry_point: str) -> None:
    assert run(either, program, test, setup=setup, entry_point=entry_point) == ("passed", "")


def test_a_module_of_the_programs_making_is_none(either: Sandbox) -> None:
    program = "class math:\n    isclose = staticmethod(lambda *_: True)\ndef f(): return 1"
    test = "import math\nassert math.isclose(f(), 2)"
    assert run(either, program, test)[0] == "wrong"
    assert (
        run(either, "import sys\nmath = sys.modules['sys']\nmath.isclose = max\ndef f(): return 1", test)[0] == "wrong"
    )


def test_numpy_only_where_it_is_asked_for(own: Sandbox) -> None:
    program = (
        "import numpy as np\ndef mean(values):\n    return np.mean(values), np.int64(3), np.array([[1, 2], [3, 4]])"
    )
    test = "assert mean([1, 3]) == (2.0, 3, [[1, 2], [3, 4]])"
    assert run(own, program, test) == ("error", "ModuleNotFoundError: No module named 'numpy'")
    with Sandbox(Limits(), packages=["numpy"]) as sandbox:
        assert run(sandbox, program, test) == ("passed", "")


# --- its life ---


def test_without_bubblewrap_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as error:
        Sandbox(Limits())
    assert "apt-get install bubblewrap" in str(error.value) and "execution.unsafe=true" in str(error.value)


def test_a_bubblewrap_that_cannot_work_is_no_surprise_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"bwrap: No permissions to create new namespace.*execution\.unsafe=true"):
        Sandbox(Limits())


def test_a_package_that_is_not_there(own: Sandbox) -> None:
    with pytest.raises(
        UserError, match="the package nothing_like_it, which programs may import, is not installed here"
    ):
        Sandbox(Limits(), packages=["nothing_like_it"])


def test_unsafe_warns(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # bubblewrap is not needed for it
    with caplog.at_level(logging.WARNING), Sandbox(Limits(), unsafe=True) as sandbox:
        assert run(sandbox, DOUBLE, "assert double(1) == 2") == ("passed", "")
    assert [record.message for record in caplog.records] == [
        "programs run without bubblewrap: they can read and change what this user can"
    ]


@pytest.mark.parametrize("name", ["bwrap", "python3"])
def test_it_starts_again_when_its_processes_were_killed(own: Sandbox, name: str) -> None:
    before = psutil.Process().children(recursive=True)
    with Sandbox(Limits()) as sandbox:
        for child in psutil.Process().children(recursive=True):
            if child not in before and child.name() == name:
                child.kill()
                break
        assert run(sandbox, DOUBLE, "assert double(1) == 2") == ("passed", "")
        outputs = sandbox.outputs(DOUBLE, "double", [[1]], seconds_per_call=[SECONDS], total_seconds=SECONDS)
        assert outputs.all[0].value == 2


def test_nothing_lives_on_when_it_is_closed() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with Sandbox(Limits()) as sandbox:
        run(sandbox, DOUBLE, "double(1)")
        assert {child.pid for child in psutil.Process().children(recursive=True)} > before
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
