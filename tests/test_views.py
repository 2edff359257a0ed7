"""What the commands print about a run: the figures are there, and the words fit its state."""

import io
import time
from typing import Any

import pytest
from rich.console import Console, RenderableType

from evolray.pool.manifest import Manifest
from evolray.views import lineage_view, run_view, samples_view, scores_view

ROOT = "0123456789abcdef"
ACCOUNTS = [
    {"generation": 0, "in": 5003, "kept": 5000, "eliminated": {"duplicate_seed": 2}, "failed": {"bad_seed": 1}},
    {
        "generation": 1,
        "in": 5000,
        "kept": 4321,
        "eliminated": {"refusal": 77, "unchanged": 600},
        "failed": {"timeout": 2},
    },
]
OPERATORS = [{"operator": "deepen", "in": 5000, "kept": 4321, "eliminated": {"refusal": 677}, "failed": {"timeout": 2}}]


def printed(view: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(view)
    return out.getvalue()


def manifest(**changes: Any) -> Manifest:
    settings: dict[str, Any] = {
        "run": "runs/a", "status": "complete", "teacher": "some-model", "generations": 1,
        "seeds": {"path": "seeds.jsonl", "entries": 5003, "roots": 5000}, "shards": {"finished": 20, "all": 20},
        "accounts": ACCOUNTS, "operators": OPERATORS, "kept": 9321, "eliminated": 679, "failed": 3, "calls": 14_567,
        "tokens": {"prompt": 1_234_567, "completion": 765_432}, "cost": 3.14159, "seconds": 61.23,
    }  # fmt: skip
    return Manifest(**{**settings, **changes})


def row(generation: int, fate: str, parent: int | None, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{ROOT}.g{generation}", "root_id": ROOT, "generation": generation, "fate": fate, "operator": "deepen",
        "parent_id": None if parent is None else f"{ROOT}.g{parent}", **more,
    }  # fmt: skip


def kept(generation: int, parent: int | None, text: str, **more: Any) -> dict[str, Any]:
    return row(generation, "kept", parent, instruction=text, response=f"answer to {text}", variant="", **more)


def test_a_run_shows_all_its_numbers_and_reasons() -> None:
    shown = printed(run_view(manifest()))
    for text in (
        "runs/a: complete", "20 of 20 shards finished", "5,003", "5,000", "4,321", "duplicate_seed", "bad_seed",
        "refusal", "77", "unchanged", "600", "timeout", "deepen", "86.4", "9,321 kept", "679 eliminated", "3 failed",
        "14,567 calls", "1,234,567 prompt", "765,432 completion", "3.14", "61.2 s", "seeds.jsonl",
        "3.37 calls per evolved record",
    ):  # fmt: skip
        assert text in shown, text
    assert "simulated" not in shown


def test_a_run_that_kept_nothing_or_has_not_begun_can_be_shown() -> None:
    shown = printed(run_view(Manifest("runs/a", "stopped", message="seeds are missing")))
    assert "runs/a: stopped" in shown and "seeds are missing" in shown
    nothing = [{"operator": "deepen", "in": 0, "kept": 0, "eliminated": {}, "failed": {}}]
    assert "calls per evolved" not in printed(run_view(manifest(accounts=[], operators=nothing, kept=0)))


def test_an_offline_teacher_is_named_as_one() -> None:
    assert "not for training" in printed(run_view(manifest(teacher="simulated")))


@pytest.mark.parametrize(("status", "said"), [("out_of_budget", "out of budget"), ("interrupted", "interrupted")])
def test_why_a_run_ended_is_said(status: str, said: str) -> None:
    shown = printed(run_view(manifest(status=status, message="5 of 5 calls", shards={"finished": 1, "all": 20})))
    assert said in shown and "5 of 5 calls" in shown and "1 of 20 shards finished" in shown


def test_a_running_run_shows_where_it_stands_and_one_that_fell_silent_says_so() -> None:
    live = {"outcomes": 1234, "calls": 5678, "in_flight": 64}
    running = manifest(status="running", live=live, updated_at=time.time())
    shown = printed(run_view(running))
    assert "running" in shown and "1,234 outcomes, 5,678 calls, 64 in flight" in shown
    assert "starting" in printed(run_view(manifest(status="running", updated_at=time.time())))
    shown = printed(run_view(manifest(status="running", live=live, updated_at=time.time() - 3600)))
    assert "not heard of for 3,600" in shown and "the same command goes on" in shown


def test_brackets_in_a_name_are_no_markup() -> None:
    assert "runs/[red]a[/red]: complete" in printed(run_view(manifest(run="runs/[red]a[/red]")))
    bracketed = [{**OPERATORS[0], "operator": "[bold]op"}]
    reasons = [{**ACCOUNTS[1], "eliminated": {"[/]why": 600}}]
    shown = printed(run_view(manifest(operators=bracketed, accounts=reasons)))
    assert "[bold]op" in shown and "[/]why" in shown


def test_a_lineage_is_a_tree_of_texts_operators_and_verdicts() -> None:
    rows = [
        kept(0, None, "the seed") | {"operator": "seed"},
        row(1, "eliminated", 0, reason="unchanged", instruction="a dead end", response="", variant=""),
        kept(2, 0, "the child") | {"operator": "complicate_input", "variant": "XML data"},
        row(3, "failed", 2, cause="timeout", message="no answer in 300 s"),
    ]
    lines = printed(lineage_view(rows)).splitlines()

    def at(text: str) -> tuple[int, int]:
        (number,) = [n for n, line in enumerate(lines) if text in line]
        return number, lines[number].index(text)

    assert ROOT in lines[0]
    heads = [at("g0  seed  kept"), at("g1  deepen  eliminated: unchanged")]
    heads += [at("g2  complicate_input (XML data)  kept"), at("g3  deepen  failed: timeout")]
    assert [number for number, _ in heads] == sorted(number for number, _ in heads)
    indents = [indent for _, indent in heads]
    assert indents[0] < indents[1] == indents[2] < indents[3]  # g2 is g0's child, g3 is g2's
    for text in ("a dead end", "the child", "answer to the child", "no answer in 300 s"):
        assert any(line.endswith(text) for line in lines)


def test_long_texts_are_cut_and_say_how_long_they_are() -> None:
    shown = printed(lineage_view([kept(0, None, "x" * 5000)]), width=2000)
    assert "x" * 600 in shown and "x" * 601 not in shown
    assert "(5,000 characters)" in shown


def test_brackets_and_breaks_in_texts_survive() -> None:
    shown = printed(lineage_view([kept(0, None, "[red]not markup[/red]\n[/]second line")]))
    assert "[red]not markup[/red]" in shown and "[/]second line" in shown


def test_what_would_move_the_cursor_is_shown_as_it_is_written() -> None:
    hostile = "\x1b]0;title\x07\x1b[2J\x9b2J\rover\ttab\nnext"
    sample = {
        "benchmark": "gsm8k", "problem": "3", "sample": 0, "outcome": "wrong", "base": "", "extracted": "",
        "text": hostile, "message": f"got {hostile}",
    }  # fmt: skip
    for shown in (
        printed(samples_view(iter([sample]), None, 10)),
        printed(lineage_view([kept(0, None, hostile)])),
    ):
        assert "\\x1b]0;title\\x07\\x1b[2J\\x9b2J\\x0dover" in shown
        assert not {"\x1b", "\x07", "\x9b", "\r"} & {*shown}


def test_scores_show_intervals_groups_and_rules() -> None:
    at = {"score": 50.0, "low": 15.0, "high": 85.0}
    counts = {"passed": 2, "total": 4, "pass@1": 50.0, "pass@k": {"1": at}}
    entry = {
        **counts, "title": "MATH", "release": "MATH test", "outcomes": {"passed": 2, "wrong": 2}, "prompt": "instruct",
        "rules": {"extraction": "general", "grader": "MATH"}, "base": counts, "groups": {"level": {"Level 1": counts}},
        "pass@k": {"1": at, "10": {"score": 75.0, "low": 30.0, "high": 95.0}},
    }  # fmt: skip
    lines = [line.split() for line in printed(scores_view("runs/a", {"math": entry})).splitlines()]
    assert ["MATH", "2", "4", "50.00", "15.0-85.0", "pass@1"] in lines
    assert ["MATH", "75.00", "30.0-95.0", "pass@10"] in lines
    assert ["base", "tests", "alone", "2", "4", "50.00", "15.0-85.0", "pass@1"] in lines
    assert ["level:", "Level", "1", "2", "4", "50.00", "15.0-85.0"] in lines
    assert "MATH: passed 2, wrong 2".split() in lines
