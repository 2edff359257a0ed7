"""Runs steps: those without open needs side by side, and what is complete on disk not again."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Self

from rich.console import Console

from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import JobsConfig
from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError
from evolray.pipeline.progress import Progress
from evolray.pipeline.records import LOG, Records, read_steps
from evolray.pipeline.schedule import Entry, Schedule, Server
from evolray.pipeline.step import SHOWING, WORKING, Step
from evolray.pool.layout import Folder, open_folder
from evolray.pool.manifest import MANIFEST

logger = logging.getLogger("evolray")

OpenServer = Callable[[Folder, str, JobsConfig], AbstractContextManager[Server]]

POLL_SECONDS = 0.5
STOP_SECONDS = 610.0  # a training writes a checkpoint first; a second Ctrl-C waits for nothing
WITH_LOG, LOG_LINES = 3, 8  # failed steps of which the error shows the end of the log, and how much of it
ERRORS = {kind.exit_code: kind for kind in (UserError, EndpointError, BudgetError)}


class Pipeline:
    """The steps of one run, in a with-block around all of them.

    The job server is looked for, or a Ray of the run's own started, at the first step that has something to do; it is
    kept to the end of the block. `folder` is the run directory, which the caller holds; `name` stands in the ids of
    jobs and in their metadata. `open_server` stands in for the job server: from the folder, the name and the settings.
    """

    def __init__(
        self, folder: Folder, name: str, jobs: JobsConfig, *, title: str = "", console: Console | None = None,
        open_server: OpenServer | None = None,
    ) -> None:  # fmt: skip
        """Raises UserError for settings that cannot be."""
        self._folder, self._name, self._jobs = folder, name, _checked(jobs)
        self._title, self._console, self._open_server = title, console, open_server
        self._records = Records(folder)
        self._stack = contextlib.ExitStack()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(interrupted_by_sigterm())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        self._server = None
        if kind is KeyboardInterrupt:  # between two steps
            raise Interrupted("interrupted; the same command goes on from here") from None

    def run(self, steps: Sequence[Step]) -> None:
        """Returns when all are complete.

        Raises UserError, EndpointError or BudgetError when a step's job ended with such an error, EvolrayError when one
        failed otherwise, with the end of its log; Interrupted after Ctrl-C or SIGTERM, when the jobs were stopped.
        """
        progress = Progress(self._title, self._jobs.log_seconds, self._console)
        schedule = Schedule(self._records, self._name, self._jobs.at_once, self._jobs.retries, _has_left, progress.tell)
        schedule.add(steps, self._jobs.retry_failed)
        if not schedule.is_idle:
            self._title = ""  # said once, above the first steps
            self._work(schedule, progress)
        if schedule.failed:
            raise self._failure(schedule.failed)

    def states(self) -> dict[str, str]:
        """Of every step of this run on disk: waiting, running, complete or failed."""
        return {name: record.state for name, record in read_steps(self._folder).items()}

    def _work(self, schedule: Schedule, progress: Progress) -> None:
        try:
            server = self._open()
            try:
                with progress:
                    _follow(schedule, server, progress)
            except KeyboardInterrupt:
                _stop(schedule, server)
                raise
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {_said(schedule)}; the same command goes on from here") from None

    def _open(self) -> Server:
        if self._server is None:
            if self._open_server is None:
                from evolray.pipeline.on_ray import step_server  # Ray takes a second to import

                self._open_server = step_server
            self._server = self._stack.enter_context(self._open_server(self._folder, self._name, self._jobs))
            logger.info("the jobs are in the dashboard at %s", self._server.url)
        return self._server

    def _failure(self, failed: Sequence[Entry]) -> EvolrayError:
        """All by name, the first ones with the end of their log; of the kind that the first one's exit code says."""
        lines = []
        for number, entry in enumerate(failed):
            name, jobs = entry.step.name, len(entry.record.attempts)
            tried = f" ({jobs:,} jobs)" if jobs > 1 else ""
            lines.append(
                f"step {name} failed: {entry.record.message}{tried}; its log: {self._records.place(name, LOG)}"
            )
            if number < WITH_LOG:
                lines += [f"    {line}" for line in self._records.log_end(name, LOG_LINES)]
        kind = ERRORS.get(failed[0].record.exit_code or 0, EvolrayError)
        again = " with jobs.retry_failed=true" if kind is EvolrayError else ""
        lines.append(f"Once the cause is gone, the same command{again} goes on from here.")
        return kind("\n".join(lines))


def _follow(schedule: Schedule, server: Server, progress: Progress) -> None:
    entries = list(schedule.entries.values())
    while True:
        schedule.step(server)
        progress.show(entries, server)
        if schedule.is_idle:
            return
        time.sleep(POLL_SECONDS)


def _stop(schedule: Schedule, server: Server) -> None:
    logger.info("stopping %d jobs; they write down what they have", len(schedule.running))
    schedule.stop(server)
    deadline = time.monotonic() + STOP_SECONDS
    while not schedule.has_stopped(server) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 2)


def _said(schedule: Schedule) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in schedule.counts().items() if number)


def _has_left(step: Step) -> bool:
    """Whether the stage's manifest says complete."""
    if step.stage not in WORKING:
        return True
    folder = open_folder(step.config.run)
    try:
        return bool(json.loads(folder.read(MANIFEST)).get("status") == "complete")
    except (OSError, ValueError):
        return False


def _checked(jobs: JobsConfig) -> JobsConfig:
    """With an absolute path, as jobs work in another directory."""
    if jobs.at_once < 1:
        raise UserError(f"jobs.at_once={jobs.at_once}: expected at least 1.")
    if jobs.retries < 0:
        raise UserError(f"jobs.retries={jobs.retries}: expected 0 or more.")
    if unknown := [stage for stage in jobs.stages if stage not in WORKING + SHOWING]:
        known = ", ".join(WORKING + SHOWING)
        raise UserError(f"jobs.stages.{unknown[0]}: no such stage; expected one of {known}.")
    if jobs.working_dir is None or "://" in jobs.working_dir:
        return jobs
    folder = Path(jobs.working_dir).expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"jobs.working_dir={jobs.working_dir}: no such folder.")
    return replace(jobs, working_dir=str(folder))
