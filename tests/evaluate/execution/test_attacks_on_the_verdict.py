"""What a wrong program tries in order to pass. Each is judged as what it is, and the next program is judged rightly."""

from textwrap import dedent
from typing import Any

import pytest

from evolray.evaluate.execution import Lost, Opaque, Returned

SECONDS = 10.0
NEEDLE = "needle-that-only-the-tests-hold"
TEST = f'''
def check(candidate):
    """{NEEDLE}"""
    assert candidate(2) == 4
    assert candidate(3) == 9, "{NEEDLE}"
    assert candidate(0) != 1
check(square)
'''
SETUP = '''
def square(n):
    """The square of n."""
def helper(n):
    return n * n
'''


def check(sandbox: Any, program: str, test: str = TEST) -> Any:
    ran = sandbox.check(program, test, setup=SETUP, entry_point="square", seconds=SECONDS)
    right = sandbox.check("def square(n):\n    return n ** 2", test, setup=SETUP, entry_point="square", seconds=SECONDS)
    assert right.outcome == "passed", right.message
    return ran


# --- values that lie about what they equal ---

LIES = """
class Lie{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return True
    def __hash__(self): return 4
    def __bool__(self): return True
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0
    def __iter__(self): return iter([4])
    def __len__(self): return 1
    def __str__(self): return "4"
    __repr__ = __str__
    __class__ = property(lambda self: int)
def square(n):
    return Lie({arguments})
"""


@pytest.mark.parametrize(
    ("base", "arguments", "got"),
    [
        ("", "", "4"),
        ("(int)", "1", "1"),
        ("(float)", "1.5", "1.5"),
        ("(str)", "'four'", "'four'"),
        ("(list)", "[1]", "[1]"),
        ("(tuple)", "(1,)", "(1,)"),
        ("(dict)", "{1: 2}", "{1: 2}"),
        ("(set)", "{1}", "{1}"),
    ],
)
def test_equal_to_everything(sandbox: Any, base: str, arguments: str, got: str) -> None:
    ran = check(sandbox, LIES.format(base=base, arguments=arguments))
    assert ran.outcome == "wrong"
    assert ran.message == f"AssertionError\nin: assert candidate(2) == 4\nlast call: square(2) gave {got}"


@pytest.mark.parametrize(
    "test", ["assert abs(square(2) - 4) < 1e-6", "assert square(2) < 1e-6", "assert square(2) > 3"]
)
def test_an_object_is_no_number(sandbox: Any, test: str) -> None:
    ran = check(sandbox, LIES.format(base="", arguments=""), test.replace("< 1e-6", "< 5"))
    assert (ran.outcome, ran.message.partition(":")[0]) == ("error", "TypeError")


@pytest.mark.parametrize(
    "test",
    ["assert square(2) in [1, 4]", "assert [square(2)] == [4]", "assert 4 in {square(2)}", "assert {4: 1}[square(2)]"],
)
def test_an_object_in_a_collection_equals_nothing(sandbox: Any, test: str) -> None:
    ran = sandbox.check(LIES.format(base="", arguments=""), test, entry_point="square", seconds=SECONDS)
    assert (ran.outcome, ran.message.partition("\n")[0]) in (("wrong", "AssertionError"), ("error", "KeyError: 4"))


# --- what runs in the program's process ---

WRONG = "\ndef square(n):\n    return n + 1\n"
TRICKS = {
    "replaced builtins": """
        import builtins
        for name in ("AssertionError", "BaseException", "all", "any", "abs", "sum", "set", "sorted", "print"):
            setattr(builtins, name, lambda *_: True)""",
    "replaced names of the tests": """
        def check(candidate): pass
        def candidate(n): return n * n
        def helper(n): return 0""",
    "names of Python": """
        def abs(n): return 0
        class AssertionError(Exception): pass
        __builtins__ = {}
        __name__ = "__main__" """,
    "a trace function": """
        import sys, threading
        sys.settrace(lambda *_: None)
        sys.setprofile(lambda *_: None)""",
    "an exit function": """
        import atexit, os
        atexit.register(os._exit, 0)""",
    "a thread": """
        import os, threading
        threading.Thread(target=os.write, args=(1, b"passed")).start()""",
    "a signal": """
        import os, signal
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, 60)""",
    "output": """
        import sys
        print("passed" * 100, flush=True)
        print("passed", file=sys.stderr, flush=True)""",
    "closed output": """
        import os, sys
        sys.stdout.close()
        sys.stderr.close()
        os.close(0)""",
    "a module of the same name": """
        import sys
        sys.modules["math"] = sys.modules["inside.tester"] = sys""",
    "a shell": """
        import os
        assert os.system("exit 0") != 0""",
}


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_that_change_nothing(sandbox: Any, name: str) -> None:
    ran = check(sandbox, dedent(TRICKS[name]) + WRONG)
    assert ran.outcome == "wrong"
    assert ran.message == "AssertionError\nin: assert candidate(2) == 4\nlast call: square(2) gave 3"


ENDS = {
    "os._exit(0)": "error",
    "__import__('sys').exit(0)": "error",
    "raise SystemExit": "error",
    "raise KeyboardInterrupt": "error",
    "raise GeneratorExit": "error",
    "raise AssertionError": "error",
    "raise StopIteration": "error",
    "raise MemoryError": "memory",
    "os.closerange(0, 256)": "error",
    "__import__('ctypes').string_at(0)": "error",
    "(lambda f: f(f))(lambda f: f(f))": "error",
    "os.execv('/python/bin/python3', ['python3', '-c', ''])": "error",
    "os.abort()": "error",
}


@pytest.mark.parametrize("place", ["definition", "call"])
@pytest.mark.parametrize("statement", ENDS)
def test_ends_that_are_no_pass(sandbox: Any, statement: str, place: str) -> None:
    body = (
        f"import os\n{statement}\n{WRONG}" if place == "definition" else f"import os\ndef square(n):\n    {statement}\n"
    )
    assert check(sandbox, body).outcome == ENDS[statement]


@pytest.mark.parametrize("statement", ["os._exit(0)", "os.closerange(3, 256)"])
def test_tests_that_swallow_everything_do_not_pass_it(sandbox: Any, statement: str) -> None:
    swallowing = (
        "for n in range(3):\n    try:\n        assert square(n) == n * n\n    except BaseException:\n        pass"
    )
    ran = check(sandbox, f"import os\ndef square(n):\n    {statement}", swallowing)
    assert (ran.outcome, ran.message) == ("error", "the program ended its process or closed its channel")


# --- the channel ---

FORGED = {
    "text": b"passed\n",
    "a verdict": b'{"outcome": "passed", "message": ""}',
    "a message with a verdict": b'\0\0\0\x24{"outcome": "passed", "message": ""}',
    "a message that never ends": b"\xff\xff\xff\xff" + b"x" * 100,
    "no JSON": b"\0\0\0\x01{",
    "deep JSON": (100_000).to_bytes(4, "big") + b"[" * 100_000,
    "a value of no kind": b'\0\0\0\x16{"value": {"lie": [4]}}'[:4] + b'{"value": {"lie": [4]}}'[:22],
    "a handle of no kind": b'\0\0\0\x1b{"value": {"handle": "a b"}}'[:4] + b'{"value": {"handle": "ab"}} '[:27],
    "a module of its own": (27).to_bytes(4, "big") + b'{"value":{"module":"mine"}}',
    "unhashable keys": (33).to_bytes(4, "big") + b'{"value":{"set":[[1],[2],[3],4]}}',
    "an error of no kind": (23).to_bytes(4, "big") + b'{"raised":[1,2,3,4,5 ]}',
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_messages_are_no_verdict(sandbox: Any, name: str) -> None:
    program = f"""
import os
def square(n):
    for file in range(256):
        try:
            os.write(file, {FORGED[name]!r})
        except OSError:
            pass
    return n + 1
"""
    ran = check(sandbox, program)
    assert (ran.outcome, ran.message) == ("error", "the program broke its channel")


@pytest.mark.parametrize(
    "patch",
    [
        "channel._dumps = lambda *_: '[1]'",
        "channel.Channel.send = lambda self, message: self._socket.sendall(b'passed')",
    ],
)
def test_a_patched_callee_can_only_break_its_channel(sandbox: Any, patch: str) -> None:
    program = f"import json, sys\nchannel = sys.modules['inside.channel']\n{patch}\n{WRONG}"
    ran = check(sandbox, program)
    assert (ran.outcome, ran.message) == ("error", "the program broke its channel")


SEARCH = """
import gc, os, sys
def square(n):
    frame, seen = sys._getframe(), []
    while frame is not None:
        seen += [repr(frame.f_locals), repr(frame.f_globals)]
        frame = frame.f_back
    gc.unfreeze()
    for one in gc.get_objects():
        try:
            seen.append(repr(one))
        except BaseException:
            pass
    for module in list(sys.modules.values()):
        seen.append(repr(vars(module)))
    for folder, _, files in os.walk("/tmp"):
        seen += files
    wanted = "".join(reversed("dloh-stset-eht-ylno-taht-eldeen"))
    return [text for text in seen if wanted in text], len(seen) > 1000
"""


def test_the_tests_cannot_be_read(sandbox: Any) -> None:
    ran = check(sandbox, SEARCH)
    assert ran.outcome == "wrong"
    assert ran.message.endswith("last call: square(2) gave ([], True)")


# --- values that are too much ---


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "x = []\n    x.append(x)\n    return x",
            "TooMuch: a value of more than 150 levels, or one that contains itself",
        ),
        ("x = []\n    for _ in range(10**5): x = [x]\n    return x", "TooMuch: a value of more than 150 levels"),
        ("x = {}\n    x[1] = x\n    return x", "TooMuch: a value of more than 150 levels"),
        ("x = [0]\n    for _ in range(60): x = [x, x]\n    return x", "TooMuch: a value of more than 1,000,000 parts"),
        ("return 'x' * 10**8", "ValueError: 100,000,"),
    ],
)
def test_values_too_large_to_cross_are_an_error(sandbox: Any, body: str, message: str) -> None:
    ran = check(sandbox, f"def square(n):\n    {body}")
    assert ran.outcome == "error"
    assert ran.message.startswith(message)


def test_keys_with_equal_hashes_do_not_keep_the_host_busy(sandbox: Any) -> None:
    program = """
import json, os
def square(n):
    keys = [[{"int": hex(k * (2**61 - 1))}, 1] for k in range(50_000)]
    data = json.dumps({"value": {"dict": keys}}).encode()
    os.write(3, len(data).to_bytes(4, "big") + data)
"""
    outputs = sandbox.outputs(program, "square", [[1]], seconds_per_call=[SECONDS], total_seconds=SECONDS)
    assert list(outputs.all) == [Lost("the program broke its channel", "error")]


def test_an_object_at_the_host_equals_nothing(sandbox: Any) -> None:
    lie = LIES.format(base="", arguments="")
    outputs = sandbox.outputs(lie, "square", [[2]], seconds_per_call=[SECONDS], total_seconds=SECONDS)
    (output,) = outputs.all
    assert isinstance(output, Returned) and isinstance(output.value, Opaque)
    assert (output.value.kind, output.value.text) == ("Lie", "4")
    assert output.value != 4 and output.value not in [4] and output.value != output.value
