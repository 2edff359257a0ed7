"""`evaluate` and `grade` from end to end, on Ray, with a model of rules: nothing is asked, or graded, twice."""

import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.errors import UserError
from tests.evaluate import answering

SUMS = [(1, 2), (3, 4), (7, 8), (0, 5), (2, 2), (6, 1)]
"""`answering.adds` is right on four of them, wrong on 7 + 8, and has no answer with a zero."""

Evaluate = Callable[..., evolray.Results]


def sum_problem(first: int, second: int) -> dict[str, str]:
    return {"question": f"What is {first} + {second}?", "answer": f"Add them.\n#### {first + second}"}


def write_lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def sums(tmp_path: Path) -> str:
    return write_lines(tmp_path / "sums.jsonl", [sum_problem(*one) for one in SUMS])


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[], list[str]]:
    """What the model was asked since the last look."""
    notes = tmp_path / "notes"

    def look() -> list[str]:
        lines = sorted(notes.read_text().splitlines()) if notes.exists() else []
        notes.unlink(missing_ok=True)
        return lines

    return look


@pytest.fixture
def evaluate(tmp_path: Path, sums: str, asked: Any, local_ray: None) -> Evaluate:
    def run(model: Any = answering.adds, **settings: Any) -> evolray.Results:
        values = {
            "run": str(tmp_path / "run"), "benchmarks": ["gsm8k"], "problems": {"gsm8k": sums}, "prompt": "plain",
            "engine.shard_size": 2, "execution.parallel": 1,
        }  # fmt: skip
        values |= {key.replace("__", "."): value for key, value in settings.items()}
        return evolray.evaluate(values, script=partial(model, tmp_path / "notes") if model else None)

    return run


def manifest(tmp_path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((tmp_path / "run" / "manifest.json").read_text())
    return loaded


def outcomes(results: evolray.Results) -> dict[str, str]:
    return {row["problem"]: row["outcome"] for row in results.samples()}


# --- evaluate ---


def test_scores_samples_and_manifest(evaluate: Evaluate, tmp_path: Path, asked: Any) -> None:
    results = evaluate()
    entry = results.scores["gsm8k"]
    assert (entry["passed"], entry["total"], entry["pass@1"]) == (4, 6, 66.67)
    assert entry["outcomes"] == {"no_answer": 1, "passed": 4, "wrong": 1}
    assert outcomes(results) == {
        "0": "passed", "1": "passed", "2": "wrong", "3": "no_answer", "4": "passed", "5": "passed",
    }  # fmt: skip
    assert asked() == [f"gsm8k/{number} 0" for number in range(6)]
    rows = list(results.samples(failed=True))
    assert [(row["problem"], row["extracted"]) for row in rows] == [("2", "16"), ("3", "")]
    assert "16" in rows[0]["message"] and "15" in rows[0]["message"]
    assert rows[0]["prompt"].startswith("Question: What is 7 + 8?")
    assert (entry["prompt"], entry["model"], entry["rules"]["extraction"]) == ("plain", "scripted", "general")
    assert entry["sampling"]["temperature"] == 0.0 and entry["data"]["sha256"] in json.dumps(entry)
    state = manifest(tmp_path)
    assert (state["status"], state["questions"], state["sampled"], state["graded"]) == ("complete", 6, 6, 6)
    assert repr(results).endswith("gsm8k 66.67 % pass@1)")


def test_a_rerun_asks_and_grades_nothing(evaluate: Evaluate, tmp_path: Path, asked: Any) -> None:
    first = evaluate()
    graded = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "graded").rglob("*.parquet")}
    asked()
    assert evaluate().scores == first.scores
    assert asked() == []
    assert graded == {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "graded").rglob("*.parquet")}


def test_other_rules_grade_the_same_samples_anew(evaluate: Evaluate, tmp_path: Path, asked: Any) -> None:
    strict = evaluate()
    asked()
    published = evaluate(grading="as_published", extraction="published")
    assert asked() == []
    assert published.scores["gsm8k"]["rules"] != strict.scores["gsm8k"]["rules"]
    assert len(list((tmp_path / "run" / "graded").iterdir())) == 2


def test_what_is_missing_is_made_again_and_nothing_else(evaluate: Evaluate, tmp_path: Path, asked: Any) -> None:
    first = evaluate()
    asked()
    for folder in ("sampled", "ledger"):
        for path in (tmp_path / "run" / folder).rglob("*00001*"):
            for file in path.iterdir() if path.is_dir() else [path]:
                file.unlink()
    (next((tmp_path / "run" / "graded").iterdir()) / "00002.parquet").unlink()
    assert evaluate().scores == first.scores
    assert asked() == ["gsm8k/2 0", "gsm8k/3 0"]


def test_a_question_without_an_answer_counts_against_and_is_asked_again_on_request(
    evaluate: Evaluate, tmp_path: Path, asked: Any
) -> None:
    (tmp_path / "ill").touch()
    ill = evaluate(answering.adds_when_well)
    entry = ill.scores["gsm8k"]
    assert (entry["passed"], entry["total"], entry["failed"]) == (3, 6, 1)
    assert [row["message"] for row in ill.samples() if row["outcome"] == "failed"] == ["server_error: HTTP 500 ill"]
    assert manifest(tmp_path)["failed"] == 1
    (tmp_path / "ill").unlink()
    asked()
    assert evaluate(answering.adds_when_well).scores == ill.scores and asked() == []
    well = evaluate(answering.adds_when_well, retry_failed=True)
    assert asked() == ["gsm8k/1 0"]
    assert (well.scores["gsm8k"]["passed"], well.scores["gsm8k"]["failed"]) == (4, 0)


def test_several_samples_of_a_benchmark_of_programs(evaluate: Evaluate, tmp_path: Path) -> None:
    prompt = 'def add(a, b):\n    """The sum."""\n'
    row = {
        "task_id": "HumanEval/0", "prompt": prompt, "entry_point": "add", "canonical_solution": "    return a + b\n",
        "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    }  # fmt: skip
    results = evaluate(
        benchmarks=["humaneval"], problems={"humaneval": write_lines(tmp_path / "he.jsonl", [row])},
        prompt="instruct", model=answering.programs, sampling__n=2,
        sampling__temperature=0.5, k=[1, 2, 3],
    )  # fmt: skip
    entry = results.scores["humaneval"]
    assert (entry["passed"], entry["total"]) == (1, 2)
    assert {k: at["score"] for k, at in entry["pass@k"].items()} == {"1": 50.0, "2": 100.0}
    assert [(row["sample"], row["outcome"]) for row in results.samples()] == [(0, "passed"), (1, "wrong")]


def test_another_question_needs_another_run(evaluate: Evaluate, tmp_path: Path) -> None:
    evaluate()
    with pytest.raises(UserError, match=r"was made with .*n=1 and would now go on with .*n=2"):
        evaluate(sampling__n=2, sampling__temperature=0.2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"benchmarks": []}, "benchmarks is empty; expected some of humaneval, humaneval_plus, mbpp"),
        ({"benchmarks": ["gsm9k"]}, "benchmark 'gsm9k' is not known; expected humaneval"),
        ({"benchmarks": ["gsm8k", "GSM8K"]}, "benchmarks names gsm8k twice"),
        ({"benchmarks": ["math"]}, "problems.math is missing: where are the problems of MATH?"),
        ({"problems": {"gsm8k": "nowhere.jsonl"}}, "nowhere.jsonl: no such file"),
        ({"prompt": "publsihed"}, "prompt=publsihed: GSM8K has published, instruct, plain, bare, and auto"),
        ({"extraction": "regex"}, "extraction=regex: GSM8K has published, general, none"),
        ({"limit": 0}, "limit=0: expected 1 or more"),
        ({"k": [0]}, "k=0: expected 1 or more"),
        ({"execution__processes": 0}, "execution.processes=0: expected 1 or more"),
        ({"sampling__n": 3}, "sampling.n=3 at temperature 0 asks for the same sample 3 times"),
        ({"sampling__top_p": 0}, "sampling.top_p=0.0: expected a share above 0"),
        ({"sampling__temperature": -1}, "sampling.temperature=-1.0: expected 0 or more"),
        ({"endpoint__model": "a", "endpoint__base_url": "htp:/b"}, "expected a URL such as http://localhost:8000/v1"),
        ({}, "no model is named; set model= to a checkpoint"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    evaluate: Evaluate, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    model = None if not settings or "endpoint__model" in settings else answering.adds
    with pytest.raises(UserError) as caught:
        evaluate(model, **settings)
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_limit_takes_the_first_and_says_so(evaluate: Evaluate) -> None:
    entry = evaluate(limit=2).scores["gsm8k"]
    assert (entry["total"], entry["release"].endswith("the first 2")) == (2, True)


# --- grade ---


def test_grade_counts_missing_problems_and_keeps_bad_lines(
    sums: str, tmp_path: Path, local_ray: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    rows = [{"idx": 0, "output": "It is 3."}, {"idx": 1, "output": "8"}, {"idx": 77, "output": "1"}]
    samples = write_lines(tmp_path / "samples.jsonl", rows)
    results = evolray.grade("GSM8K", samples=samples, problems=sums, run=str(tmp_path / "run"))
    entry = results.scores["gsm8k"]
    assert (entry["passed"], entry["total"], entry["samples"], entry["missing"]) == (1, 6, 2, 4)
    assert outcomes(results) == {"0": "passed", "1": "wrong"}
    rejected = [json.loads(line) for line in (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()]
    assert rejected == [{"file": "samples", "line": 3, "reason": "no problem 77"}]
    assert manifest(tmp_path)["rejected"] == 1
    assert "GSM8K: 4 problems have no sample; they count as not passed" in caplog.text
    assert "1 lines of the samples cannot be used; line 3: no problem 77" in caplog.text


def test_grade_refuses_other_samples_in_the_same_run(sums: str, tmp_path: Path, local_ray: None) -> None:
    for text in ("3", "4"):
        samples = write_lines(tmp_path / f"{text}.jsonl", [{"idx": 0, "output": text}])
        arguments = {"samples": samples, "problems": sums, "run": str(tmp_path / "run")}
        if text == "3":
            evolray.grade("gsm8k", **arguments)
        else:
            with pytest.raises(UserError, match="was made with samples="):
                evolray.grade("gsm8k", **arguments)
