"""Scores from verdicts: what counts, what is left out, how groups add up, and how all of it is told in a line."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.evaluate.benchmark import Benchmark, Form, Problem, Problems
from evolray.evaluate.graded import FAILED, SAMPLES, Graded
from evolray.evaluate.results import Results
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


def test_the_score_is_pass_at_1_in_the_words_that_all_benchmarks_share() -> None:
    tally = Tally(benchmark("level"), problems(4, level=["1", "1", "2", "2"]))
    tally.add([verdict(0, "passed"), verdict(1, "wrong"), verdict(2, "passed"), verdict(3, "passed")])
    entry = tally.entry([1])
    assert (entry["metric"], entry["unit"], entry["score"], entry["total"]) == ("pass@1", "%", 75.0, 4)
    assert {name: entry[name] for name in ("score", "low", "high")} == entry["pass@k"]["1"]
    group = entry["groups"]["level"]["1"]
    assert (group["score"], group["low"], group["high"], group["total"]) == (50.0, 9.45, 90.55, 2)


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


def test_a_column_that_the_entries_lack_makes_no_groups() -> None:
    tally = Tally(benchmark("level"), problems(2))
    assert "groups" not in tally.entry([1])
    some = Problems("Sums v1", "sums.jsonl", "0" * 64, [Problem("s0", {"level": "1"}), Problem("s1", {})])
    tally = Tally(benchmark("level", "type"), some)
    tally.add([verdict(0, "passed"), verdict(1, "wrong")])
    groups = tally.entry([1])["groups"]
    assert {name: one["passed"] for name, one in groups["level"].items()} == {"": 0, "1": 1}
    assert list(groups) == ["level"]


@pytest.mark.parametrize("ks", [[], [7]])
def test_pass_at_1_is_always_there(ks: list[int]) -> None:
    tally = Tally(benchmark(), problems(1))
    tally.add([verdict(0, "passed")])
    assert list(tally.entry(ks)["pass@k"]) == ["1"]


def results(folder: Path, scores: dict[str, Any], outcomes: tuple[str, ...] = ()) -> Results:
    (folder / "scores.json").write_text(json.dumps(scores))
    pq.write_table(pa.table({"outcome": outcomes}), folder / SAMPLES)
    return Results(str(folder))


def test_results_say_their_scores_whatever_they_measure(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        {
            "gsm8k": {"metric": "pass@1", "unit": "%", "score": 66.67},
            "mt_bench": {"metric": "mean score", "unit": "of 10", "score": 6.425},
            "wizard_eval": {"metric": "relative score", "unit": "%", "score": 101.4},
            "mbpp": {"pass@1": 50.0},
            "lm_eval:wikitext": {"metric": "word_perplexity", "unit": "", "score": 12.3},
            "vicuna_bench": {"metric": "win rate", "unit": "%", "score": None},
        },
    )
    assert repr(found) == (
        f"Results({found.folder.url}: gsm8k 66.67 % pass@1, mt_bench 6.42 of 10, wizard_eval 101.40 % relative score, "
        "mbpp 50.00 % pass@1, lm_eval:wikitext 12.30 word_perplexity, vicuna_bench no score)"
    )


def test_what_failed_is_what_somebody_should_look_at(tmp_path: Path) -> None:
    outcomes = ("passed", "wrong", "win", "tie", "loss", "scored", "no_verdict", "failed")
    found = results(tmp_path, {"gsm8k": {}}, outcomes)
    assert [row["outcome"] for row in found.samples(failed=True)] == ["wrong", "loss", "no_verdict", "failed"]
    assert len([*found.samples()]) == 8
