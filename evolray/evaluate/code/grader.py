"""The grader of all code benchmarks: by assertions or by outputs, as the entry's release has it."""

import platform
from collections.abc import Mapping
from typing import Any

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import WITH_INPUTS, Problem, Verdict
from evolray.evaluate.code import outputs
from evolray.evaluate.code.assertions import RULES, grade_by_assertions
from evolray.evaluate.execution import Limits, Sandbox

PACKAGES = ("numpy",)
"""What the published graders' environments had beside Python, and programs import."""


class CodeGrader:
    """`assertions`: the rule for entries without inputs, "" where there are none. `with_plus`: whether plus inputs
    count, where there are any."""

    def __init__(self, assertions: str, with_plus: bool, execution: ExecutionConfig) -> None:
        limits = Limits(memory_mb=execution.memory_mb, processes=execution.processes)
        self._sandbox = Sandbox(limits, unsafe=execution.unsafe, packages=PACKAGES)
        self._outputs = outputs.OutputGrading(self._sandbox, execution.seconds)
        self._with_plus, self._seconds = with_plus, execution.seconds
        self.rules: Mapping[str, Any] = _rules(assertions, with_plus, execution)

    def grade(self, problem: Problem, extracted: str) -> Verdict:
        if "base_input" in problem.row:
            return self._outputs.grade(problem, extracted, self._with_plus)
        return grade_by_assertions(self._sandbox, problem, extracted, self._seconds)

    def close(self) -> None:
        self._sandbox.close()


def _rules(assertions: str, with_plus: bool, execution: ExecutionConfig) -> dict[str, Any]:
    by_outputs = outputs.rules(with_plus, execution.seconds)
    graded = by_outputs
    if assertions:
        graded = {**RULES[assertions], WITH_INPUTS: by_outputs}
        if execution.seconds is not None:
            graded["seconds"] = execution.seconds
    return {
        **graded,
        "memory_mb": execution.memory_mb,
        "processes": execution.processes,
        "isolation": "none (unsafe)" if execution.unsafe else "bubblewrap",
        "python": platform.python_version(),
        "packages": ", ".join(PACKAGES),
    }
