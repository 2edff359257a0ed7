"""Which cell is submitted, tried again, given up: one `step` at a time, without a clock or a cluster of its own.

A job that ended badly is followed by another one, up to `retries` times over all invocations; not so when it ended with
a code that says that trying again is of no use. At most `jobs` are submitted at once; those that an earlier
invocation left running are taken up. A job that was stopped in the dashboard counts as failed.
"""

import re
import secrets
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evolray.cluster.jobs.job import Job
from evolray.errors import BudgetError, UserError
from evolray.sweep.grid import Cell
from evolray.sweep.records import LOG, Attempt, Record, Records

FUTILE = (UserError.exit_code, BudgetError.exit_code)
UNKNOWN = "the job server knows nothing of its job (any more)"
LONGEST_ID = 180  # the id is part of the name of a log file
STATES = ("complete", "running", "waiting", "failed", "deleted")


class Server(Protocol):
    """What takes the jobs. A call that fails for a while is repeated by whoever implements this."""

    def submit(self, job: str, cell: Cell) -> None: ...

    def look(self, job: str) -> Job | None:
        """None when the server does not know it (any more)."""
        ...

    def stop(self, job: str) -> None: ...

    def log(self, job: str) -> str: ...


@dataclass
class Entry:
    cell: Cell
    record: Record
    is_pending: bool = True
    is_ours: bool = False
    """Its job was submitted by this invocation."""
    looks_after_end: int = 0


@dataclass
class Schedule:
    """`tell` gets a line when a cell ends or is tried again. `patience`: looks at a cell whose job ended well until
    its scores must be there; on network file systems they show late on other nodes."""

    records: Records
    sweep: str
    jobs: int
    retries: int
    is_there: Callable[[Cell], bool]
    tell: Callable[[str], None]
    patience: int = 30
    entries: dict[str, Entry] = field(default_factory=dict)
    _waiting: deque[Entry] = field(default_factory=deque)
    _running: list[Entry] = field(default_factory=list)

    def add(self, cells: Sequence[Cell], retry_failed: bool = False) -> None:
        """Take in cells that are new; those that are finished, or failed earlier, stay as they are."""
        for cell in cells:
            if cell.name in self.entries:
                raise UserError(f"{cell.title}: two cells have this name; rename a checkpoint's folder.")
            entry = self.entries[cell.name] = Entry(cell, self.records.find(cell))
            record = entry.record
            if self.records.scores(cell.name) is not None:
                if record.state != "complete":
                    self._conclude(entry, "complete")
            elif record.state == "failed" and not retry_failed:
                continue
            elif record.attempts and record.attempts[-1].outcome == "submitted":
                self._running.append(entry)  # by an earlier invocation; the next step looks what became of it
            else:
                self._wait(entry, failures=0 if record.state == "failed" else record.failures)

    def step(self, server: Server) -> bool:
        """Look at what runs, submit what may run; True when something has changed."""
        before = self.counts()
        for entry in list(self._running):
            self._look(server, entry)
        while self._waiting and len(self._running) < self.jobs:
            self._submit(server, self._waiting.popleft())
        return self.counts() != before

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running

    @property
    def running(self) -> list[Entry]:
        return list(self._running)

    def counts(self) -> dict[str, int]:
        found = Counter(entry.record.state for entry in self.entries.values())
        return {state: found[state] for state in STATES}

    def stop(self, server: Server) -> None:
        """Ask all running jobs to end. `has_stopped` says when they have."""
        for entry in self._running:
            server.stop(entry.record.attempts[-1].job)

    def has_stopped(self, server: Server) -> bool:
        """Looks at what runs, for the last time for each job that has ended."""
        for entry in list(self._running):
            job = server.look(entry.record.attempts[-1].job)
            if self.records.scores(entry.cell.name) is not None:
                self._end(entry, "succeeded")
                self._conclude(entry, "complete")
            elif job is None or job.has_ended:
                self._end(entry, "stopped", "the sweep was interrupted")
                self._write(entry, "waiting")
        return not self._running

    # --- the inside ---

    def _submit(self, server: Server, entry: Entry) -> None:
        if not self.is_there(entry.cell):
            self._conclude(entry, "deleted", "its checkpoint was deleted before its turn came")
            return
        record = entry.record
        record.attempts.append(Attempt(_job_id(self.sweep, entry.cell, len(record.attempts) + 1)))
        entry.is_pending, entry.is_ours, entry.looks_after_end = True, True, 0
        self._write(entry, "running")
        self._running.append(entry)
        server.submit(record.attempts[-1].job, entry.cell)

    def _look(self, server: Server, entry: Entry) -> None:
        job = server.look(entry.record.attempts[-1].job)
        if job and not job.has_ended:
            entry.is_pending = job.is_pending
        elif self.records.scores(entry.cell.name) is not None:
            self._end(entry, "succeeded")
            self._conclude(entry, "complete")
        elif job is None and not entry.is_ours:
            self._end(entry, "lost", UNKNOWN)
            self._wait(entry, entry.record.failures)
        elif job and job.found_no_place:
            self._end(entry, "lost", job.message)
            self._wait(entry, entry.record.failures)
            self.tell(f"{entry.cell.title}: no place in the cluster yet; its job is submitted again")
        elif job and job.has_succeeded and entry.looks_after_end < self.patience:
            entry.looks_after_end += 1
        else:
            self._fail(server, entry, job or Job(has_ended=True, message=UNKNOWN))

    def _fail(self, server: Server, entry: Entry, job: Job) -> None:
        record, title = entry.record, entry.cell.title
        attempt, why = record.attempts[-1], job.message
        if job.has_succeeded:
            why = f"its job left no scores in {self.records.place(entry.cell.name)}; does every node see this folder?"
        log = server.log(attempt.job)
        self.records.add_log(entry.cell.name, f"{attempt.job}: {why}", log)
        self._end(entry, "failed", why)
        record.failures += 1
        if not self.is_there(entry.cell):
            self._conclude(entry, "deleted", "its checkpoint was deleted while it was evaluated")
        elif record.failures <= self.retries and job.exit_code not in FUTILE:
            self._wait(entry, record.failures)
            self.tell(f"{title}: {why}; retry {record.failures} of {self.retries}")
        else:
            place, number = self.records.place(entry.cell.name, LOG), len(record.attempts)
            self._conclude(entry, "failed", f"{why} ({number:,} {'job' if number == 1 else 'jobs'}); its log: {place}")

    def _wait(self, entry: Entry, failures: int) -> None:
        entry.record.failures = failures
        self._write(entry, "waiting")
        self._waiting.append(entry)

    def _end(self, entry: Entry, outcome: str, message: str = "") -> None:
        entry.record.attempts[-1].outcome, entry.record.attempts[-1].message = outcome, message
        self._running.remove(entry)

    def _conclude(self, entry: Entry, state: str, message: str = "") -> None:
        entry.record.message = message
        self._write(entry, state)
        self.tell(f"{entry.cell.title}: {state}{f', {message}' if message else ''}")

    def _write(self, entry: Entry, state: str) -> None:
        entry.record.state = state
        self.records.write(entry.cell.name, entry.record)


def _job_id(sweep: str, cell: Cell, attempt: int) -> str:
    """Readable in the dashboard; unique in a cluster that has seen a sweep of this name before."""
    readable = re.sub(r"[^\w.-]+", "-", f"{sweep}-{cell.title}")[:LONGEST_ID]
    return f"{readable}-{attempt}-{secrets.token_hex(3)}"
