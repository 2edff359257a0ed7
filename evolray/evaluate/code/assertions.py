"""Grading by assertions: human-eval's rule, and that of MBPP.

    HumanEval   prompt + completion, then the entry's test and check(NAME), 3 s in all (openai/human-eval)
    MBPP        the completion alone, then test_setup_code and every assertion of test_list, 3 s in all, as the bigcode
                harness does it; challenge_test_list is not used

A completion may be a whole program: after the prompt it defines the function a second time, and that counts. One that
begins with `from __future__` could not stand behind a prompt and runs alone.
"""

from typing import Any

from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.code.entry_points import entry_point_of
from evolray.evaluate.execution import Sandbox

SECONDS = 3.0
HUMAN_EVAL = "human-eval: prompt + completion, its test"
MBPP = "MBPP: completion, test_setup_code, test_list"


def program_of(problem: Problem, completion: str) -> str:
    """The completion behind the prompt, where the problem has one."""
    if completion.lstrip().startswith("from __future__"):
        return completion
    prompt: str = problem.row.get("prompt", "")
    return prompt + completion


def grade_by_assertions(sandbox: Sandbox, problem: Problem, completion: str, seconds: float | None) -> Verdict:
    row: dict[str, Any] = dict(problem.row)
    entry_point = entry_point_of(problem)
    if "test" in row:
        test, setup = f"{row['test']}\ncheck({entry_point})", ""
    else:
        test, setup = "\n".join(row["test_list"]), row.get("test_setup_code") or ""
    program = program_of(problem, completion)
    ran = sandbox.check(program, test, setup=setup, entry_point=entry_point, seconds=seconds or SECONDS)
    return Verdict(ran.outcome, ran.message)
