"""Leaks that show when they are run: a record's program that passes the tests of a benchmark's problem.

Of each record the Python in its response, or else in its instruction, is tried on the problems that it may solve: first
those that ask for a function of a name that it defines, then the likeliest (`likely.py`), `candidates` in all. Its
functions of a fitting number of parameters take the problem's name in turn, and the benchmark's grader runs all of the
problem's tests in evaluate's sandbox, for at most 3 s unless `sandbox.seconds` says otherwise (the graders of scores
allow MBPP 10 s).

A program that passes is a leak by definition: also one that solves an everyday problem that MBPP happens to hold. Tests
that a function without any content passes, such as one that always returns True, prove nothing: then it is none, and is
counted as `unproven`. Code of other languages is not tried, nor are programs that read input or need packages that
the sandbox does not have.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from evolray.config import ContaminationConfig, ExecutionConfig
from evolray.engine.checking import check_least
from evolray.errors import UserError
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.code.grader import CodeGrader
from evolray.evaluate.execution import Limits, Sandbox
from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.refine.index import Index
from evolray.refine.leaks.code_problems import Task, read_tasks
from evolray.refine.leaks.likely import Likeness
from evolray.refine.leaks.programs import Function, Program, program_in
from evolray.refine.steps.step import Counts
from evolray.refine.tables import LEAKS_BY_EXECUTION, LEAKS_SCHEMA, RECORDS, write_rows
from evolray.refine.wanted import Wanted, pack, places

EXECUTION = "execution"  # how these leaks were found
SECONDS = 3.0
MOST_FUNCTIONS = 3  # of a program, tried on one problem
MOST_EVIDENCE = 300
CONTENTLESS = (
    "def {}(*given, **named): return True",
    "def {}(*given, **named): return False",
    "def {}(*given, **named): return None",
    "def {}(*given, **named): return 0",
    "def {}(*given, **named): return given[0]",
)


@dataclass(frozen=True)
class FindPassing:
    """Writes leaks-by-execution/, a file per shard, in the form of leaks/."""

    tasks: tuple[Task, ...]
    candidates: int
    execution: ExecutionConfig
    wanted: Wanted

    def of(self, index: Index, mask: npt.NDArray[np.bool_]) -> "FindPassing":
        """The same for the records whose rows are in the mask (N)."""
        return replace(self, wanted=pack(index, mask))

    @property
    def identity(self) -> str:
        """What decides the files beside the records, in 16 hex digits: problems, tests and limits."""
        rows = [(task.benchmark, task.problem.id, task.problem.row) for task in self.tasks]
        decides = [rows, self.candidates, asdict(self.execution) | {"parallel": None}]
        return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def run(self, folder: Folder, shard: int) -> Counts:
        """Counts the records checked, their programs, runs, passes of tests that prove nothing, and leaking records,
        these by benchmark, too."""
        first, bits = self.wanted[shard]
        table = read_table(folder, shard_name(RECORDS, shard), ["id", "source", "instruction", "response"])
        chosen = places(bits, len(table))
        counts = {"checked": len(chosen), "programs": 0}
        rows: list[dict[str, Any]] = []
        with closing(CodeGrader("human-eval", with_plus=False, execution=self.execution)) as grader:
            trial = Trial(grader)
            for at, row in zip(chosen.tolist(), table.take(chosen).to_pylist(), strict=True):
                found = list(self._leaks_of(row, trial, counts))
                rows += [{"row": first + at, "id": row["id"], "source": row["source"], **leak} for leak in found]
        counts.update(runs=trial.runs, unproven=trial.unproven, leaks=len({row["row"] for row in rows}))
        leaking = Counter(benchmark for _, benchmark in {(row["row"], row["benchmark"]) for row in rows})
        counts.update((f"leaks.{benchmark}", leaking[benchmark]) for benchmark in sorted(leaking))
        write_rows(folder, shard_name(LEAKS_BY_EXECUTION, shard), rows, LEAKS_SCHEMA)
        return counts

    def _leaks_of(self, row: dict[str, Any], trial: "Trial", counts: Counts) -> Iterator[dict[str, Any]]:
        for place in ("response", "instruction"):
            program = program_in(row[place] or "")
            if program is None:
                continue
            counts["programs"] += 1
            for task in self.likely(program, row["instruction"], row["response"] or ""):
                passed = trial.passing(task, program)
                if passed is not None:
                    yield _leak(task, program, passed, place)
            return

    def likely(self, program: Program, instruction: str, response: str) -> list[Task]:
        """The tasks to try the program of a record on, the likeliest first."""
        names = {function.name.rpartition(".")[2] for function in program.functions}
        scores = self._likeness.of(instruction, response, program.source).tolist()
        fitting = [
            (task.entry_point in names, score, task)
            for task, score in zip(self.tasks, scores, strict=True)
            if score > 0 and any(map(task.fits, program.functions))
        ]
        fitting.sort(key=lambda one: one[:2], reverse=True)  # stable: of equals the first in its file
        return [task for _, _, task in fitting[: self.candidates]]

    @cached_property
    def _likeness(self) -> Likeness:
        """Made where it is needed first, and not sent to workers."""
        return Likeness([task.texts for task in self.tasks])


class Trial:
    """Programs under the tests of tasks; `runs` and `unproven` count."""

    def __init__(self, grader: CodeGrader) -> None:
        self._grader = grader
        self._is_proof: dict[tuple[str, str], bool] = {}
        self.runs = self.unproven = 0

    def passing(self, task: Task, program: Program) -> Function | None:
        """The function that passes all tests of the task, if these prove anything."""
        fitting = [function for function in program.functions if task.fits(function)]
        fitting.sort(key=lambda function: function.name != task.entry_point)
        for function in fitting[:MOST_FUNCTIONS]:
            if self._passes(task, as_entry_point(program, function, task.entry_point)):
                if self._proves(task):
                    return function
                self.unproven += 1
                return None
        return None

    def _proves(self, task: Task) -> bool:
        key = task.benchmark, task.problem.id
        if key not in self._is_proof:
            sources = (source.format(task.entry_point) for source in CONTENTLESS)
            self._is_proof[key] = not any(self._passes(task, source) for source in sources)
        return self._is_proof[key]

    def _passes(self, task: Task, source: str) -> bool:
        self.runs += 1
        return self._grader.grade(task.problem, source).passed


def make_finder(config: ContaminationConfig) -> FindPassing | None:
    """What `contamination.execution` asks for, about no record yet; None when it is false.

    Reads the problems and tries the sandbox, so that what is missing is known before the cluster starts: UserError.
    """
    if not config.execution:
        return None
    check_least({"contamination.candidates": (config.candidates, 1)})
    named = {name: path for name, path in sorted(config.benchmarks.items()) if name in CODE_BENCHMARKS}
    if not named:
        raise UserError(
            f"contamination.execution=true needs the file of {', '.join(CODE_BENCHMARKS)} in contamination.benchmarks; "
            f"got {', '.join(config.benchmarks) or 'none'}."
        )
    execution = replace(config.sandbox, seconds=config.sandbox.seconds or SECONDS)
    try:
        Sandbox(Limits(execution.memory_mb, execution.processes), unsafe=execution.unsafe).close()
    except UserError as error:
        raise UserError(str(error).replace("execution.unsafe", "contamination.sandbox.unsafe")) from error
    tasks = [task for name, path in named.items() for task in read_tasks(name, path)]
    return FindPassing(tuple(tasks), config.candidates, execution, {})


def as_entry_point(program: Program, function: Function, entry_point: str) -> str:
    """The program with the function under the name that the tests call."""
    if function.name == entry_point:
        return program.source
    return f"{program.source}\n\n{entry_point} = {function.name}\n"


def _leak(task: Task, program: Program, function: Function, place: str) -> dict[str, Any]:
    said = f"{function.name} passes the tests of {task.entry_point}: {_definition(program.source, function)}"
    return {
        "benchmark": task.benchmark,
        "item": task.problem.id,
        "kind": EXECUTION,
        "where": f"solution in {place}",
        "score": 1.0,
        "evidence": said[:MOST_EVIDENCE],
    }


def _definition(source: str, function: Function) -> str:
    name = function.name.rpartition(".")[2]
    at = max(source.rfind(f"def {name}"), source.rfind(f"{name} ="), 0)
    return source[at:]
