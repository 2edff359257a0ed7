"""Scores from verdicts: what counts, what is left out, and how groups add up."""

from typing import Any

import pytest

from evolray.evaluate.benchmark import Benchmark, Form, Problem, Problems
from evolray.evaluate.graded import FAILED, Graded
from evolray.evaluate.scores import Tally


def benchmark(*groups: str) -> Benchmark:
    def unused(*_: Any) -> Any:
        raise AssertionError("scores need problems and verdicts alone")

    forms = {"plain": Form("plain", "{problem}", is_chat=False)}
    return Benchmark("sums", "Sums", unused, forms, unused, {}, unused, max_tokens=8, groups=groups)


def problems(number: int, **columns: list[str]) -> Problems:
    rows = [{name: values[i] for name, values in columns.items()} for i in range(number)]
    return Problems("Sums v1", "sums.jsonl", "0" * 64, [Problem(f"s{i}", row) for i, row in enumerate(rows)])


def verdict(problem: int, outcome: str, sample: int = 0, base: str = "") -> Graded:
    return Graded(f"sums/s{problem}", sample, "x", outcome, base, "")


def test_one_sample_each() -> None:
    tally = Tally(benchmark(), problems(4))
    tally.add([verdict(0, "passed"), verdict(1, "wrong")])
    tally.add([verdict(2, "passed"), verdict(3, "timeout")])
    entry = tally.entry([1])
    assert (entry["passed"], entry["total"], entry["pass@1"]) == (2, 4, 50.0)
    assert entry["outcomes"] == {"passed": 2, "timeout": 1, "wrong": 1}
    assert (entry["problems"], entry["samples"], entry["missing"], entry["failed"]) == (4, 4, 0, 0)
    assert (entry["title"], entry["release"]) == ("Sums", "Sums v1")
    assert "base" not in entry and "groups" not in entry
    assert entry["pass@k"]["1"] == {"score": 50.0, "low": 15.0, "high": 85.0}


def test_several_samples_each_give_every_k_that_there_are_samples_for() -> None:
    tally = Tally(benchmark(), problems(2))
    tally.add(verdict(0, "passed" if sample < 2 else "wrong", sample) for sample in range(4))
    tally.add(verdict(1, "wrong", sample) for sample in range(4))
    entry = tally.entry([2, 4, 5])
    assert (entry["passed"], entry["total"], entry["pass@1"]) == (2, 8, 25.0)
    assert {k: at["score"] for k, at in entry["pass@k"].items()} == {"1": 25.0, "2": 41.67, "4": 50.0}


def test_a_missing_sample_and_a_failed_question_never_raise_the_score() -> None:
    tally = Tally(benchmark(), problems(4))
    tally.add([verdict(0, "passed"), verdict(1, FAILED)])
    entry = tally.entry([1])
    assert (entry["passed"], entry["total"], entry["pass@1"]) == (1, 4, 25.0)
    assert (entry["samples"], entry["missing"], entry["failed"]) == (2, 2, 1)


def test_no_sample_at_all_is_a_score_of_nothing() -> None:
    entry = Tally(benchmark(), problems(3)).entry([1])
    assert (entry["passed"], entry["total"], entry["pass@1"], entry["missing"]) == (0, 3, 0.0, 3)


def test_the_plus_sets_have_a_score_on_the_base_tests_beside_it() -> None:
    tally = Tally(benchmark(), problems(3))
    tally.add(
        [verdict(0, "passed", base="passed"), verdict(1, "wrong", base="passed"), verdict(2, "error", base="error")]
    )
    entry = tally.entry([1])
    assert (entry["passed"], entry["base"]["passed"], entry["base"]["total"]) == (1, 2, 3)
    assert (entry["pass@1"], entry["base"]["pass@1"]) == (33.33, 66.67)


def test_groups_add_up_to_the_whole() -> None:
    levels = ["1", "1", "2", "2", "2"]
    tally = Tally(benchmark("level", "type"), problems(5, level=levels, type=["a"] * 5))
    tally.add(verdict(number, "passed" if number in (0, 2, 3) else "wrong") for number in range(5))
    groups = tally.entry([1, 5])["groups"]
    assert {name: (one["passed"], one["total"]) for name, one in groups["level"].items()} == {"1": (1, 2), "2": (2, 3)}
    assert {name: one["pass@1"] for name, one in groups["type"].items()} == {"a": 60.0}


@pytest.mark.parametrize("ks", [[], [7]])
def test_pass_at_1_is_always_there(ks: list[int]) -> None:
    tally = Tally(benchmark(), problems(1))
    tally.add([verdict(0, "passed")])
    assert list(tally.entry(ks)["pass@k"]) == ["1"]
