"""Runs as evaluate and grade leave them, written out: WizardEval for three models, and the other benchmarks."""

import json
import random
from pathlib import Path
from typing import Any

SKILLS = {
    "Math": 19, "Code Generation": 18, "Writting": 18, "Computer Science": 15, "Reasoning": 13, "Complex Format": 12,
    "Code Debug": 10, "Common-Sense": 9, "Counterfactual": 8, "Multilingual": 7, "Roleplay": 6, "Biology": 6,
    "Technology": 6, "Ethics": 6, "TruthfulQA": 5, "Sport": 5, "Law": 5, "Medicine": 5, "Literature": 5,
    "Entertainment": 5, "Art": 5, "Music": 5, "Economy": 5, "Physics": 5, "Toxicity": 4, "History": 4,
    "Academic Writing": 4, "Chemistry": 2, "Philosophy": 1,
}  # fmt: skip
"""Of WizardLM's test set, with how many of its 218 instructions call for each; the spelling is its own."""
LEVELS = (11, 19, 27, 23, 9, 42, 24, 39, 13, 11)
CATEGORIES = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
MODELS = {"wizard-13b": 89.1, "wizard-30b": 97.8, "vicuna-13b": 86.9}
"""With the relative scores that the paper gives them."""
UPDATED = 1_750_000_000.0
SAMPLING: dict[str, Any] = {
    "n": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": None, "stop": [], "seed": 0,
}  # fmt: skip


def write(folder: Path, scores: Any, status: str = "complete", **manifest: Any) -> Path:
    """A run directory with nothing but what a board reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    written = {"run": str(folder), "status": status, "stage": "evaluate", "updated_at": UPDATED, **manifest}
    (folder / "manifest.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def entry(model: str, title: str, score: float, half: float = 2.0, **more: Any) -> dict[str, Any]:
    return {
        "title": title, "release": f"{title} 1", "problems": 100, "samples": 100, "missing": 0, "failed": 0,
        "outcomes": {}, "metric": "accuracy", "unit": "%", "score": score, "low": round(score - half, 2),
        "high": round(score + half, 2), "total": 100, "model": model, "prompt": "plain", "sampling": {**SAMPLING},
        "rules": {}, "data": {"path": "x.jsonl", "release": f"{title} 1", "sha256": "ab" * 32}, "versions": {}, **more,
    }  # fmt: skip


def judged(
    model: str, title: str, score: float, judge: str = "gpt-4", half: float = 2.0, **more: Any
) -> dict[str, Any]:
    rules = {"judge": judge, "order": "both"}
    return entry(model, title, score, half, judge=judge, rules=rules, no_verdict=0, unanswered=0, **more)


def wizard_eval(model: str, score: float, judge: str = "gpt-4") -> dict[str, Any]:
    chance = random.Random(f"{model} {judge}")
    wins = round(218 * 2 * (score - 55) / 100)
    groups = {
        "skill": {name: _relative(score + chance.gauss(0, 18 / number**0.3), number, chance)
                  for name, number in SKILLS.items()},
        "difficulty": {str(level): _relative(score + 8 - 2.2 * level + chance.gauss(0, 3), number, chance)
                       for level, number in enumerate(LEVELS, start=1)},
        "split": {"easy (1-7)": _relative(score + 2, 155, chance), "hard (8-10)": _relative(score - 5, 63, chance)},
    }  # fmt: skip
    return judged(
        model, "WizardEval", score, judge, protocol="two_scores", baseline="gpt-3.5-turbo", metric="relative score",
        total=218, problems=218, wins=wins, ties=90, losses=436 - wins - 90, groups=groups,
    )  # fmt: skip


def _relative(score: float, number: int, chance: random.Random) -> dict[str, Any]:
    score, half = round(max(score, 20), 2), round(30 / number**0.5, 2)
    return {
        "score": score, "low": round(score - half, 2), "high": round(score + half, 2), "total": number,
        "model_sum": round(7 * number * score / 100, 1), "baseline_sum": 7.0 * number,
        "wins": chance.randint(0, number), "ties": 0, "losses": 0,
    }  # fmt: skip


def mt_bench(model: str, score: float, judge: str = "gpt-4") -> dict[str, Any]:
    chance = random.Random(f"{model} mt")
    spread = {"math": -2.5, "coding": -2.0, "reasoning": -1.5}
    by_category = {
        name: {"score": round(min(10, max(1, score + spread.get(name, 1) + chance.gauss(0, 0.3))), 2), "total": 20}
        for name in CATEGORIES
    }
    turns = {"1": {"score": score + 0.4, "total": 80}, "2": {"score": score - 0.4, "total": 80}}
    return judged(
        model, "MT-Bench", score, judge, 0.35, protocol="single", baseline=None, metric="mean score", unit="of 10",
        total=160, problems=80, groups={"category": by_category, "turn": turns},
    )  # fmt: skip


def alpaca_eval(model: str, score: float) -> dict[str, Any]:
    wins = round(8.05 * score)
    return judged(
        model, "AlpacaEval", score, half=3.0, protocol="ranking", baseline="text-davinci-003", metric="win rate",
        total=805, problems=805, wins=wins, ties=4, losses=801 - wins, standard_error=1.52,
    )  # fmt: skip


def gsm8k(model: str, score: float, **more: Any) -> dict[str, Any]:
    rules = {"grader": "GSM8K", "mode": "strict", "extraction": "published"}
    numbers = {"passed": round(13.19 * score), "pass@1": score, "problems": 1319, "samples": 1319}
    return entry(model, "GSM8K", score, metric="pass@1", total=1319, **{"rules": rules, **numbers, **more})


def mmlu(model: str, score: float, shots: int = 5) -> dict[str, Any]:
    subtasks = {"groups": {"subtask": {"anatomy": {"score": score, "total": 135}}}}
    return entry(model, "MMLU", score, 0.8, total=14042, problems=14042, shots=shots, task="mmlu", **subtasks)


def write_three(folder: Path) -> Path:
    """Three models, each with a run of judged benchmarks, one of GSM8K, one of MMLU; two have AlpacaEval."""
    for at, (model, score) in enumerate(MODELS.items()):
        chat = {"wizard_eval": wizard_eval(model, score), "mt_bench": mt_bench(model, round(6.35 + 0.3 * at, 2))}
        if at < 2:
            chat["alpaca_eval"] = alpaca_eval(model, 75.31 + at)
        write(folder / f"{model}-chat", chat)
        write(folder / "sweep" / "cells" / f"{model}-gsm8k", {"gsm8k": gsm8k(model, 52.0 + 5 * at)})
        write(folder / f"{model}-knowledge", {"mmlu": mmlu(model, 52.3 + at)})
    (folder / "sweep" / "manifest.json").write_text('{"stage": "sweep", "status": "complete"}', encoding="utf-8")
    return folder
