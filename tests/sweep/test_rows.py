"""What a row says of a cell, and which checkpoint is the best."""

from dataclasses import replace

import pytest

from evolray.sweep.records import Record
from evolray.sweep.rows import find_best, make_row, mean
from tests.sweep.places import judged, row


def test_a_row_holds_what_the_evaluation_found() -> None:
    record = Record("tiny", "/runs/tiny:100", 100, "gsm8k", {"sampling.n": 20}, "complete")
    scores = {
        "title": "GSM8K", "passed": 300, "total": 4000, "pass@1": 7.5, "missing": 1, "failed": 2,
        "pass@k": {"1": {"score": 7.5, "low": 5.0, "high": 10.0}, "10": {"score": 30.0, "low": 25.0, "high": 35.0}},
    }  # fmt: skip
    found = make_row("cells/tiny-step-00000100/gsm8k", record, scores)
    assert (found.checkpoint, found.step, found.benchmark, found.title) == ("tiny", 100, "gsm8k", "GSM8K")
    assert (found.score, found.low, found.high) == (7.5, 5.0, 10.0)
    assert (found.passed, found.total, found.unanswered) == (300, 4000, 3)
    assert found.scores["10"]["high"] == 35.0
    assert found.settings_text == "n 20"


def test_older_runs_have_pass_at_1_alone() -> None:
    record = Record("tiny", None, 100, "gsm8k", {}, "complete")
    interval = {"score": 7.5, "low": 5.0, "high": 10.0}
    older = make_row("cells/x", record, {"pass@1": 7.5, "pass@k": {"1": interval}})
    newer = {"metric": "pass@1", "unit": "%", **interval, "pass@1": 7.5, "pass@k": {"1": interval}}
    assert older == make_row("cells/x", record, newer)
    assert (older.score, older.low, older.high, older.metric, older.unit) == (7.5, 5.0, 10.0, "pass@1", "%")


def test_a_row_holds_what_a_judge_found() -> None:
    record = Record("tiny", "/runs/tiny:100", 100, "mt_bench", {}, "complete")
    entry = {
        "title": "MT-Bench", "metric": "mean score", "unit": "of 10", "score": 6.43, "low": None, "high": None,
        "total": 160, "judge": "gpt-4", "protocol": "single", "no_verdict": 3, "missing": 0, "failed": 2,
        "unanswered": 1, "unjudged": 1,
    }  # fmt: skip
    found = make_row("cells/tiny-step-00000100/mt_bench", record, entry)
    assert (found.score_text, found.low, found.high, found.total) == ("6.43 of 10", None, None, 160)
    assert (found.metric, found.judge, found.protocol) == ("mean score", "gpt-4", "single")
    assert (found.passed, found.scores, found.unanswered, found.no_verdict) == (None, {}, 1, 4)


def test_scores_of_ten_count_times_ten_in_a_mean() -> None:
    rows = [row("tiny", 100, "gsm8k", 40.0), judged("tiny", 100, "mt_bench", 6.0, "mean score")]
    best = find_best(rows)
    assert (best.mean, best.mixes_units) == (50.0, True)
    assert best.as_dict()["benchmarks"]["mt_bench"] == {
        "checkpoint": "tiny", "step": 100, "model": None, "settings": {}, "score": 6.0, "metric": "mean score",
        "unit": "of 10",
    }  # fmt: skip
    assert not find_best(rows[:1]).mixes_units


@pytest.mark.parametrize("differing", [{"metric": "win rate"}, {"judge": "another"}, {"protocol": "pairwise"}])
def test_what_was_measured_in_two_ways_has_no_best(differing: dict[str, str]) -> None:
    one = judged("tiny", 100, "wizard_eval", 90.0, "relative score", settings={"way": 1})
    other = replace(one, settings={"way": 2}, **differing)  # type: ignore[arg-type]
    both = find_best([one, other, row("tiny", 100, "gsm8k", 50.0)])
    assert ([*both.benchmarks], both.overall) == (["gsm8k"], ())


def test_what_is_no_score_out_of_so_many_has_no_best() -> None:
    perplexity = replace(row("tiny", 100, "lm_eval:wikitext", 12.3), metric="word_perplexity", unit="")
    assert perplexity.score_text == "12.30"
    best = find_best([perplexity, row("tiny", 100, "gsm8k", 50.0)])
    assert ([*best.benchmarks], best.overall) == (["gsm8k"], ())


def test_a_cell_without_scores_is_a_row_too() -> None:
    record = Record("tiny", "/runs/tiny:100", 100, "gsm8k", {}, "failed", "its job ended with exit code 1")
    found = make_row("cells/tiny-step-00000100/gsm8k", record, None)
    assert (found.status, found.score, found.passed, found.title) == ("failed", None, None, "gsm8k")
    assert found.message == "its job ended with exit code 1"


def test_the_best_of_each_benchmark_and_of_all() -> None:
    rows = [
        row("tiny", 100, "gsm8k", 50.0), row("tiny", 100, "mbpp", 10.0),
        row("tiny", 200, "gsm8k", 40.0), row("tiny", 200, "mbpp", 40.0),
        row("tiny", 300, "gsm8k", 30.0), row("tiny", 300, "mbpp", 45.0),
    ]  # fmt: skip
    best = find_best(rows)
    assert {name: found.step for name, found in best.benchmarks.items()} == {"gsm8k": 100, "mbpp": 300}
    assert [found.step for found in best.overall] == [200, 200]
    assert best.mean == 40.0
    assert best.as_dict()["overall"] == {"checkpoint": "tiny", "step": 200, "model": None, "settings": {}, "mean": 40.0}
    assert best.as_dict()["benchmarks"]["mbpp"]["pass@1"] == 45.0


def test_a_checkpoint_without_all_benchmarks_is_not_the_best_of_all() -> None:
    rows = [
        row("tiny", 100, "gsm8k", 10.0), row("tiny", 100, "mbpp", 10.0),
        row("tiny", 200, "gsm8k", 90.0), row("tiny", 200, "mbpp", None),
    ]  # fmt: skip
    best = find_best(rows)
    assert best.benchmarks["gsm8k"].step == 200
    assert [found.step for found in best.overall] == [100, 100]


def test_a_benchmark_that_nobody_finished_leaves_no_best_of_all() -> None:
    best = find_best([row("tiny", 100, "gsm8k", 10.0), row("tiny", 100, "mbpp", None)])
    assert ([*best.benchmarks], best.overall, best.mean) == (["gsm8k"], (), None)
    assert best.as_dict()["overall"] is None


def test_of_equals_the_earlier_step_is_the_best() -> None:
    rows = [row("b", 300, "gsm8k", 50.0), row("a", 200, "gsm8k", 50.0), row("a", None, "gsm8k", 50.0)]
    best = find_best(rows)
    assert (best.benchmarks["gsm8k"].step, best.overall[0].step) == (200, 200)


def test_settings_are_compared_as_they_are() -> None:
    """A checkpoint is never praised for one benchmark's best setting and another benchmark's other one."""
    cold, warm = {"sampling.temperature": 0.0}, {"sampling.temperature": 0.8}
    rows = [
        row("tiny", 100, "gsm8k", 60.0, settings=cold), row("tiny", 100, "mbpp", 10.0, settings=cold),
        row("tiny", 100, "gsm8k", 10.0, settings=warm), row("tiny", 100, "mbpp", 70.0, settings=warm),
    ]  # fmt: skip
    best = find_best(rows)
    assert (best.overall[0].settings, best.mean) == (warm, 40.0)


def test_no_rows_have_no_best() -> None:
    assert find_best([]).as_dict() == {"overall": None, "benchmarks": {}}
    assert mean([]) is None
