import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolray.errors import EvolrayError
from evolray.evaluate.math import helper as helper_module
from evolray.evaluate.math.helper import LONGEST_FORMULA, Helper, Undecided


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    helper = Helper(cpu_seconds=1)
    yield helper
    helper.close()


def test_nothing_starts_before_the_first_question() -> None:
    helper = Helper()
    assert helper.starts == 0
    helper.close()


def test_one_process_answers_many(helper: Helper) -> None:
    starts = helper.starts
    assert helper.published_equal("x+1", "1+x")
    assert helper.verified_equal("x+1", "1+x")
    assert not helper.verified_equal("x+1", "x-1")
    assert helper.starts <= starts + 1


def test_an_endless_comparison_ends_and_the_next_one_is_answered(helper: Helper) -> None:
    assert helper.published_equal("x", "x+0")
    with pytest.raises(Undecided, match="more than 1 s of processor time") as raised:
        helper.published_equal("9^{9^{9^9}}", "3")
    assert raised.value.outcome == "timeout"
    starts = helper.starts
    assert helper.verified_equal(r"\frac{1}{2}", "0.5")
    assert helper.starts == starts + 1


def test_memory_is_limited() -> None:
    """Libraries catch MemoryError too, and then two formulas are simply not found equal."""
    helper = Helper(memory_mb=1000, cpu_seconds=60)  # its libraries alone take 400
    try:
        found = helper.verified_equal("2^{2^{36}}", "3")  # 8 GB
    except Undecided as error:
        assert error.outcome == "memory"
    else:
        assert not found
    assert helper.verified_equal("2^{10}", "1024")
    process = helper._process
    assert process is not None
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    helper.close()
    assert re.search(rf"Max address space +{1000 * 1024 * 1024} ", limits)
    assert re.search("Max file size +0 +0 ", limits)


def test_wall_time_is_limited_too() -> None:
    helper = Helper(wall_seconds=0.2, cpu_seconds=60)
    with pytest.raises(Undecided, match=r"took more than 0\.2 s") as raised:
        helper.verified_equal("9^{9^{9^9}}", "3")
    assert raised.value.outcome == "timeout"
    helper.close()


def test_a_process_that_was_killed_between_two_questions_is_replaced(helper: Helper) -> None:
    assert helper.verified_equal("2", "2.0")
    process = helper._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert helper.verified_equal("2", "2.0")
    assert helper._process is not process


def test_a_worn_out_process_is_replaced(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_module, "QUESTIONS_PER_PROCESS", 0)
    starts = helper.starts
    assert helper.verified_equal("2", "2.0")
    assert helper.starts == starts + 1


def test_too_long_a_formula_is_not_parsed() -> None:
    helper = Helper()
    assert not helper.published_equal("1" * (LONGEST_FORMULA + 1), "1")
    assert helper.starts == 0


def test_deep_nesting_costs_no_more_than_a_verdict(helper: Helper) -> None:
    assert not helper.published_equal("{" * 9_000, "3")
    assert helper.published_equal("x", "x+0")


def test_python_in_an_answer_is_never_run(helper: Helper, tmp_path: Path) -> None:
    """sympy evaluates texts in more places than its name for it says: `N`, `sympify`, `S`."""
    trace = tmp_path / "trace"
    for attack in (
        f"__import__('os').system('touch {trace}')",
        f"open('{trace}','w')",
        f"eval(\"open('{trace}','w')\")",
        "().__class__.__base__.__subclasses__()",
        f"S(\"open('{trace}','w')\")",
    ):
        for formula in (
            attack,
            rf"\text{{{attack}}}",
            rf"\operatorname{{{attack}}}",
            f"1+{attack}",
            f"({attack},{attack})",
        ):
            for test in (helper.published_equal, helper.verified_equal):
                assert not test(formula, "0")
                assert not test("0", formula)
                assert not test(formula, "x")
    assert not trace.exists()


@pytest.mark.parametrize(
    "attack",
    [
        "import os; os.system('touch {trace}')",
        "import subprocess; subprocess.run(['touch', '{trace}'])",
        "open('{trace}', 'w')",
        "import os; os.open('{trace}', os.O_CREAT)",
        "import socket; socket.socket().connect(('127.0.0.1', 9))",
        "import os; os.kill(os.getppid(), 9)",
    ],
)
def test_the_second_line_refuses_what_a_formula_has_no_use_for(attack: str, tmp_path: Path) -> None:
    """Were a formula run after all."""
    trace = tmp_path / "trace"
    program = f"import sys; from evolray.evaluate.math.helper_main import _refuse; sys.addaudithook(_refuse); {attack}"
    program = program.replace("{trace}", str(trace))
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not for a formula" in done.stderr
    assert not trace.exists()


def test_the_environment_stays_outside(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLRAY_TEST_KEY", "a secret")
    fresh = Helper()
    assert fresh.verified_equal("2", "2.0")
    assert fresh._process is not None
    environment = Path(f"/proc/{fresh._process.pid}/environ").read_bytes()
    fresh.close()
    assert {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry} == {
        b"PYTHONPATH",
        b"PYTHONHASHSEED",
    }


def test_a_process_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EvolrayError, match=r"did not start: no message\. It needs sympy and math-verify"):
        Helper().verified_equal("2", "2.0")


def test_the_parent_does_not_load_sympy() -> None:
    program = (
        "import sys, evolray.evaluate.math\nprint([name for name in ('sympy', 'math_verify') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
