"""What a cluster's job server says of evolray's jobs, from anywhere that reaches it by HTTP."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evolray.cluster.jobs.job import Listed
from evolray.cluster.jobs.logs import last_line
from evolray.display import duration
from evolray.errors import EvolrayError
from evolray.pool.layout import open_folder
from evolray.pool.manifest import MANIFEST
from evolray.views.status import WITH_A_TABLE
from evolray.views.wording import shorten

OURS = re.compile(r"\bjobs/(\w+)\.py\b|\bevolray (\w+)|-m evolray\.cli (\w+)")
"""The command of a job that a user submitted, with its stage."""
BY_HAND = "submitted by hand"
MOST_LOGS = 50  # each is fetched whole
LINE_CHARACTERS, COMMAND_CHARACTERS = 100, 80
STYLES = {"running": "bold", "succeeded": "green", "failed": "red", "stopped": "yellow", "pending": "dim"}


@dataclass
class Step:
    """`jobs`: all that were submitted for it; the last one counts."""

    name: str
    stage: str
    jobs: list[Listed] = field(default_factory=list)

    @property
    def last(self) -> Listed:
        return self.jobs[-1]


@dataclass
class Run:
    """`place`: its run directory as the jobs see it, where they say so."""

    name: str
    place: str = ""
    steps: dict[str, Step] = field(default_factory=dict)


def jobs_view(address: str) -> RenderableType:
    """All jobs of evolray that the server at `address` knows, by run. Raises UserError when there is no server."""
    from evolray.cluster.jobs.on_ray import job_server

    with job_server(address) as server:
        return runs_view(server.url, runs_of(server.all()), server.log)


def runs_of(jobs: Sequence[Listed]) -> list[Run]:
    """By the run that the jobs' metadata name, in the order in which they began; those of others are left out."""
    runs: dict[tuple[str, str], Run] = {}
    for job in jobs:
        metadata, found = job.metadata, OURS.search(job.command)
        if "evolray" in metadata:
            name, place = metadata["evolray"], metadata.get("run", "")
            step, stage = metadata.get("step", job.id), metadata.get("stage", "")
        elif "sweep" in metadata and "cell" in metadata:
            name, place, step, stage = f"sweep {metadata['sweep']}", "", metadata["cell"], "evaluate"
        elif found:
            stage = next(filter(None, found.groups()))
            name, place, step = BY_HAND, "", job.command[found.start() :]
        else:
            continue
        run = runs.setdefault((name, place), Run(name, place))
        run.steps.setdefault(step, Step(step, stage)).jobs.append(job)
    return list(runs.values())


def runs_view(url: str, runs: Sequence[Run], log: Callable[[str], str]) -> RenderableType:
    """`log` gives the log of a job. Runs whose directory is seen from here show their rounds or students, too."""
    if not runs:
        return Text(f"{url}: no jobs of evolray")
    steps = [step for run in runs for step in run.steps.values()]
    with_log = sorted(steps, key=lambda one: one.last.started or 0.0)[-MOST_LOGS:]
    lines = {
        step.last.id: shorten(last_line(log(step.last.id)), LINE_CHARACTERS)
        for step in with_log
        if step.last.state != "pending"
    }
    parts: list[RenderableType] = [Text(url, style="bold")]
    for run in runs:
        parts += ["", Text(f"{run.name}  {run.place}".rstrip()), _table(run, lines)]
        if (table := _standing(run)) is not None:
            parts += ["", table]
    return Group(*parts)


def _table(run: Run, lines: dict[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("step", "stage", "state", "time", "its log ends with"):
        table.add_column(name, justify="right" if name == "time" else "left", overflow="fold")
    for step in run.steps.values():
        job, tries = step.last, len(step.jobs)
        state = f"{job.state} ({tries} jobs)" if tries > 1 else job.state
        said = job.message if job.state == "failed" and not lines.get(job.id) else lines.get(job.id, "")
        table.add_row(
            Text(shorten(step.name, COMMAND_CHARACTERS)),
            step.stage,
            Text(state, style=STYLES.get(job.state, "")),
            "" if job.started is None else duration((job.ended or time.time()) - job.started),
            Text(said, style="dim"),
        )
    return table


def _standing(run: Run) -> RenderableType | None:
    """The rounds of a campaign or the students of an ablation; None where the run directory is not to be read here."""
    try:
        folder = open_folder(run.place) if run.place else None
        if folder is None or not folder.exists(MANIFEST):
            return None
        content = json.loads(folder.read(MANIFEST))
        stage = content.get("stage") if isinstance(content, dict) else None
        if stage not in WITH_A_TABLE:
            return None
        table: RenderableType = import_module(f"evolray.{stage}.results").read(run.place).table()
        return table
    except (EvolrayError, OSError, ValueError):
        return None
