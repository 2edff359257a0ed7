"""A round's score from the entries of scores.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from evolray.campaign.rounds import Score
from evolray.campaign.scores import mean, read_entries, score_of
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder


def entry(score: float | None, half: float | None = None, unit: str = "%") -> dict[str, Any]:
    bounds = {} if half is None or score is None else {"low": score - half, "high": score + half}
    return {"metric": "pass@1", "unit": unit, "score": score, **bounds}


def test_one_benchmark_is_the_score_itself() -> None:
    assert score_of({"gsm8k": entry(41.5, 3.0)}) == Score(41.5, 38.5, 44.5)


def test_half_widths_add_up_as_those_of_independent_scores() -> None:
    found = score_of({"humaneval": entry(40.0, 3.0), "mbpp": entry(50.0, 4.0)})
    assert found == Score(45.0, 42.5, 47.5)  # the root of 3 x 3 + 4 x 4, halved


def test_points_of_ten_count_times_ten() -> None:
    assert score_of({"gsm8k": entry(40.0, 4.0), "mt_bench": entry(6.0, 0.3, "of 10")}) == Score(50.0, 47.5, 52.5)


def test_a_benchmark_without_an_interval_leaves_the_mean_without_one() -> None:
    assert score_of({"gsm8k": entry(40.0, 4.0), "mmlu": entry(30.0)}) == Score(35.0)


def test_bounds_stay_between_0_and_100() -> None:
    assert mean([Score(1.0, 0.0, 4.0), Score(0.0, -3.0, 3.0)]).low == 0.0
    assert mean([Score(99.0, 90.0, 103.0)]).high == 100.0


def test_the_order_of_the_benchmarks_does_not_matter() -> None:
    values = [62.1, 70.3, 66.2, 0.1, 33.3]
    assert mean([Score(one) for one in values]) == mean([Score(one) for one in reversed(values)])


def test_what_is_no_share_of_something_is_refused() -> None:
    with pytest.raises(UserError, match="lm_eval:wikitext gives perplexity, which is no score out of so many"):
        score_of({"lm_eval:wikitext": {"metric": "perplexity", "unit": "", "score": 12.0}})


def test_a_benchmark_without_a_score_is_refused() -> None:
    with pytest.raises(UserError, match="mt_bench has no score: nothing could be graded"):
        score_of({"mt_bench": entry(None)})


def test_an_evaluation_counts_once_it_is_complete(tmp_path: Path) -> None:
    folder, dev = LocalFolder(str(tmp_path)), tmp_path / "dev"
    assert read_entries(folder, "dev") is None
    dev.mkdir()
    (dev / "scores.json").write_text(json.dumps({"gsm8k": entry(41.5)}))
    (dev / "manifest.json").write_text(json.dumps({"status": "running"}))
    assert read_entries(folder, "dev") is None
    (dev / "manifest.json").write_text(json.dumps({"status": "complete"}))
    assert read_entries(folder, "dev") == {"gsm8k": entry(41.5)}
    (dev / "scores.json").write_text("{")
    with pytest.raises(UserError, match="was it edited"):
        read_entries(folder, "dev")
