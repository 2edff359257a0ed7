"""Grades answers to GSM8K in either mode, without the helper process: numbers need no sympy."""

from collections.abc import Mapping
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.math.gsm8k_answers import Decision, right_as_published, strictly_right
from evolray.evaluate.math.published_equality import RELATIVE_TOLERANCE
from evolray.evaluate.math.shown import shown

_DECIDE = {"strict": strictly_right, "as_published": right_as_published}
_RULES: dict[str, dict[str, Any]] = {
    "strict": {"numbers": "exact rationals"},
    "as_published": {
        "numbers": "the first digits with one of . , / among them, rounded to an integer",
        "relative_tolerance": RELATIVE_TOLERANCE,
        "accepted": "the reference, a hundredth of it, a hundredfold of it",
    },
}


class Gsm8kGrader:
    def __init__(self, mode: str) -> None:
        if mode not in _RULES:
            raise UserError(f"grading={mode}: GSM8K has {', '.join(_RULES)}.")
        self._decide = _DECIDE[mode]
        self.rules: Mapping[str, Any] = {"grader": "GSM8K", "mode": mode, **_RULES[mode]}

    def grade(self, problem: Problem, extracted: str) -> Verdict:
        if not extracted.strip():
            return Verdict("no_answer", "no answer was found in the sample")
        decision: Decision = self._decide(extracted, problem.row["reference"])
        if not decision.found:
            return Verdict("no_answer", f"no number in {shown(extracted)}, expected {decision.expected}")
        reason = f" ({decision.reason})" if decision.reason else ""
        message = f"got {shown(decision.found)}, expected {decision.expected}{reason}"
        return Verdict("passed" if decision.equal else "wrong", message)

    def close(self) -> None:
        """Nothing is held."""
