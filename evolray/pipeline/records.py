"""What is known of a step, in the run directory.

    steps/NAME/step.json      what it is, and every job that was submitted for it
    steps/NAME/config.yaml    the stage's config, as the last job read it
    steps/NAME/job.log        the logs of the jobs that failed

A job's id is written before it is submitted, so that an interrupted run finds its jobs again.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from evolray.cluster.jobs.logs import own_lines
from evolray.errors import UserError
from evolray.pool.layout import Folder, LocalFolder, cannot_write

STEPS, CONFIG, RECORD, LOG = "steps", "config.yaml", "step.json", "job.log"
STATES = ("complete", "running", "waiting", "failed")
MOST_LOG = 1_000_000  # bytes of job.log that are kept: the last ones


@dataclass
class Attempt:
    """One job. `outcome`: submitted, then succeeded, failed, stopped or lost. Only failed ones count against `retries`.

    `started` and `ended` are seconds since 1970: when it was submitted, and when its end was seen.
    """

    job: str
    outcome: str = "submitted"
    message: str = ""
    exit_code: int | None = None
    started: float = field(default_factory=time.time)
    ended: float | None = None


@dataclass
class StepRecord:
    """`state`: one of STATES. `failures` are those that count against `retries`."""

    name: str
    stage: str
    state: str = "waiting"
    message: str = ""
    failures: int = 0
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def started(self) -> float | None:
        """When its first job was submitted, in seconds since 1970."""
        return self.attempts[0].started if self.attempts else None

    @property
    def ended(self) -> float | None:
        """When it was seen that its last job had ended; None while one may still run."""
        return self.attempts[-1].ended if self.attempts else None

    @property
    def seconds(self) -> float:
        """How long its jobs took together, up to now where one runs; the wait for a place in the cluster counts."""
        return sum((one.ended or time.time()) - one.started for one in self.attempts)

    @property
    def exit_code(self) -> int | None:
        """Of the last job, where it is known."""
        return self.attempts[-1].exit_code if self.attempts else None


def read_steps(folder: Folder) -> dict[str, StepRecord]:
    """All steps of a run directory by name, in the order in which they began; those that wait come last.

    Raises UserError for a file that was edited.
    """
    records = Records(folder)
    found = {name: record for name in _names(folder, STEPS) if (record := records.read(name))}
    return dict(sorted(found.items(), key=lambda one: (one[1].started or float("inf"), one[0])))


class Records:
    """Those of one run."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def place(self, name: str, file: str = "") -> str:
        return f"{self.folder.url}/{STEPS}/{name}/{file}".rstrip("/")

    def read(self, name: str) -> StepRecord | None:
        if (text := self._read(name, RECORD)) is None:
            return None
        try:
            content = json.loads(text)
            return StepRecord(**{**content, "attempts": [Attempt(**one) for one in content["attempts"]]})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{self.place(name, RECORD)} cannot be read ({error}); was it edited?") from None

    def write(self, record: StepRecord) -> None:
        self.folder.write(f"{STEPS}/{record.name}/{RECORD}", json.dumps(asdict(record), indent=1).encode() + b"\n")

    def config(self, name: str) -> str | None:
        """What the last job read, None when there was none."""
        text = self._read(name, CONFIG)
        return None if text is None else text.decode()

    def write_config(self, name: str, text: str) -> None:
        """On a file system for this user alone: the address of an endpoint may hold a password."""
        if isinstance(self.folder, LocalFolder):
            _write_private(self.folder, f"{STEPS}/{name}/{CONFIG}", text.encode())
        else:
            self.folder.write(f"{STEPS}/{name}/{CONFIG}", text.encode())

    def add_log(self, name: str, title: str, log: str) -> None:
        """Behind the logs of earlier jobs, of which the oldest go when there is too much."""
        before = self._read(name, LOG) or b""
        text = before + f"=== {title}\n{log.rstrip()}\n\n".encode()
        self.folder.write(f"{STEPS}/{name}/{LOG}", text[-MOST_LOG:])

    def log_end(self, name: str, lines: int) -> list[str]:
        """The last lines of the log of the job that failed last."""
        return own_lines((self._read(name, LOG) or b"").decode(errors="replace"))[-lines:]

    def _read(self, name: str, file: str) -> bytes | None:
        path = f"{STEPS}/{name}/{file}"
        return self.folder.read(path) if self.folder.exists(path) else None


def _names(folder: Folder, place: str) -> Iterator[str]:
    """Of all steps below `place`: names have parts, as in "round-2/train"."""
    found: list[Any] = folder.names(place)
    if RECORD in found:
        yield place.removeprefix(f"{STEPS}/")
    for name in found:
        if name not in (RECORD, CONFIG, LOG):
            yield from _names(folder, f"{place}/{name}")


def _write_private(folder: LocalFolder, name: str, data: bytes) -> None:
    target = folder.path / name
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise cannot_write(str(target), error) from error
