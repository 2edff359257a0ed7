"""What an ablation says about itself: `manifest.json` in its run directory, while it runs and when it ended.

What it consists of says the rest: the pool, the mixes, the students and the sweep have manifests of their own.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from evolray.pool.layout import Folder
from evolray.pool.manifest import read_stage, write_stage

STAGE = "ablation"


@dataclass
class AblationManifest:
    """`sizes`: examples of each mix by its number of generations, before any was cut; `records`: what each was cut to,
    0 while that is not known. `students`: a dict each, with the scores of its last checkpoint. `calls`, `tokens` and
    `cost` are the teacher's. `command`: how the run was asked for. `seconds` add up over reruns."""

    run: str
    status: str
    stage: str = STAGE
    generations: list[int] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    records: int = 0
    students: list[dict[str, Any]] = field(default_factory=list)
    teacher: str = ""
    is_simulated: bool = False
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    command: str = ""
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)


def write(folder: Folder, manifest: AblationManifest) -> None:
    write_stage(folder, manifest)


def read(folder: Folder) -> AblationManifest | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    return read_stage(folder, AblationManifest)
