"""Which steps of refining are done, for which settings: so that a rerun does what is missing and nothing else.

    steps/signatures.json    {"key": ..., "finished": {"17": {"records": 10000}}, "seconds": ...}

A step's key is a hash of the settings that decide its files and of the keys of the steps before it. Where the key has
changed, its files are out of date and removed; where it has not, the shards that are finished stay.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.pool.layout import Folder
from evolray.refine.steps.step import Counts

STEPS = "steps"
SAVE_SECONDS = 2.0


@dataclass
class StepState:
    """What `steps/<name>.json` holds. `finished`: shard -> what was counted in it."""

    name: str
    key: str
    finished: dict[int, Counts] = field(default_factory=dict)
    seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)
    _saved: float = 0.0

    @property
    def total(self) -> Counter[str]:
        total = Counter[str]()
        for counts in self.finished.values():
            total.update(counts)
        return total

    def described(self) -> dict[str, Any]:
        """For the manifest; what is counted by name (source:NAME and the like) has places of its own there."""
        counts = {name: number for name, number in self.total.items() if ":" not in name}
        return {"name": self.name, "seconds": round(self.seconds, 2), **counts}

    def finish(self, folder: Folder, shard: int, counts: Counts) -> None:
        """Count a shard; written down every few seconds, so that little is done again after a crash."""
        self.finished[shard] = counts
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save(folder)

    def save(self, folder: Folder) -> None:
        now = time.monotonic()
        self.seconds, self._begun, self._saved = self.seconds + now - self._begun, now, now
        state = {"key": self.key, "finished": self.finished, "seconds": round(self.seconds, 2)}
        folder.write(_name(self.name), json.dumps(state).encode())


def open_step(folder: Folder, name: str, key: str, outputs: Sequence[str]) -> StepState:
    """The step as an earlier invocation left it, or anew. `outputs`: the folders that it alone fills."""
    if folder.exists(_name(name)):
        content = json.loads(folder.read(_name(name)))
        if content["key"] == key:
            finished = {int(shard): counts for shard, counts in content["finished"].items()}
            return StepState(name, key, finished, content["seconds"])
    for output in outputs:
        folder.remove(output)
    state = StepState(name, key)
    state.save(folder)
    return state


def step_key(*parts: Any) -> str:
    """16 hex digits for what decides a step's files: settings as plain data, and keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _name(step: str) -> str:
    return f"{STEPS}/{step}.json"
