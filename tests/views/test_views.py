"""What the commands print about a run: the figures are there, and the words fit its state."""

import io
import time
from typing import Any

import pytest
from rich.console import Console, RenderableType

from evolray.evaluate.chat.verdicts import Verdict
from evolray.evaluate.manifest import EvaluateManifest
from evolray.pool.manifest import Manifest
from evolray.views.evaluated import evaluate_view, samples_view
from evolray.views.evolved import lineage_view, run_view
from evolray.views.scores import scores_view

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


# --- judged benchmarks and those of lm-eval ---


def at(score: float | None, low: float | None = None, high: float | None = None, **more: Any) -> dict[str, Any]:
    return {"score": score, "low": low, "high": high, **more}


def skills(number: int) -> dict[str, Any]:
    """Skill 0 is the best."""
    return {f"Skill {n}": at(100.0 - n, 90.0 - n, 110.0 - n, total=7) for n in range(number)}


def wizard_eval(**changes: Any) -> dict[str, Any]:
    entry = {
        "title": "WizardEval", "release": "WizardLM test set, 218 items", "metric": "relative score", "unit": "%",
        **at(94.46, 91.7, 97.2), "total": 217, "judge": "gpt-4", "protocol": "two_scores", "baseline": "chatgpt",
        "wins": 1, "ties": 157, "losses": 59, "win_rate": at(36.64, 33.2, 40.1), "model_sum": 1691.5,
        "baseline_sum": 1790.0, "no_verdict": 0, "unanswered": 0, "unjudged": 0,
        "verdicts": {"read": 436, "no_verdict": 0, "failed": 0},
        "groups": {
            "skill": skills(29), "split": {"easy (1-7)": at(94.0, 91.0, 97.0, total=155), "hard (8-10)": at(96.0)},
        },
    }  # fmt: skip
    return {**entry, **changes}


def lines_of(*entries: dict[str, Any], width: int = 100) -> list[str]:
    view = scores_view("runs/a", {str(n): entry for n, entry in enumerate(entries)})
    return [" ".join(line.split()) for line in printed(view, width).splitlines()]


def test_a_judged_score_says_its_unit_its_judge_and_what_was_won() -> None:
    lines = lines_of(wizard_eval())
    assert "benchmark of score 95 %" in lines  # nothing is "passed"
    assert "WizardEval 217 94.46 91.7-97.2 % relative score" in lines
    assert "split: easy (1-7) 155 94.00 91.0-97.0" in lines
    assert "split: hard (8-10) 96.00" in lines
    assert "WizardEval: judge gpt-4, baseline chatgpt, protocol two_scores" in lines
    assert "1 win, 157 ties, 59 losses; win rate 36.64 % (33.2-40.1); sums of scores 1,691.5 : 1,790.0" in lines


def test_of_many_groups_the_best_and_the_worst_are_shown() -> None:
    lines = lines_of(wizard_eval())
    first = lines.index("skill: Skill 0 7 100.00 90.0-110.0")
    assert lines[first + 4].startswith("skill: Skill 4 ") and lines[first + 6].startswith("skill: Skill 24 ")
    assert lines[first + 5] == "… 19 of 29 skills in between"
    assert lines[first + 10].startswith("skill: Skill 28 ") and lines[-1].endswith("evolray board")
    assert lines.index("split: easy (1-7) 155 94.00 91.0-97.0") < first
    assert len([line for line in lines_of(wizard_eval(groups={"skill": skills(12)})) if "skill:" in line]) == 12


def test_a_mean_score_of_ten_has_two_digits_throughout() -> None:
    entry = {
        "title": "MT-Bench", "release": "MT-Bench", "metric": "mean score", "unit": "of 10", **at(6.43, 6.1, 6.752),
        "total": 160, "judge": "gpt-4", "protocol": "single", "baseline": None,
        "groups": {"turn": {"1": at(6.8, 6.5, 7.1, total=80)}},
    }  # fmt: skip
    lines = lines_of(entry)
    assert "MT-Bench 160 6.43 6.10-6.75 of 10, mean score" in lines
    assert "turn: 1 80 6.80 6.50-7.10" in lines
    assert "MT-Bench: judge gpt-4, protocol single" in lines


def test_a_score_that_nobody_could_read_is_none() -> None:
    lines = lines_of(wizard_eval(**at(None), win_rate=at(None), model_sum=None, groups={"split": {"a": at(None)}}))
    assert "WizardEval 217 none % relative score" in lines and "split: a none" in lines
    assert "1 win, 157 ties, 59 losses" in lines


def test_what_a_score_may_be_wrong_by_is_told_in_yellow() -> None:
    entry = wizard_eval(unanswered=2, no_verdict=3, verdicts={"read": 1, "no_verdict": 3, "failed": 4})
    said = "2 unanswered (counted as the worst), 3 without a verdict, 4 calls of the judge failed"
    assert said in lines_of(entry, width=140)
    out = io.StringIO()
    Console(file=out, width=140, force_terminal=True).print(scores_view("runs/a", {"wizard_eval": entry}))
    assert f"\x1b[33m{said}" in out.getvalue()
    assert not any("unanswered" in line or "verdict" in line for line in lines_of(wizard_eval()))


@pytest.mark.parametrize(
    ("protocol", "bias", "said"),
    [
        ("two_scores", 0.84, "first shown favoured by 0.8 points"),
        ("two_scores", -1.2, "second shown favoured by 1.2 points"),
        ("two_scores", 0.01, "neither place is favoured"),
        ("ranking", 0.2, "first shown wins 60 % (50 without a bias)"),
    ],
)
def test_how_far_a_judge_can_be_trusted(protocol: str, bias: float, said: str) -> None:
    reliability = {
        "position": {"pairs": 218, "agreement": at(71.1), "first_wins": at(60.4), "bias": at(bias)},
        "self_consistency": {"pairs": 436, "same": at(88.0), "score_sd": 0.44},
        "labels": {"source": "people.csv", "items": 100, "left_out": 3, "agree": 66.0, "kappa": 0.451},
    }
    lines = lines_of(wizard_eval(protocol=protocol, reliability=reliability))
    assert f"both orders agree on 71 % of 218; {said}" in lines
    spread = "; scores scatter by 0.44 points" if protocol == "two_scores" else ""
    assert f"asked again, the judge says the same in 88 % of 436 pairs{spread}" in lines
    assert "against 100 labels (people.csv): agrees with 66 %, kappa 0.45" in lines


def test_ratings_agree_with_labels_by_rank() -> None:
    labels = {"source": "people.csv", "items": 80, "spearman": 0.71, "difference": -0.4}
    assert "against 80 labels (people.csv): spearman 0.71, rates 0.40 lower" in lines_of(
        wizard_eval(reliability={"labels": labels})
    )
    nothing = {"source": "people.csv", "items": 0, "agree": None, "kappa": None}
    assert "against 0 labels (people.csv): nothing in common" in lines_of(wizard_eval(reliability={"labels": nothing}))


def test_a_length_controlled_win_rate_says_what_it_follows() -> None:
    entry = wizard_eval(metric="win rate", protocol="ranking", standard_error=1.149)
    found = at(44.05, 40.3, 47.8, standard_error=1.92, follows="Dubois et al. 2024, more or less")
    lines = lines_of(entry | {"length_controlled": found}, width=140)
    assert "1 win, 157 ties, 59 losses; standard error 1.15; sums of scores 1,691.5 : 1,790.0" in lines
    assert (
        "length-controlled win rate 44.05 % (40.3-47.8), standard error 1.92, after Dubois et al. 2024, more or less"
    ) in lines
    lines = lines_of(entry | {"length_controlled": at(None, reason="12 comparisons; at least 20 are needed")})
    assert "no length-controlled win rate: 12 comparisons; at least 20 are needed" in lines


def test_a_knowledge_benchmark_says_its_shots_and_folds_its_subtasks() -> None:
    entry = {
        "title": "MMLU", "metric": "accuracy", "unit": "%", **at(48.21, 47.4, 49.0), "total": 14_042, "shots": 5,
        "task": "mmlu", "groups": {"subtask": skills(57)},
    }  # fmt: skip
    lines = lines_of(entry)
    assert "MMLU 14,042 48.21 47.4-49.0 % accuracy" in lines
    assert "… 47 of 57 subtasks in between" in lines
    assert "MMLU: 5 shots, task mmlu of lm-eval" in lines
    cut = "12 requests were longer than the model takes, and lost their beginning"
    assert cut in lines_of({**entry, "rules": {"truncated": 12}}) and cut not in lines
    assert "MMLU: as many examples as its task says, task mmlu of lm-eval" in lines_of({**entry, "shots": None})


def test_groups_come_from_files_and_cannot_move_the_cursor() -> None:
    shown = printed(scores_view("runs/a", {"wizard_eval": wizard_eval(groups={"skill": {"\x1b[2Jx": at(1.0)}})}))
    assert "skill: \\x1b[2Jx" in shown and "\x1b" not in shown


def test_an_evaluation_shows_how_far_its_judges_are_and_what_they_cost() -> None:
    settings: dict[str, Any] = {
        "model": "m", "benchmarks": ["mt_bench"], "questions": 80, "sampled": 80, "updated_at": time.time(),
    }  # fmt: skip
    judging = {"mt_bench": {"asked": 160, "answered": 120, "failed": 3, "tokens": 230_000, "cost": 7.8}}
    shown = printed(evaluate_view(EvaluateManifest("runs/a", "running", **settings, judging=judging)))
    assert "judge of mt_bench: 120 of 160 questions answered, 3 failed, 230,000 tokens, cost 7.80" in shown
    assert "judge" not in printed(evaluate_view(EvaluateManifest("runs/a", "running", **settings)))


def test_a_conversation_is_shown_turn_by_turn_and_coloured_by_its_outcome() -> None:
    row = {
        "benchmark": "mt_bench", "problem": "81", "sample": 0, "outcome": "scored", "base": "", "extracted": "",
        "text": "the second answer", "earlier": ["the first answer"], "message": "rated 8, 7",
    }  # fmt: skip
    assert printed(samples_view(iter([row]), None, 10)).split("\n")[:6] == [
        "mt_bench 81 #0  scored", "rated 8, 7", "turn 1", "the first answer", "turn 2", "the second answer",
    ]  # fmt: skip
    said = [
        Verdict("81", "scored", 1, text="Fine.\x1b[2J [[8]]"),
        Verdict("81", "scored", 2, repeat=1, text="Well. [[7]]"),
    ]
    lines = printed(samples_view(iter([row]), None, 10, {("mt_bench", "81"): said})).split("\n")
    assert lines[6:8] == ["judge: Fine.\\x1b[2J [[8]]", "judge (turn 2, repeat 2): Well. [[7]]"]
    colors = {"win": "32m", "tie": "", "scored": "", "loss": "31m", "no_verdict": "33m", "judge_failed": "31m"}
    for outcome, color in colors.items():
        out = io.StringIO()
        one = {**row, "outcome": outcome, "earlier": []}
        Console(file=out, width=100, force_terminal=True).print(samples_view(iter([one]), None, 10))
        assert (f"\x1b[{color}{outcome}" if color else f"#0  \x1b[0m{outcome}") in out.getvalue()
        assert "turn 1" not in out.getvalue()
