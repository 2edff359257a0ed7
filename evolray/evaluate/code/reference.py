"""What the reference solutions of the plus sets give, computed once per problem when it is first graded.

The reference runs in the sandbox like any other program, and its time for each input makes the limit for that input:
at least 1 s, and 4 times the reference's time (evalplus's defaults), all inputs together at most 60 s or 4 times the
reference's time for all.

An output of more parts than may leave the sandbox cannot be compared: its input is left out and counted. In MBPP+
v0.1.0 this concerns inputs of Mbpp/255, whose outputs hold millions of tuples.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.inputs import inputs_of
from evolray.evaluate.execution import Outputs, Raised, Returned, Sandbox

LEAST_SECONDS, TIMES_REFERENCE, MOST_SECONDS = 1.0, 4.0, 60.0
REFERENCE_SECONDS, REFERENCE_SECONDS_IN_ALL = 60.0, 600.0
MOST_PROBLEMS = 16
"""Whose outputs are kept, for they are large; samples of one problem come one after the other."""
TOO_LARGE = "TooMuch"
"""The exception in place of an output that is too large to leave the sandbox."""


@dataclass(frozen=True)
class Expected:
    """Inputs, what they give, and the seconds that a program has for each and for all of them."""

    inputs: Sequence[Sequence[Any]]
    outputs: Sequence[Any]
    seconds: Sequence[float]
    seconds_in_all: float


class References:
    """`seconds`: per call, in place of evalplus's limits."""

    def __init__(self, sandbox: Sandbox, seconds: float | None = None) -> None:
        self._sandbox, self._seconds = sandbox, seconds
        self._kept: OrderedDict[tuple[str, str], Expected] = OrderedDict()

    def expected(self, problem: Problem, part: str) -> Expected:
        """Of "base_input" or "plus_input". Raises UserError when the reference fails."""
        key = (problem.id, part)
        if key not in self._kept:
            self._kept[key] = self._compute(problem, part)
            while len(self._kept) > 2 * MOST_PROBLEMS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _compute(self, problem: Problem, part: str) -> Expected:
        inputs = inputs_of(problem, part)
        if not inputs:
            return Expected((), (), (), 0.0)
        ran = self._sandbox.outputs(
            problem.row["prompt"] + problem.row["canonical_solution"],
            problem.row["entry_point"],
            inputs,
            seconds_per_call=[REFERENCE_SECONDS] * len(inputs),
            total_seconds=REFERENCE_SECONDS_IN_ALL,
        )
        _refuse_failures(problem, part, ran, len(inputs))
        usable = [(one, output) for one, output in zip(inputs, ran.all, strict=True) if isinstance(output, Returned)]
        taken = [output.seconds for _, output in usable]
        limits = [self._seconds or max(LEAST_SECONDS, TIMES_REFERENCE * seconds) for seconds in taken]
        in_all = min(sum(limits), max(MOST_SECONDS, TIMES_REFERENCE * sum(taken))) + 1
        return Expected([one for one, _ in usable], [output.value for _, output in usable], limits, in_all)


def _refuse_failures(problem: Problem, part: str, ran: Outputs, num_inputs: int) -> None:
    failed = next((one for one in ran.all if not isinstance(one, Returned) and not _is_too_large(one)), None)
    if ran.defined.outcome == "passed" and failed is None and len(ran.all) == num_inputs:
        return
    if ran.defined.outcome != "passed":
        reason = ran.defined.message
    else:
        reason = str(failed or f"{len(ran.all):,} of {num_inputs:,} inputs in {REFERENCE_SECONDS_IN_ALL:g} s")
    hint = "Is the file whole, and are execution.memory_mb and execution.processes large enough?"
    raise UserError(f"{problem.id}: its own reference solution fails on {part}: {reason[:300]}. {hint}")


def _is_too_large(output: object) -> bool:
    return isinstance(output, Raised) and output.kind == TOO_LARGE
