"""What an evaluation says about itself: `manifest.json` in its run directory, while it runs and when it ended."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from evolray.errors import UserError
from evolray.pool.layout import Folder
from evolray.pool.manifest import read_stage, write_stage

STAGE, SCORES = "evaluate", "scores.json"


@dataclass
class JudgeAccount:
    """Questions to the judge, and what became of them; `cost` is at the prices of the judge's endpoint."""

    asked: int = 0
    answered: int = 0
    failed: int = 0
    tokens: int = 0
    cost: float = 0.0


@dataclass
class EvaluateManifest:
    """`questions` = sampled + failed + those still to be asked; `graded` of the sampled and failed ones.

    `cost` is that of the endpoint's answers, at the config's prices. `rejected` counts lines of ready samples,
    baselines, references, labels and reviews that cannot be used (rejected.jsonl). `judging`: of each benchmark that
    has a judge.
    """

    run: str
    status: str
    stage: str = STAGE
    model: str = ""
    benchmarks: list[str] = field(default_factory=list)
    questions: int = 0
    sampled: int = 0
    failed: int = 0
    graded: int = 0
    rejected: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    judging: dict[str, JudgeAccount] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        """From JSON, too."""
        self.judging = {
            name: one if isinstance(one, JudgeAccount) else JudgeAccount(**one) for name, one in self.judging.items()
        }


def write(folder: Folder, manifest: EvaluateManifest) -> None:
    write_stage(folder, manifest)


def read(folder: Folder) -> EvaluateManifest | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    return read_stage(folder, EvaluateManifest)


def read_scores(folder: Folder) -> dict[str, Any]:
    """By benchmark. Raises UserError when nothing is scored there yet."""
    try:
        scores: dict[str, Any] = json.loads(folder.read(SCORES))
    except FileNotFoundError:
        raise UserError(
            f"{folder.url}: no {SCORES} here; expected the run= of evolray evaluate or grade, once it is complete."
        ) from None
    except ValueError:
        raise UserError(f"{folder.url}/{SCORES} cannot be read; was it edited or cut off?") from None
    return scores
