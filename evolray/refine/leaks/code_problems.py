"""The problems of code benchmarks as programs are tried on them: the name and the arguments that their tests use."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.code.entry_points import entry_point_of
from evolray.refine.leaks.programs import Function


@dataclass(frozen=True)
class Task:
    """`arguments`: how many the tests call it with; empty when that cannot be told, and every function fits."""

    benchmark: str
    problem: Problem
    entry_point: str
    arguments: frozenset[int]

    @property
    def texts(self) -> tuple[str, str]:
        """Question and reference solution."""
        row = self.problem.row
        if "canonical_solution" in row:
            return row["prompt"], row["prompt"] + row["canonical_solution"]
        return row["text"], row["code"]

    def fits(self, function: Function) -> bool:
        return all(function.least <= number <= function.most for number in self.arguments)


def read_tasks(benchmark: str, path: str) -> Iterator[Task]:
    """The problems of a file. Raises UserError for one that is not of this benchmark."""
    for problem in CODE_BENCHMARKS[benchmark].read(path).all:
        entry_point = entry_point_of(problem)
        # The plus inputs are many megabytes, and the base inputs decide here.
        row = {key: value for key, value in problem.row.items() if key != "plus_input"}
        yield Task(benchmark, Problem(problem.id, row), entry_point, _numbers_of_arguments(row, entry_point))


def _numbers_of_arguments(row: Mapping[str, Any], entry_point: str) -> frozenset[int]:
    if "base_input" in row:
        return frozenset(len(arguments) for arguments in row["base_input"])
    if "test" in row:
        return _called_with(row["test"], "candidate")
    return _called_with("\n".join(row["test_list"]), entry_point)


def _called_with(test: str, name: str) -> frozenset[int]:
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and _is_name(one.func, name)]
    plain = [one for one in calls if not any(isinstance(argument, ast.Starred) for argument in one.args)]
    return frozenset(len(one.args) + len(one.keywords) for one in plain)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
