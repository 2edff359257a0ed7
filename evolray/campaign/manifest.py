"""What a campaign says about itself: `manifest.json` in its run directory, while it runs and when it ended."""

import time
from dataclasses import dataclass, field
from typing import Any

from evolray.errors import UserError
from evolray.pool.layout import Folder
from evolray.pool.manifest import read_stage, write_stage

STAGE = "campaign"


@dataclass
class CampaignManifest:
    """`status`: running, complete, interrupted, out_of_budget or stopped; `message` says why, also why a complete one
    did not go on. `working_on`: the rounds that are being made.

    `rounds`, by number, of those that have a score:

        round, score, low, high         out of 100, with the bounds of a 95 % interval or null
        fell                            whether the stop rule counts it as fallen
        benchmarks                      name, title, metric, unit, score, low, high as `evaluate` has them
        generation                      of the pool: in, kept, eliminated and failed by reason
        operators                       of that generation, by operator: asked, kept
        weights                         of the operators, where they were learned
        mix                             records, tokens (about), dropped by reason
        training                        examples, tokens, trained_tokens, steps, loss, held_out_loss
        student, step                   where the trained student is, and the step of the checkpoint that was evaluated
        calls, tokens, cost             what this round added, teacher, judges and evaluation together
        seconds                         by stage

    `best`: round, score, low, high, student, step; empty until there is a score. `teacher` taught `model`.
    `calls`, `tokens` and `cost` add up over all rounds, `seconds` over reruns. `weights`: of operators by generation.
    """

    run: str
    status: str
    stage: str = STAGE
    teacher: str = ""
    model: str = ""
    rounds: list[dict[str, Any]] = field(default_factory=list)
    working_on: list[int] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    calls: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)


def write(folder: Folder, manifest: CampaignManifest) -> None:
    write_stage(folder, manifest)


def read(folder: Folder) -> CampaignManifest | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    return read_stage(folder, CampaignManifest)


def find(folder: Folder) -> CampaignManifest:
    """Raises UserError when there is none."""
    found = read(folder)
    if found is None:
        raise UserError(f"{folder.url}: there is no campaign; expected the run directory of evolray campaign.")
    return found
