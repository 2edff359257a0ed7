"""The graders on whole benchmarks: gold answers, and pairs with the verdicts of the published graders."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.math import MATH_BENCHMARKS
from evolray.evaluate.math.helper import Helper
from evolray.evaluate.math.math_grader import MathGrader

DATA = Path(__file__).parents[3] / "../shared/data"
GSM8K_TEST = DATA / "gsm8k/gsm8k_test.jsonl"
MATH_SUBSET = DATA / "math/MATH_test_subset_499.jsonl"
PAIRS = DATA / "math/answer_equivalence_pairs.jsonl"
FREE_PASSES = ("a/b", r"\frac", r"\sqrt", r"5\text{ cm}\text{ x}")

pytestmark = pytest.mark.skipif(not GSM8K_TEST.exists(), reason="the released data is not at hand")


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    helper = Helper()
    yield helper
    helper.close()


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def passes(grader: MathGrader, prediction: str, reference: str) -> bool:
    return grader.grade(Problem("0", {"reference": reference}), prediction).passed


@pytest.mark.parametrize(("mode", "right"), [("strict", 1319), ("as_published", 1318)])
def test_gsm8k_gold(mode: str, right: int) -> None:
    benchmark = MATH_BENCHMARKS["gsm8k"]
    problems = benchmark.read(str(GSM8K_TEST))
    assert problems.release == "GSM8K test (1,319 problems)"
    grader = benchmark.grader(mode, ExecutionConfig())
    extract = benchmark.extractions["general"]
    wrong = [one for one in problems.all if not grader.grade(one, extract(one.row["answer"], one)).passed]
    assert len(problems.all) - len(wrong) == right
    assert [one.row["reference"] for one in wrong] == ["1,450,000"] * (1319 - right)


@pytest.mark.parametrize("extraction", ["published", "general"])
def test_gsm8k_gold_behind_the_published_marker(extraction: str) -> None:
    benchmark = MATH_BENCHMARKS["gsm8k"]
    grader = benchmark.grader("strict", ExecutionConfig())
    extract = benchmark.extractions[extraction]
    problems = benchmark.read(str(GSM8K_TEST)).all
    answers = [(one, one.row["answer"].replace("#### ", "The answer is: ")) for one in problems]
    assert sum(grader.grade(one, extract(answer, one)).passed for one, answer in answers) == 1319


def test_math_gold() -> None:
    benchmark = MATH_BENCHMARKS["math"]
    problems = benchmark.read(str(MATH_SUBSET))
    assert problems.release == "MATH test, stratified subset of 499 problems (DeepSeek-Coder)"
    assert (len(problems.all), len({one.id for one in problems.all})) == (499, 499)
    assert Counter(one.row["level"] for one in problems.all)["Level 5"] == 132
    extract = benchmark.extractions["general"]
    for mode in ("strict", "as_published", "hendrycks"):
        grader = benchmark.grader(mode, ExecutionConfig())
        assert sum(grader.grade(one, extract(one.row["output"], one)).passed for one in problems.all) == 499
        grader.close()


def test_math_gold_is_read_by_math_verify_itself(helper: Helper) -> None:
    """Not only because the texts are equal."""
    references = {one.row["reference"] for one in MATH_BENCHMARKS["math"].read(str(MATH_SUBSET)).all}
    assert [one for one in references if not helper.verified_equal(one, one)] == []


def test_published_graders_agree_on_all_pairs(pairs: list[dict[str, Any]], helper: Helper) -> None:
    as_published, hendrycks = MathGrader("as_published", helper), MathGrader("hendrycks", helper)
    disagreements = [
        pair
        for pair in pairs
        if passes(hendrycks, pair["prediction"], pair["reference"]) != pair["hendrycks_equal"]
        or passes(as_published, pair["prediction"], pair["reference"]) != pair["wizardmath_equal"]
    ]
    assert (len(pairs), disagreements) == (667, [])


def test_strict_verdicts_on_the_pairs(pairs: list[dict[str, Any]], helper: Helper) -> None:
    grader = MathGrader("strict", helper)
    found = Counter((pair["kind"], passes(grader, pair["prediction"], pair["reference"])) for pair in pairs)
    rejected = {kind: count for (kind, passed), count in found.items() if not passed}
    # Of the kind x100 one is 0 and 0; \frac1120 is 20, and not 11/20.
    assert rejected == {"x100": 21, "off-by-one": 32, "other-problem": 144, "short-frac": 3}
    assert found["x100", True] == 1


@pytest.mark.slow
@pytest.mark.parametrize("prediction", FREE_PASSES)
def test_strict_gives_no_free_passes(prediction: str, helper: Helper) -> None:
    grader, published = MathGrader("strict", helper), MathGrader("as_published", helper)
    references = {one.row["reference"] for one in MATH_BENCHMARKS["math"].read(str(MATH_SUBSET)).all}
    assert [one for one in references if passes(grader, prediction, one)] == []
    assert all(passes(published, prediction, one) for one in references)
