"""What the workers are told before they start, and what they answer in the end. Nothing here loads torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evolray.cluster.machine import Machine
from evolray.config import TrainConfig
from evolray.train.batches import Batches
from evolray.train.settings import Settings
from evolray.train.student import Student

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SHARED = "Use a path on storage that all nodes share, or a URL such as s3://bucket/run."


@dataclass(frozen=True)
class Job:
    """All that the workers need to know; it can be pickled. `model`: the folder or name that is loaded."""

    config: TrainConfig
    model: str
    tokenizer: "PreTrainedTokenizerFast"
    student: Student
    machine: Machine
    settings: Settings
    accumulation: int
    about: dict[str, Any]
    """What every checkpoint says of where it came from."""


@dataclass(frozen=True)
class Place:
    rank: int
    workers: int
    local_rank: int


@dataclass(frozen=True)
class Outcome:
    """`finished`: the last step is done. Else it was stopped, or `diverged` says why it stopped itself."""

    step: int
    finished: bool
    diverged: str = ""


def plan(config: TrainConfig, lengths: np.ndarray, accumulation: int) -> Batches:
    return Batches(
        lengths=lengths,
        global_batch=config.global_batch,
        epochs=config.epochs,
        seed=config.seed,
        workers=config.workers.number,
        accumulation=accumulation,
        packing=config.packing,
        max_steps=config.max_steps,
        max_tokens=config.max_tokens,
    )
