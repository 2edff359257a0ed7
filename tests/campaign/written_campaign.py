"""A campaign's run directory as its stage leaves it, for the tests of its figures and its page."""

import dataclasses
from pathlib import Path
from typing import Any

from evolray.campaign import manifest as manifests
from evolray.campaign.manifest import CampaignManifest
from evolray.pipeline.records import Attempt, Records, StepRecord
from evolray.pool.layout import open_folder

SCORES = {0: 41.0, 1: 48.5, 2: 55.0, 3: 50.0}
WHY = "round 3 scored 50.0 %, below the 55.0 % of round 2"
OPERATORS = ("add_constraints", "deepen", "mutate")
WHEN = 1_760_000_000.0  # seconds since 1970


def round_of(number: int, score: float, **changes: Any) -> dict[str, Any]:
    """The entry of a round in manifest.json; one of the seeds alone has no generation of its own."""
    generation = {
        "generation": number, "in": 100, "kept": 80 - number, "eliminated": {"refusal": 5, "no_content": 10 + number},
        "failed": {"timeout": 5},
    }  # fmt: skip
    entry = {
        "round": number, "score": score, "low": score - 6, "high": score + 5, "fell": number == 3,
        "benchmarks": [
            {"name": "humaneval", "title": "HumanEval", "metric": "pass@1", "unit": "%", "score": score + 4,
             "low": score - 2, "high": score + 9},
            {"name": "mt_bench", "title": "MT-Bench", "metric": "rating", "unit": "of 10", "score": (score - 4) / 10,
             "low": (score - 10) / 10, "high": (score + 1) / 10},
        ],
        "generation": generation if number else {},
        "operators": {name: {"asked": 30, "kept": 20 + at + number} for at, name in enumerate(OPERATORS)}
        if number else {},
        "mix": {"records": 1000 * (number + 1), "tokens": 120_000 * (number + 1),
                "dropped": {"near_duplicate": 7, "generation": 50}},
        "training": {"examples": 1000 * (number + 1), "tokens": 150_000 * (number + 1), "trained_tokens": 90_000,
                     "steps": 48 * (number + 1), "loss": 1.5 - number / 10, "held_out_loss": None},
        "student": f"/runs/coder/rounds/{number}/student", "step": 48 * (number + 1),
        "calls": 3200 if number else 0, "tokens": {"prompt": 900_000, "completion": 400_000} if number else {},
        "cost": 1.25 if number else 0.0,
        "seconds": {"evolve": 300.0 if number else 0.0, "refine": 20.0, "train": 900.0 + number, "evaluate": 120.0},
    }  # fmt: skip
    return {**entry, **changes}


def campaign(numbers: int = 4, **changes: Any) -> CampaignManifest:
    """WizardCoder's end, by default: three rounds rose, the fourth fell, and the third is kept."""
    rounds = [round_of(number, SCORES[number]) for number in range(numbers)]
    best = max(rounds, key=lambda one: one["score"], default={})
    made = CampaignManifest(
        run="/runs/coder", status="complete", teacher="gpt-4o-mini", model="bigcode/starcoder", rounds=rounds,
        best={name: best[name] for name in ("round", "score", "low", "high", "student", "step")} if best else {},
        calls=3200 * max(numbers - 1, 0), tokens={"prompt": 2_700_000, "completion": 1_200_000}, cost=3.75,
        seconds=5000.0, message=WHY, updated_at=WHEN,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def learned(numbers: int = 4) -> CampaignManifest:
    return campaign(numbers, weights={
        "2": {"add_constraints": 1.2, "deepen": 0.9, "mutate": 0.9},
        "3": {"add_constraints": 1.5, "deepen": 1.0, "mutate": 0.5},
    })  # fmt: skip


def write(path: Path, manifest: CampaignManifest, steps: list[StepRecord] | None = None) -> str:
    """The run directory as a URL."""
    folder = open_folder(str(path))
    manifests.write(folder, manifest)
    for step in steps or []:
        Records(folder).write(step)
    return folder.url


def step(name: str, state: str = "complete", **changes: Any) -> StepRecord:
    """It took a minute, at the first try."""
    ended = None if state == "running" else WHEN + 60
    tried = [] if state == "waiting" else [Attempt("job-1", "succeeded", started=WHEN, ended=ended)]
    made = StepRecord(name, name.rpartition("/")[2], state, attempts=tried)
    return dataclasses.replace(made, **changes)
