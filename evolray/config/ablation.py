"""The settings of `evolray ablation`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from evolray.config.jobs import JobsConfig


@dataclass
class AblationConfig:
    """`evolray ablation`: what does evolving give? A student per number of generations, all else equal."""

    run: str = MISSING
    """The run directory: a path that every node sees."""
    generations: list[int] = field(default_factory=lambda: [0, 4])
    """A student for each: trained on the seeds alone (0), or on the pool up to that generation."""
    records: int | None = None
    """Examples of each student's mix, drawn evenly from its generations. null: as many as the smallest mix has."""
    tokens: int | None = None
    """Tokens each student is trained on, epochs adding up. null: what `train` says."""
    evolve: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray evolve`, nested or dotted; `run` and `generations` are the ablation's."""
    refine: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray refine`, the same for every mix."""
    train: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray train`, the same for every student."""
    sweep: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray sweep`: benchmarks, problems, evaluate."""
    jobs: JobsConfig = field(default_factory=JobsConfig)
