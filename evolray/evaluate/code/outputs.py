"""Grading by outputs: evalplus's rule for the plus sets.

A program is called with the base inputs, then, in a new process, with the plus inputs; each output is compared with the
reference's as it comes, and the first that is not right decides. "plus" counts only where base passes too. Every call
gets a copy of its arguments, so that what a program does to them changes neither the next call nor the comparison.
Limits are of wall time, which a loaded machine stretches: what runs out of it is tried once more.
"""

import reprlib
from collections.abc import Sequence
from typing import Any

from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.code.assertions import program_of
from evolray.evaluate.code.oracles import SUMMARY, is_right
from evolray.evaluate.code.reference import LEAST_SECONDS, MOST_SECONDS, TIMES_REFERENCE, References
from evolray.evaluate.execution import Lost, Output, Outputs, Raised, Returned, Sandbox, TimedOut

MOST_SHOWN = 200
"""Characters of an input or output in a message."""


def rules(with_plus: bool, seconds: float | None) -> dict[str, Any]:
    per_call = f"max({LEAST_SECONDS:g}, {TIMES_REFERENCE:g} x reference)" if seconds is None else f"{seconds:g}"
    return {
        "grader": "evalplus: outputs against the reference's; prompt + completion",
        "tests": "base and plus, plus counts where base passes" if with_plus else "base",
        **SUMMARY,
        "seconds": f"{per_call} per call, max({MOST_SECONDS:g}, {TIMES_REFERENCE:g} x reference) in all, twice at most",
        "left out": "inputs whose expected output is too large to leave the sandbox",
    }


class OutputGrading:
    def __init__(self, sandbox: Sandbox, seconds: float | None) -> None:
        self._sandbox = sandbox
        self._references = References(sandbox, seconds)

    def grade(self, problem: Problem, completion: str, with_plus: bool) -> Verdict:
        base = self._grade_twice(problem, completion, "base_input")
        if not with_plus:
            return base
        verdict = base if not base.passed else self._grade_twice(problem, completion, "plus_input")
        return Verdict(verdict.outcome, verdict.message, base.outcome)

    def _grade_twice(self, problem: Problem, completion: str, part: str) -> Verdict:
        first = self._grade_part(problem, completion, part)
        return self._grade_part(problem, completion, part) if first.outcome == "timeout" else first

    def _grade_part(self, problem: Problem, completion: str, part: str) -> Verdict:
        expected = self._references.expected(problem, part)
        if not expected.inputs:
            return Verdict("passed")
        entry_point, atol = problem.row["entry_point"], problem.row["atol"]

        def is_wrong(number: int, output: Output) -> bool:
            return not isinstance(output, Returned) or not is_right(
                entry_point, expected.inputs[number], output.value, expected.outputs[number], atol
            )

        ran = self._sandbox.outputs(
            program_of(problem, completion),
            entry_point,
            expected.inputs,
            seconds_per_call=expected.seconds,
            total_seconds=expected.seconds_in_all,
            stop_at_failure=is_wrong,
        )
        if ran.defined.outcome != "passed":
            return Verdict(ran.defined.outcome, ran.defined.message)
        if ran.all and is_wrong(number := len(ran.all) - 1, ran.all[-1]):
            call = f"{part.removesuffix('_input')} input {number}: {entry_point}({_shown(expected.inputs[number])})"
            return _failure(call, ran.all[-1], expected.outputs[number])
        return _unless_cut(ran, len(expected.inputs), expected.seconds_in_all)


def _unless_cut(ran: Outputs, num_inputs: int, seconds: float) -> Verdict:
    if len(ran.all) < num_inputs:
        return Verdict("timeout", f"{len(ran.all):,} of {num_inputs:,} inputs in {seconds:.3g} s")
    return Verdict("passed")


def _failure(call: str, output: Output, expected: Any) -> Verdict:
    match output:
        case Returned(value=value):
            return Verdict("wrong", f"{call} gave {_shown([value])}, expected {_shown([expected])}")
        case Raised(kind=kind, message=message, outcome=outcome):
            return Verdict(outcome, f"{call} raised {kind}: {message[:MOST_SHOWN]}")
        case TimedOut(seconds=seconds):
            return Verdict("timeout", f"{call} was not finished within {seconds:.3g} s")
        case Lost(message=message, outcome=outcome):
            return Verdict(outcome, f"{call}: {message[:MOST_SHOWN]}")


_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxdict = 8
_short.maxstring = _short.maxother = _short.maxlong = 80


def _shown(values: Sequence[Any]) -> str:
    """Values with commas between them, as a person reads them."""
    try:
        text = ", ".join(map(_short.repr, values))
    except ValueError:  # an integer of more digits than Python writes
        text = ", ".join(f"<{type(one).__name__}>" for one in values)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
