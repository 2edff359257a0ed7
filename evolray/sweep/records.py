"""What is known of a cell, in its folder.

    evaluate.yaml     its config, which the job reads
    cell.json         what it is, and every job that was submitted for it
    job.log           the logs of the jobs that failed
    scores.json, manifest.json, ...     what `evolray evaluate` leaves

A cell is finished when its scores are there and its manifest says complete, whatever became of the job. A job's id is
written before it is submitted, so that an interrupted sweep finds its jobs again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evolray.cluster.jobs.logs import own_lines
from evolray.config import EvaluateConfig, load, to_yaml
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.pool.manifest import MANIFEST
from evolray.sweep.grid import Cell
from evolray.sweep.sources import shown

CONFIG, RECORD, LOG, SCORES = "evaluate.yaml", "cell.json", "job.log", "scores.json"
ENDED = ("succeeded", "failed", "stopped", "lost")

# Settings that move no score: how fast it goes, what it costs, what is tried again. Of an endpoint or a checkpoint, be
# it the model or the judge, and of `evolray evaluate` beside them.
PACE_OF_SAMPLER = (
    "workers", "engine", "budget", "batch_tokens", "retry_failed", "endpoint.base_url", "endpoint.api_key_env",
    "endpoint.timeout_seconds", "endpoint.max_retries", "endpoint.give_up_seconds", "endpoint.max_in_flight",
    "endpoint.requests_per_minute", "endpoint.tokens_per_minute", "endpoint.price_per_million_prompt_tokens",
    "endpoint.price_per_million_completion_tokens",
)  # fmt: skip
PACE = (
    "run", *PACE_OF_SAMPLER, *(f"judge.{one}" for one in PACE_OF_SAMPLER), "execution.parallel", "lm_eval.batch_size",
)  # fmt: skip
TEMPERATURE = "sampling.temperature"


@dataclass
class Attempt:
    """`outcome`: submitted, then one of ENDED. Only failed ones count against `retries`."""

    job: str
    outcome: str = "submitted"
    message: str = ""


@dataclass
class Record:
    """`state`: waiting, running, complete, failed, or deleted (its checkpoint, before it was evaluated)."""

    checkpoint: str
    model: str | None
    step: int | None
    benchmark: str
    settings: dict[str, Any]
    state: str = "waiting"
    message: str = ""
    failures: int = 0
    attempts: list[Attempt] = field(default_factory=list)


class Records:
    """Those of one sweep."""

    def __init__(self, folder: LocalFolder) -> None:
        self.folder = folder

    def place(self, name: str, file: str = "") -> str:
        return str(self.folder.path / name / file)

    def read(self, name: str) -> Record | None:
        content = self._json(f"{name}/{RECORD}")
        if content is None:
            return None
        try:
            return Record(**{**content, "attempts": [Attempt(**one) for one in content["attempts"]]})
        except (KeyError, TypeError) as error:
            raise UserError(f"{self.place(name, RECORD)} cannot be read ({error}); was it edited?") from None

    def write(self, name: str, record: Record) -> None:
        self.folder.write(f"{name}/{RECORD}", json.dumps(asdict(record), indent=1).encode() + b"\n")

    def find(self, cell: Cell) -> Record:
        """The one on disk, or a new one."""
        student = cell.student
        return self.read(cell.name) or Record(
            student.label, student.model and shown(student.model), student.step, cell.benchmark, dict(cell.settings)
        )

    def settle(self, cell: Cell) -> None:
        """Write the cell's config. Raises UserError when another one that gives other scores has been at work there."""
        path, text = self.folder.path / cell.name / CONFIG, to_yaml(cell.config).encode()
        if path.exists():
            if path.read_bytes() == text:
                return
            old, new = (_scoring(one) for one in (load(EvaluateConfig, [str(path)]), cell.config))
            if b"\njudge:" not in path.read_bytes() and new[TEMPERATURE] is None:
                new[TEMPERATURE] = 0.0  # before there were judged benchmarks, 0 stood for what is null now
            if differing := [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]:
                key = differing[0]
                raise UserError(
                    f"{path.parent} was made with {key}={old.get(key)} and would now go on with {key}={new.get(key)}. "
                    "Choose another run=, or go back to that setting."
                )
            if self.scores(cell.name) is not None:  # the config it was made with stays beside the scores
                return
        self.folder.write(f"{cell.name}/{CONFIG}", text)
        path.chmod(0o600)  # the address of an endpoint may hold a password

    def scores(self, name: str) -> dict[str, Any] | None:
        """What the finished cell scored, None when it is not finished."""
        manifest = self._json(f"{name}/{MANIFEST}") or {}
        scores = self._json(f"{name}/{SCORES}")
        if manifest.get("status") != "complete" or not scores:
            return None
        return dict(next(iter(scores.values())))

    def add_log(self, name: str, title: str, log: str) -> None:
        """Behind the logs of earlier jobs."""
        before = self.folder.read(f"{name}/{LOG}") if self.folder.exists(f"{name}/{LOG}") else b""
        self.folder.write(f"{name}/{LOG}", before + f"=== {title}\n{log.rstrip()}\n\n".encode())

    def log_end(self, name: str, lines: int) -> list[str]:
        """The last lines of the log of the job that failed last."""
        try:
            return own_lines(self.folder.read(f"{name}/{LOG}").decode(errors="replace"))[-lines:]
        except FileNotFoundError:
            return []

    def _json(self, name: str) -> dict[str, Any] | None:
        try:
            content = json.loads(self.folder.read(name))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise UserError(f"{self.folder.url}/{name} cannot be read ({error}); was it edited?") from None
        return content if isinstance(content, dict) else None


def _scoring(config: EvaluateConfig) -> dict[str, Any]:
    """The settings that move scores, by dotted name."""
    flat = _flat(asdict(config))
    return {key: value for key, value in flat.items() if not any(f"{key}.".startswith(f"{one}.") for one in PACE)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
