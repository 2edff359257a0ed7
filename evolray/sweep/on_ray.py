"""The sweep's cells as Ray jobs: each one process that runs `evolray evaluate` on one config."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from evolray.cluster.jobs import on_ray
from evolray.cluster.jobs.job import Job, Request
from evolray.config import SweepConfig
from evolray.sweep.grid import Cell
from evolray.sweep.records import CONFIG

Command = Callable[[Path], list[str]]
"""From the config of a cell to the words of the command that evaluates it."""


def evaluate(config: Path) -> list[str]:
    return ["-m", "evolray.cli", "evaluate", str(config)]


@contextlib.contextmanager
def job_server(config: SweepConfig, sweep: str, command: Command = evaluate) -> Iterator["CellServer"]:
    """`command` comes behind the interpreter. Raises UserError when there is no job server, or it wants a token."""
    with on_ray.job_server(config.address) as server:
        yield CellServer(server, config, sweep, command)


class CellServer:
    """Implements `schedule.Server`."""

    def __init__(self, server: on_ray.JobServer, config: SweepConfig, sweep: str, command: Command) -> None:
        self._server, self._config, self._sweep, self._command = server, config, sweep, command

    @property
    def url(self) -> str:
        return self._server.url

    def submit(self, job: str, cell: Cell) -> None:
        config = self._config
        self._server.submit(
            Request(
                id=job,
                words=self._command(Path(cell.config.run) / CONFIG),
                metadata=self._metadata(cell),
                cpus=config.cpus_per_job,
                gpus=config.gpus_per_job,
                resources=config.resources_per_job,
                working_dir=config.working_dir,
            )
        )

    def look(self, job: str) -> Job | None:
        return self._server.look(job)

    def stop(self, job: str) -> None:
        self._server.stop(job)

    def log(self, job: str) -> str:
        return self._server.log(job)

    def _metadata(self, cell: Cell) -> dict[str, str]:
        step = {} if cell.student.step is None else {"step": str(cell.student.step)}
        own = {"sweep": self._sweep, "cell": cell.title, "checkpoint": cell.student.label, "benchmark": cell.benchmark}
        return {**self._config.metadata, **own, **step}
