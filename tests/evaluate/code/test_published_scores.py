"""Released samples get the scores that were published for them, and reference solutions pass."""

import gzip
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.code import CODE_BENCHMARKS

DATA = Path(__file__).parents[3] / "../shared/data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="needs the shared data"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap"),
]
FILES = {
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "humaneval_plus": "humaneval/HumanEvalPlus-v0.1.9.jsonl.gz",
    "mbpp": "mbpp/mbpp_full_974.jsonl.gz",
    "mbpp_plus": "mbpp/MbppPlus-v0.1.0.jsonl.gz",
}
RELEASES = {
    "humaneval": "HumanEval",
    "humaneval_plus": "HumanEval+ v0.1.9",
    "mbpp": "MBPP test set (11-510)",
    "mbpp_plus": "MBPP+ v0.1.0",
}
WORKERS = 2


def lines(name: str) -> dict[str, dict[str, Any]]:
    path = DATA / "generations" / name
    text = gzip.open(path, "rt").read() if path.suffix == ".gz" else path.read_text()
    return {row["task_id"]: row for row in map(json.loads, text.splitlines())}


def graded(name: str, completion: Callable[[Problem], str], file: str = "") -> dict[str, Verdict]:
    """The verdict of each problem, from two graders side by side."""
    benchmark = CODE_BENCHMARKS[name]
    problems = benchmark.read(str(DATA / (file or FILES[name])))
    assert file or problems.release == RELEASES[name]

    def grade_some(worker: int) -> dict[str, Verdict]:
        grader = benchmark.grader("strict", ExecutionConfig())
        try:
            return {one.id: grader.grade(one, completion(one)) for one in problems.all[worker::WORKERS]}
        finally:
            grader.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return {id: one for some in pool.map(grade_some, range(WORKERS)) for id, one in some.items()}


def passed(verdicts: dict[str, Verdict]) -> set[str]:
    return {id for id, one in verdicts.items() if one.passed}


def base_passed(verdicts: dict[str, Verdict]) -> set[str]:
    return {id for id, one in verdicts.items() if one.base == "passed"}


@pytest.mark.parametrize("extraction", ["published", "general"])
def test_wizardcoder_on_humaneval_agrees_with_all_164_verdicts_of_its_authors(extraction: str) -> None:
    rows, extract = lines("wizardcoder15b_humaneval_greedy_59.8.jsonl.gz"), CODE_BENCHMARKS["humaneval"].extractions
    verdicts = graded("humaneval", lambda one: extract[extraction](rows[one.id]["all_code"], one))
    assert passed(verdicts) == {id for id, row in rows.items() if row["passed"]}
    assert len(passed(verdicts)) == 98


def test_wizardcoder_on_humaneval_plus() -> None:
    rows = lines("wizardcoder15b_humaneval_greedy_59.8.jsonl.gz")
    verdicts = graded("humaneval_plus", lambda one: str(rows[one.id]["completion"]))
    assert (len(base_passed(verdicts)), len(passed(verdicts))) == (98, 88)


def test_qwen_on_humaneval_plus_agrees_with_all_verdicts() -> None:
    rows, published = lines("qwen2.5coder1.5b_base_humaneval.jsonl"), lines(
        "qwen2.5coder1.5b_base_humaneval_verdicts.jsonl"
    )  # fmt: skip
    verdicts = graded("humaneval_plus", lambda one: str(rows[one.id]["completion"]))
    assert base_passed(verdicts) == {id for id, row in published.items() if row["base"] == "pass"}
    assert passed(verdicts) == {id for id, row in published.items() if row["base"] == row["plus"] == "pass"}
    assert (len(base_passed(verdicts)), len(passed(verdicts))) == (72, 60)
    assert passed(graded("humaneval", lambda one: str(rows[one.id]["completion"]))) == base_passed(verdicts)


def test_qwen_on_mbpp_plus() -> None:
    rows, published = lines("qwen2.5coder1.5b_base_mbpp.jsonl"), lines("qwen2.5coder1.5b_base_mbpp_verdicts.jsonl")
    verdicts = graded("mbpp_plus", lambda one: str(rows[one.id]["completion"]))
    assert base_passed(verdicts) == {id for id, row in published.items() if row["base"] == "pass"}
    assert len(base_passed(verdicts)) == 276
    differing = passed(verdicts) ^ {id for id, row in published.items() if row["base"] == row["plus"] == "pass"}
    # 579 compares a tuple made from a set, whose order the authors' run had otherwise; 599 is a matter of time.
    assert differing <= {"Mbpp/579", "Mbpp/599"} and len(passed(verdicts)) in (234, 235)


@pytest.mark.parametrize(
    ("name", "number"), [("humaneval", 164), ("humaneval_plus", 164), ("mbpp", 500), ("mbpp_plus", 399)]
)
def test_reference_solutions_pass(name: str, number: int) -> None:
    verdicts = graded(name, lambda one: str(one.row.get("canonical_solution", one.row.get("code"))))
    assert {id: one for id, one in verdicts.items() if not one.passed} == {}
    assert len(verdicts) == number
