from collections.abc import Iterator

import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.math import helper as helper_module
from evolray.evaluate.math.helper import Helper
from evolray.evaluate.math.math_grader import MathGrader, equal_as_published


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    helper = Helper(cpu_seconds=1)
    yield helper
    helper.close()


def grade(helper: Helper, mode: str, extracted: str, reference: str) -> Verdict:
    return MathGrader(mode, helper).grade(Problem("0", {"reference": reference}), extracted)


@pytest.mark.parametrize(
    ("extracted", "reference", "strict", "as_published", "hendrycks"),
    [
        (r"\frac12", r"\frac{1}{2}", "passed", "passed", "passed"),
        ("0.50", r"\frac{1}{2}", "passed", "passed", "wrong"),
        ("4000", "40", "wrong", "passed", "wrong"),
        (r"\frac1120", r"\frac{11}{20}", "wrong", "passed", "wrong"),
        ("a/b", "5", "wrong", "passed", "wrong"),
        (r"\frac", "5", "wrong", "passed", "wrong"),
        (r"\sqrt", "5", "wrong", "passed", "wrong"),
        (r"5\text{ cm}\text{ x}", "7", "wrong", "passed", "wrong"),
        ("(x+1)^2", "x^2+2x+1", "passed", "passed", "wrong"),
        (r"1\pm\sqrt2", r"1+\sqrt2,1-\sqrt2", "passed", "wrong", "wrong"),
        ("7", "8", "wrong", "wrong", "wrong"),
        ("  ", "8", "no_answer", "no_answer", "no_answer"),
    ],
)
def test_modes(helper: Helper, extracted: str, reference: str, strict: str, as_published: str, hendrycks: str) -> None:
    outcomes = [grade(helper, mode, extracted, reference).outcome for mode in ("strict", "as_published", "hendrycks")]
    assert outcomes == [strict, as_published, hendrycks]


def test_messages(helper: Helper) -> None:
    assert grade(helper, "strict", "7", "8").message == "got 7, expected 8"
    assert grade(helper, "as_published", "a/b", "8").message == (
        "got a/b, expected 8 (leniency: a slash between what are no integers, so it was compared with itself)"
    )
    assert len(grade(helper, "strict", "x " * 50_000, "8" * 900).message) < 600


def test_a_comparison_that_does_not_end_is_a_timeout_and_the_next_is_graded(helper: Helper) -> None:
    mode = "strict"
    verdict = grade(helper, mode, "9^{9^{9^9}}", "3")
    assert verdict == Verdict(
        "timeout", "got 9^{9^{9^9}}, expected 3: the comparison took more than 1 s of processor time"
    )
    assert grade(helper, mode, "x+1", "1+x").outcome == "passed"


def test_a_reference_that_cannot_be_normalised_passes_everything_as_published() -> None:
    assert equal_as_published("7", "x/y", lambda one, other: False)[0]


def test_rules_and_modes() -> None:
    rules = MathGrader("strict").rules
    assert (rules["grader"], rules["mode"], rules["decimals"]) == ("MATH", "strict", 6)
    assert rules["limits"] == {"cpu_seconds": 5.0, "memory_mb": 2048, "longest_formula": 10_000}
    assert set(rules["versions"]) == {"sympy", "math-verify", "latex2sympy2_extended", "antlr4-python3-runtime"}
    assert MathGrader("as_published").rules["symbolic_tolerance"] == 1e-3
    assert MathGrader("hendrycks").rules == {"grader": "MATH", "mode": "hendrycks", "normaliser": "Hendrycks"}
    with pytest.raises(UserError, match=r"grading=lenient: MATH has strict, as_published, hendrycks\."):
        MathGrader("lenient")


def test_close_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_module, "START_SECONDS", 60.0)
    helper = Helper()
    grader = MathGrader("strict", helper)
    assert grader.grade(Problem("0", {"reference": "1+x"}), "x+1").passed
    process = helper._process
    assert process is not None
    grader.close()
    assert process.returncode is not None
