"""The settings of `evolray campaign`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from evolray.config.jobs import JobsConfig


@dataclass
class OperatorsConfig:
    """Operator weights from what earlier rounds have shown. See evolray/campaign/operators.py."""

    learn: bool = False
    """Weigh the operators of each round by what was accepted and by what helped."""
    least: float = 0.25
    """No operator's weight falls below this share of an equal one, so that each is tried again."""


@dataclass
class CampaignConfig:
    """`evolray campaign`: WizardCoder's loop (arXiv 2306.08568, section 3): a generation more while the score rises."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    rounds: int = 4
    """The most rounds; each adds a generation."""
    baseline: bool = True
    """Round 0: a student of the seeds alone, whose score the first round has to beat."""
    patience: int = 1
    """Stop after so many rounds in a row whose score fell."""
    tolerance: float = 0.0
    """A score has fallen when it is below the best one by more than this share of what its 95 % interval reaches
    upwards. 0: by anything at all, as WizardCoder; 1: when the best score lies above the interval."""
    evolve: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray evolve`, nested or dotted; `run` and `generations` are the campaign's."""
    refine: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray refine`; `data` is what all generations so far have given."""
    train: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray train`; every round trains the same `model` anew, on its mix."""
    evaluate: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray evaluate`, on development sets: benchmarks, problems. The score is their mean."""
    operators: OperatorsConfig = field(default_factory=OperatorsConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)
    dry_run: bool = False
    """Print the steps and what the first round will cost, and stop."""
