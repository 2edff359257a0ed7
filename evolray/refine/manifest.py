"""What a refine run says about itself: `manifest.json` in its run directory, while it runs and when it ended."""

import time
from dataclasses import dataclass, field
from typing import Any

from evolray.errors import EvolrayError
from evolray.pool.layout import Folder
from evolray.pool.manifest import read_stage, write_stage

STAGE = "refine"


@dataclass
class RefineManifest:
    """`records` = `mix["records"]` + the sum of `dropped`; what was `rejected` is no record.

    `sources`: name, path, weight, records, rejected, mix; `steps`: name, seconds, and what was counted; `benchmarks`:
    name, path, items, sha256, leaks. `generations`: the highest in the mix. `hashes`: sha256 over records/ (what went
    in), pool/ (the mix) and every file of training/. `judged`: records asked about, `unread` verdicts, `failed` calls;
    `calls`, `tokens` and `cost` are the judge's. Tokens of the mix: four characters count as one.
    """

    run: str
    status: str
    stage: str = STAGE
    sources: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    mix: dict[str, Any] = field(default_factory=dict)
    generations: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    benchmarks: list[dict[str, Any]] = field(default_factory=list)
    judged: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    hashes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)
    live: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raises EvolrayError when records came in that are neither in the mix nor dropped."""
        out = self.mix.get("records", 0) + sum(self.dropped.values())
        if out != self.records:
            raise EvolrayError(
                f"The accounts do not balance: {self.records:,} records came in, {out:,} are in the mix or dropped. "
                "This is a bug of evolray; the mix must not be used."
            )


def write(folder: Folder, manifest: RefineManifest) -> None:
    write_stage(folder, manifest)


def read(folder: Folder) -> RefineManifest | None:
    """None when there is none, or when it is another stage's. Raises UserError when it cannot be read."""
    return read_stage(folder, RefineManifest)
