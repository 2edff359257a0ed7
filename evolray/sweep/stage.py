"""`sweep`: from a config to a table and a figure. Everything that can be wrong is found before the first job.

A rerun goes on: finished cells stay, jobs that still run are taken up, and a finished sweep is left as it is. More
checkpoints, benchmarks and settings may be added. Cells whose checkpoint was deleted after it was evaluated stay.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import SweepConfig
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.layout import LocalFolder, hold
from evolray.pool.manifest import MANIFEST, RUN, describe_run
from evolray.sweep.grid import Grid
from evolray.sweep.plan import Plan
from evolray.sweep.progress import Progress
from evolray.sweep.results import STAGE, Sweep, open_local, read, read_manifest, write_figures, write_tables
from evolray.sweep.rows import make_row
from evolray.sweep.schedule import Entry, Server
from evolray.sweep.sources import find_sources, shown

__all__ = ["Sweep", "sweep"]

logger = logging.getLogger("evolray")

Command = Callable[[Path], list[str]]

POLL_SECONDS = 1.0
STOP_SECONDS = 60.0  # a cell writes down what it has; a second Ctrl-C waits for nothing
WITH_LOG, LOG_LINES = 3, 8  # failed cells of which the error shows the end of the log, and how much of it


def sweep(config: SweepConfig, *, console: Console | None = None, command: Command | None = None) -> Sweep:
    """Evaluate every cell, or those that are not finished yet.

    `command` stands in for `evolray evaluate`: from the path of a cell's config to what comes behind the interpreter.
    Raises UserError, Interrupted, or EvolrayError when cells failed, after all others are done and shown.
    """
    folder = open_local(config.run)
    _check(config)
    if folder.exists(RUN) and f"stage: {STAGE}".encode() not in folder.read(RUN):
        raise UserError(f"run={folder.url}: holds the run of another stage; choose another run=.")
    if config.working_dir and "://" not in config.working_dir:
        config = replace(config, working_dir=str(Path(config.working_dir).expanduser().absolute()))
    grid = Grid(config)
    if bool(config.checkpoints) == bool(grid.endpoint):
        raise UserError("expected checkpoints=[...] or evaluate.endpoint.model=NAME, one of the two.")
    before = read_manifest(folder)
    sources = find_sources(config.checkpoints, before.get("labels", {}))
    with hold(folder):
        run = Run(config, folder, Plan(config, folder, grid, sources, before.get("cells", [])), before)
        describe_run(folder, _shown({**asdict(config), "run": folder.url}), {}, {"stage": STAGE})
        run.work(console, command)
    return read(config.run)


class Run:
    """One invocation, up to the last cell or to what stops the sweep."""

    def __init__(self, config: SweepConfig, folder: LocalFolder, plan: Plan, before: dict[str, Any]) -> None:
        self._started = time.monotonic()
        self._config, self._folder, self._plan, self._before = config, folder, plan, before
        self._scores: dict[str, dict[str, Any]] = {}

    def work(self, console: Console | None, command: Command | None) -> None:
        if not self._plan.is_done:
            self._submit_all(console, command)
        else:
            logger.info("%s: nothing to do, %s", self._folder.url, _said(self._plan.counts()))
            if self._before.get("status") == "complete" and self._before["cells"] == [*self._plan.cells()]:
                return
        self._conclude()

    def _submit_all(self, console: Console | None, command: Command | None) -> None:
        from evolray.sweep import on_ray  # Ray takes a second to import: not before it is needed

        counts = self._plan.counts()
        title = f"sweep of {sum(counts.values()):,} cells, {self._config.jobs} at once, into {self._folder.url}"
        logger.info("%s; %d complete", title, counts["complete"])
        progress = Progress(title, self._config.log_seconds, console)
        self._plan.tell = progress.tell
        self._write("running")
        try:
            with (
                interrupted_by_sigterm(),
                on_ray.job_server(self._config, self._folder.path.name, command or on_ray.evaluate) as server,
            ):
                logger.info("the jobs are in the dashboard at %s", server.url)
                try:
                    with progress:
                        self._follow(server, progress)
                except KeyboardInterrupt:
                    self._stop(server)
                    raise
        except KeyboardInterrupt:
            message = f"interrupted: {_said(self._plan.counts())}; the same command goes on from here"
            self._write("interrupted", message)
            raise Interrupted(message) from None
        except EvolrayError as error:
            self._write("stopped", str(error))
            raise

    def _follow(self, server: Server, progress: Progress) -> None:
        schedule, looked = self._plan.schedule, time.monotonic()
        while True:
            if self._plan.is_growing and time.monotonic() - looked >= self._config.watch_seconds:
                self._plan.grow()
                looked = time.monotonic()
            if schedule.step(server):
                self._write("running")
            progress.show(self._plan.counts(), schedule.running, self._plan.is_growing)
            if self._plan.is_done:
                return
            time.sleep(POLL_SECONDS)

    def _stop(self, server: Server) -> None:
        schedule = self._plan.schedule
        logger.info("stopping %d jobs", len(schedule.running))
        schedule.stop(server)
        deadline = time.monotonic() + STOP_SECONDS
        while not schedule.has_stopped(server) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 2)

    def _conclude(self) -> None:
        failed = [entry for entry in self._plan.schedule.entries.values() if entry.record.state == "failed"]
        message = self._failures(failed) if failed else ""
        write_figures(self._folder, self._write("stopped" if failed else "complete", message))
        if failed:
            raise EvolrayError(message)

    def _failures(self, failed: Sequence[Entry]) -> str:
        """All by name, the first ones with the end of their log."""
        lines = [f"{len(failed):,} of {len(self._plan.cells()):,} cells failed:"]
        for number, entry in enumerate(failed):
            lines.append(f"  {entry.cell.title}: {entry.record.message}")
            if number < WITH_LOG:
                lines += [f"    {line}" for line in self._plan.records.log_end(entry.cell.name, LOG_LINES)]
        lines.append(
            f"{self._folder.url}/table.csv has the others. Once the cause is gone, the same command with "
            "retry_failed=true tries these again."
        )
        return "\n".join(lines)

    def _write(self, status: str, message: str = "") -> Sweep:
        """The manifest and the tables."""
        done = self._result()
        manifest = {
            "run": self._folder.url,
            "stage": STAGE,
            "status": status,
            "counts": self._plan.counts(),
            "best": done.best.as_dict(),
            "labels": {source.label: shown(source.place) for source in self._plan.sources},
            "cells": [row.cell for row in done.rows],
            "seconds": round(float(self._before.get("seconds", 0.0)) + time.monotonic() - self._started, 1),
            "message": message,
            "updated_at": time.time(),
        }
        write_tables(self._folder, done.rows, done.best)
        self._folder.write(MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")
        return done

    def _result(self) -> Sweep:
        """Scores are read once: there may be many cells, on a slow file system."""
        cells = self._plan.cells()
        for name, record in cells.items():
            if record.state == "complete" and name not in self._scores:
                self._scores[name] = self._plan.records.scores(name) or {}
        rows = (make_row(name, record, self._scores.get(name)) for name, record in cells.items())
        return Sweep(self._folder.url, tuple(rows))


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in counts.items() if number) or "no cells"


def _check(config: SweepConfig) -> None:
    if config.jobs < 1:
        raise UserError(f"jobs={config.jobs}: expected at least 1.")
    if config.retries < 0:
        raise UserError(f"retries={config.retries}: expected 0 or more.")
    if config.watch_seconds <= 0:
        raise UserError(f"watch_seconds={config.watch_seconds:g}: expected more than 0.")
    if config.working_dir and "://" not in config.working_dir and not Path(config.working_dir).expanduser().is_dir():
        raise UserError(f"working_dir={config.working_dir}: no such folder.")


def _shown(value: Any) -> Any:
    """Settings as run.yaml may show them: URLs without credentials."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return shown(value) if isinstance(value, str) else value
