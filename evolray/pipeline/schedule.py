"""Which step is submitted, tried again, given up: one `step` at a time, without a clock or a cluster of its own.

A job that ended badly is followed by another one, up to `retries` times over all invocations; not so when it ended with
a code that says that trying again is of no use. Once a step has failed for good, those that run go on to their end,
and no other one is submitted. Jobs that an earlier invocation left running are taken up, unless the step's config has
changed since: then they are stopped, and the step is submitted anew.
"""

import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evolray.cluster.jobs.job import Job
from evolray.config import to_yaml
from evolray.errors import BudgetError, EndpointError, UserError
from evolray.pipeline.records import STATES, Attempt, Records, StepRecord
from evolray.pipeline.step import Step

FUTILE = (UserError.exit_code, EndpointError.exit_code, BudgetError.exit_code)
UNKNOWN = "the job server knows nothing of its job (any more)"
LONGEST_ID = 180  # the id is part of the name of a log file


class Server(Protocol):
    """What takes the jobs. A call that fails for a while is repeated by whoever implements this."""

    @property
    def url(self) -> str: ...

    def submit(self, job: str, step: Step) -> None: ...

    def look(self, job: str) -> Job | None:
        """None when the server does not know it (any more)."""
        ...

    def stop(self, job: str) -> None: ...

    def log(self, job: str) -> str: ...


@dataclass
class Entry:
    """`config` is the step's as its next job will read it."""

    step: Step
    record: StepRecord
    config: str
    is_pending: bool = True
    """Its job waits for a place in the cluster."""
    is_ours: bool = False
    """Its job was submitted by this invocation."""
    is_stale: bool = False
    """Its job was submitted with another config."""
    looks_after_end: int = 0

    @property
    def job(self) -> str:
        return self.record.attempts[-1].job


@dataclass
class Schedule:
    """`has_left` says whether a step's results are there; `tell` gets a line when something becomes of a step.

    `patience`: looks at a step whose job ended well until its results must be there; on network file systems they show
    late on other nodes.
    """

    records: Records
    run: str
    at_once: int
    retries: int
    has_left: Callable[[Step], bool]
    tell: Callable[[str], None]
    patience: int = 30
    entries: dict[str, Entry] = field(default_factory=dict)
    _waiting: list[Entry] = field(default_factory=list)
    _running: list[Entry] = field(default_factory=list)

    def add(self, steps: Sequence[Step], retry_failed: bool = False) -> None:
        """Take in steps; each only needs those that come before it, or that were complete before.

        Those that are complete with the same config stay so. So do those that failed, unless `retry_failed` or the
        cause was one of FUTILE: of these, whoever starts the run again will have removed it.
        """
        for step in steps:
            self._check(step)
            record = self.records.read(step.name) or StepRecord(step.name, step.stage)
            entry = self.entries[step.name] = Entry(step, record, to_yaml(step.config))
            was_submitted = bool(record.attempts) and record.attempts[-1].outcome == "submitted"
            has_changed = bool(record.attempts) and self.records.config(step.name) != entry.config
            if was_submitted:
                entry.is_stale = has_changed
                self._running.append(entry)  # by an earlier invocation; the next step looks what became of it
            elif has_changed or not record.attempts:
                self._wait(entry, failures=0)
            elif record.state == "waiting" or (record.state == "failed" and _may_retry(record, retry_failed)):
                self._wait(entry, failures=0 if record.state == "failed" else record.failures)

    def step(self, server: Server) -> bool:
        """Look at what runs, submit what may run; True when something has changed."""
        before = self.counts()
        for entry in list(self._running):
            self._look(server, entry)
        for entry in self._ready():
            if len(self._running) < self.at_once:
                self._submit(server, entry)
        return self.counts() != before

    @property
    def is_idle(self) -> bool:
        return not self._running and not self._ready()

    @property
    def running(self) -> list[Entry]:
        return list(self._running)

    @property
    def failed(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.record.state == "failed"]

    def counts(self) -> dict[str, int]:
        found = Counter(entry.record.state for entry in self.entries.values())
        return {state: found[state] for state in STATES}

    def stop(self, server: Server) -> None:
        """Ask all running jobs to end. `has_stopped` says when they have."""
        for entry in self._running:
            server.stop(entry.job)

    def has_stopped(self, server: Server) -> bool:
        """Looks at what runs, for the last time for each job that has ended."""
        for entry in list(self._running):
            job = server.look(entry.job)
            if job and job.has_succeeded and not entry.is_stale:
                self._end(entry, "succeeded", job)
                self._conclude(entry, "complete")
            elif job is None or job.has_ended:
                self._end(entry, "stopped", job, "the run was interrupted")
                self._wait(entry, entry.record.failures)
        return not self._running

    # --- the inside ---

    def _check(self, step: Step) -> None:
        if step.name in self.entries:
            raise ValueError(f"two steps are named {step.name!r}")
        for need in step.needs:
            if need not in self.entries and not self._is_complete(need):
                raise ValueError(f"step {step.name!r} needs {need!r}, which neither comes before it nor is complete")

    def _is_complete(self, name: str) -> bool:
        entry = self.entries.get(name)
        record = entry.record if entry else self.records.read(name)
        return record is not None and record.state == "complete"

    def _ready(self) -> list[Entry]:
        """What waits for nothing but a place among those at once."""
        if self.failed:
            return []
        return [entry for entry in self._waiting if all(self._is_complete(need) for need in entry.step.needs)]

    def _submit(self, server: Server, entry: Entry) -> None:
        record = entry.record
        self._waiting.remove(entry)
        self.records.write_config(entry.step.name, entry.config)
        record.attempts.append(Attempt(_job_id(self.run, entry.step, len(record.attempts) + 1)))
        entry.is_pending, entry.is_ours, entry.is_stale, entry.looks_after_end = True, True, False, 0
        self._write(entry, "running")
        self._running.append(entry)
        server.submit(entry.job, entry.step)
        self.tell(f"{entry.step.name}: started, as job {entry.job}")

    def _look(self, server: Server, entry: Entry) -> None:
        job = server.look(entry.job)
        if entry.is_stale:
            self._look_at_stale(server, entry, job)
        elif job is None and not entry.is_ours:
            self._end(entry, "lost", job, UNKNOWN)
            self._wait(entry, entry.record.failures)
        elif job and job.found_no_place:
            self._end(entry, "lost", job, job.message)
            self._wait(entry, entry.record.failures)
            self.tell(f"{entry.step.name}: no place in the cluster yet; its job is submitted again")
        elif job is None or (job.has_ended and not job.has_succeeded):
            self._fail(server, entry, job or Job(has_ended=True, message=UNKNOWN))
        elif not job.has_ended:
            entry.is_pending = job.is_pending
        elif self.has_left(entry.step):
            self._end(entry, "succeeded", job)
            self._conclude(entry, "complete")
        elif entry.looks_after_end < self.patience:
            entry.looks_after_end += 1
        else:
            self._fail(server, entry, job)

    def _look_at_stale(self, server: Server, entry: Entry, job: Job | None) -> None:
        if job and not job.has_ended:
            server.stop(entry.job)
        else:
            self._end(entry, "stopped", job, "its settings have changed")
            self._wait(entry, failures=0)

    def _fail(self, server: Server, entry: Entry, job: Job) -> None:
        record, name = entry.record, entry.step.name
        why = job.message
        if job.has_succeeded:
            why = f"its job left nothing complete in {entry.step.config.run}; does every node see this folder?"
        self.records.add_log(name, f"{entry.job}: {why}", server.log(entry.job))
        self._end(entry, "failed", job, why)
        record.failures += 1
        if record.failures <= self.retries and job.exit_code not in FUTILE:
            self._wait(entry, record.failures)
            self.tell(f"{name}: {why}; retry {record.failures} of {self.retries}")
        else:
            self._conclude(entry, "failed", why)

    def _wait(self, entry: Entry, failures: int) -> None:
        entry.record.failures, entry.record.message = failures, ""
        self._write(entry, "waiting")
        self._waiting.append(entry)

    def _end(self, entry: Entry, outcome: str, job: Job | None, message: str = "") -> None:
        attempt = entry.record.attempts[-1]
        attempt.outcome, attempt.message, attempt.ended = outcome, message, time.time()
        attempt.exit_code = job.exit_code if job else None
        self._running.remove(entry)

    def _conclude(self, entry: Entry, state: str, message: str = "") -> None:
        entry.record.message = message
        self._write(entry, state)
        self.tell(f"{entry.step.name}: {state}{f', {message}' if message else ''}")

    def _write(self, entry: Entry, state: str) -> None:
        entry.record.state = state
        self.records.write(entry.record)


def _may_retry(record: StepRecord, retry_failed: bool) -> bool:
    return retry_failed or record.exit_code in FUTILE


def _job_id(run: str, step: Step, attempt: int) -> str:
    """Readable in the dashboard; unique in a cluster that has seen a run of this name before."""
    readable = re.sub(r"[^\w.-]+", "-", f"{run}-{step.name}")[:LONGEST_ID]
    return f"{readable}-{attempt}-{secrets.token_hex(3)}"
