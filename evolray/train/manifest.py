"""What a training says about itself: `manifest.json` in its run directory, while it runs and when it ended."""

import time
from dataclasses import dataclass, field
from typing import Any

from evolray.errors import UserError
from evolray.pool.layout import Folder
from evolray.pool.manifest import RUN, read_stage, write_stage

STAGE = "train"


@dataclass
class TrainManifest:
    """`examples`: entries = train + held_out + rejected (by reason). `settings`: what was computed from the config."""

    run: str
    status: str
    stage: str = STAGE
    model: str = ""
    data: str = ""
    examples: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    steps: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)


def write(folder: Folder, manifest: TrainManifest) -> None:
    write_stage(folder, manifest)


def read(folder: Folder) -> TrainManifest | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    return read_stage(folder, TrainManifest)


def refuse_other_stage(folder: Folder) -> None:
    """Raises UserError when the directory holds a run of another stage."""
    if folder.exists(RUN) and b"stage: train" not in folder.read(RUN):
        raise UserError(f"run={folder.url}: holds the run of another stage; choose another run=.")
