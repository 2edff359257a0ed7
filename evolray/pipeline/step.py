"""A step: one run of one stage, by one Ray job."""

from dataclasses import dataclass, field
from typing import Any

from evolray.config.jobs import JobConfig

# Stages that work in a run directory of their own, which they hold, and leave a manifest there; and those that show
# what others left.
WORKING = ("evolve", "refine", "train", "evaluate", "generate", "sweep")
SHOWING = ("report", "board")


@dataclass(frozen=True)
class Step:
    """`name` is unique in its run, and a path below steps/: "round-2/train". `stage` is a command of evolray.

    `config` is that stage's, its `run` included: a stage goes on where it was, so a step may be submitted again at any
    time. `needs`: the names of steps that must be complete before.
    """

    name: str
    stage: str
    config: Any
    needs: tuple[str, ...] = ()
    job: JobConfig = field(default_factory=JobConfig)
