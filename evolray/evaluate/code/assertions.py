"""Grading by assertions: human-eval's rule, and that of MBPP.

    HumanEval   prompt + completion, then the entry's test and check(NAME), 3 s in all (openai/human-eval)
    MBPP        the completion alone, then test_setup_code and every assertion of test_list, 10 s in all; as the bigcode
                harness does it, but for its 3 s: the reference of task 123 takes more than 2 s on a machine at rest.
                challenge_test_list is not used

A completion may be a whole program: after the prompt it defines the function a second time, and that counts. One that
begins with `from __future__` could not stand behind a prompt and runs alone.
"""

from collections.abc import Mapping
from typing import Any

from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.code.entry_points import entry_point_of
from evolray.evaluate.execution import Sandbox

HUMAN_EVAL_SECONDS, MBPP_SECONDS = 3.0, 10.0
RULES: Mapping[str, Mapping[str, Any]] = {
    "human-eval": {"grader": "human-eval: prompt + completion, its test", "seconds": HUMAN_EVAL_SECONDS},
    "mbpp": {"grader": "MBPP: completion, test_setup_code, test_list", "seconds": MBPP_SECONDS},
}


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
        test, setup, limit = f"{row['test']}\ncheck({entry_point})", "", HUMAN_EVAL_SECONDS
    else:
        test, setup, limit = "\n".join(row["test_list"]), row.get("test_setup_code") or "", MBPP_SECONDS
    program = program_of(problem, completion)
    ran = sandbox.check(program, test, setup=setup, entry_point=entry_point, seconds=seconds or limit)
    return Verdict(ran.outcome, ran.message)
