r"""Grades answers to MATH in three modes.

strict          equal in value, by `strict_answers`
as_published    WizardMath's evaluation: normalised (`hendrycks`), then equal as texts or by `published_equality`;
                where its normaliser raises, it compares the prediction with itself, so that "x/y", "\frac" and
                "\sqrt" pass against any reference
hendrycks       the data set's own: normalised, then letter for letter
"""

from collections.abc import Mapping
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.math import strict_answers
from evolray.evaluate.math.helper import Helper, Undecided
from evolray.evaluate.math.hendrycks import WIZARDMATH_RULES, CannotNormalise, hendrycks_equal, normalised
from evolray.evaluate.math.installed import versions
from evolray.evaluate.math.published_equality import RELATIVE_TOLERANCE, SymbolicTest, published_math_equal
from evolray.evaluate.math.shown import shown

_SYMBOLIC_TOLERANCE = 1e-3
_RULES: dict[str, dict[str, Any]] = {
    "strict": {"numbers": "exact rationals", "formulas": "math-verify", "decimals": strict_answers.DECIMALS},
    "as_published": {
        "normaliser": "Hendrycks, as WizardMath has it",
        "relative_tolerance": RELATIVE_TOLERANCE,
        "accepted": "the reference, a hundredth of it, a hundredfold of it",
        "formulas": "sympy",
        "symbolic_tolerance": _SYMBOLIC_TOLERANCE,
        "not normalisable": "passes",
    },
    "hendrycks": {"normaliser": "Hendrycks"},
}


def equal_as_published(prediction: str, reference: str, symbolic: SymbolicTest) -> tuple[bool, str]:
    """The verdict, and the leniency it rests on, if it does."""
    try:
        found, expected = normalised(prediction, WIZARDMATH_RULES), normalised(reference, WIZARDMATH_RULES)
    except CannotNormalise as error:
        passes = published_math_equal(prediction, prediction, symbolic) or prediction == reference
        return passes, f"leniency: {error}, so it was compared with itself"
    return found == expected or published_math_equal(found, expected, symbolic), ""


class MathGrader:
    def __init__(self, mode: str, helper: Helper | None = None) -> None:
        if mode not in _RULES:
            raise UserError(f"grading={mode}: MATH has {', '.join(_RULES)}.")
        self._mode = mode
        self._helper = helper or Helper()
        self.rules: Mapping[str, Any] = {"grader": "MATH", "mode": mode, **_RULES[mode]}
        if mode != "hendrycks":
            self.rules = {**self.rules, "limits": self._helper.limits, "versions": versions()}

    def grade(self, problem: Problem, extracted: str) -> Verdict:
        if not extracted.strip():
            return Verdict("no_answer", "no answer was found in the sample")
        reference = problem.row["reference"]
        message = f"got {shown(extracted)}, expected {shown(reference)}"
        try:
            equal, reason = self._compare(extracted, reference)
        except Undecided as error:
            return Verdict(error.outcome, f"{message}: {shown(str(error))}")
        return Verdict("passed" if equal else "wrong", f"{message} ({reason})" if reason else message)

    def close(self) -> None:
        self._helper.close()

    def _compare(self, extracted: str, reference: str) -> tuple[bool, str]:
        if self._mode == "as_published":
            return equal_as_published(extracted, reference, self._helper.published_equal)
        if self._mode == "hendrycks":
            return hendrycks_equal(extracted, reference), ""
        return strict_answers.strictly_equal(extracted, reference, self._helper.verified_equal), ""
