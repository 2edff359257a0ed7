"""Entries of scores.json as scores by group."""

from typing import Any

import pytest

from evolray.ablation.scores import Score, scores_of

ENTRY = {"title": "GSM8K", "metric": "pass@1", "unit": "%", "score": 50.0, "low": 40.0, "high": 60.0}


def groups(*names: str) -> dict[str, Any]:
    return {name: {"score": float(at)} for at, name in enumerate(names)}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, [""]),
        ({"level": groups("10 steps", "2 steps")}, ["", "2 steps", "10 steps"]),
        ({"skill": groups("Writing", "Code")}, ["", "Writing", "Code"]),
        ({"skill": groups("Code"), "difficulty": groups("10", "9")}, ["", "9", "10"]),
        ({"level": {"1": {"score": None}, "2": {"pass@1": 3.0}}}, ["", "2"]),
        ("nonsense", [""]),
    ],
)
def test_groups(found: Any, expected: list[str]) -> None:
    assert [one.group for one in scores_of("gsm8k", {**ENTRY, "groups": found})] == expected


def test_all_of_a_score() -> None:
    (score,) = scores_of("gsm8k", {**ENTRY, "passed": 5, "total": 10})
    assert score == Score("gsm8k", "GSM8K", "", 50.0, 40.0, 60.0, 5, 10, "pass@1", "%")
    assert (score.text, score.interval) == ("50.0 %", "40.0–60.0")


def test_a_score_of_ten_and_one_without_a_unit_have_two_digits() -> None:
    assert Score("mt_bench", "MT-Bench", "", 6.354, unit="of 10").text == "6.35 of 10"
    assert Score("lm_eval:wikitext", "wikitext", "", 12.345, unit="").text == "12.35"


def test_an_entry_without_a_score_is_none() -> None:
    assert scores_of("gsm8k", {"score": float("nan")}) == []


def test_problems_of_ones_own_do_not_go_by_the_benchmarks_name() -> None:
    own = {"title": "GSM8K", "release": "GSM8K, 400 problems (sha256 0a1b2c3d4e5f…)", "score": 50.0}
    released = {"title": "GSM8K", "release": "GSM8K test (1,319 problems)", "score": 50.0}
    assert [scores_of("gsm8k", entry)[0].title for entry in (own, released)] == ["GSM8K's form", "GSM8K"]
