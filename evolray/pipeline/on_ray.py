"""Steps as Ray jobs: each one process that runs evolray.pipeline.job."""

import contextlib
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

from evolray.cluster.jobs import on_ray
from evolray.cluster.jobs.job import Job, Request
from evolray.config import JobConfig, JobsConfig
from evolray.pipeline.step import Step
from evolray.pool.layout import Folder

# Of the options in a bucket's URL, those that are no secrets: commands and metadata are for all to see. Keys come from
# the cluster's environment.
OPTIONS = ("region", "scheme", "endpoint_override")

Command = Callable[[str, str], list[str]]
"""From the run directory and the name of a step to the words behind the interpreter."""


def stage(run: str, step: str) -> list[str]:
    return ["-m", "evolray.pipeline.job", run, step]


@contextlib.contextmanager
def step_server(folder: Folder, name: str, jobs: JobsConfig, command: Command = stage) -> Iterator["StepServer"]:
    """`name` is the run's. Raises UserError when there is no job server, or it wants a token."""
    with on_ray.job_server(jobs.address) as server:
        yield StepServer(server, folder, name, jobs, command)


class StepServer:
    """Implements `schedule.Server`."""

    def __init__(
        self, server: on_ray.JobServer, folder: Folder, name: str, jobs: JobsConfig, command: Command = stage
    ) -> None:
        self._server, self._folder, self._name, self._jobs, self._command = server, folder, name, jobs, command

    @property
    def url(self) -> str:
        return self._server.url

    def submit(self, job: str, step: Step) -> None:
        place = self._folder.url if self._folder.is_local else self._folder.url + _options(str(step.config.run))
        own = {"evolray": self._name, "run": self._folder.url, "step": step.name, "stage": step.stage}
        needs = step.job if step.job != JobConfig() else self._jobs.stages.get(step.stage, step.job)
        self._server.submit(
            Request(
                id=job,
                words=self._command(place, step.name),
                metadata={**self._jobs.metadata, **own},
                cpus=needs.cpus,
                gpus=needs.gpus,
                resources=needs.resources,
                working_dir=self._jobs.working_dir,
            )
        )

    def look(self, job: str) -> Job | None:
        return self._server.look(job)

    def stop(self, job: str) -> None:
        self._server.stop(job)

    def log(self, job: str) -> str:
        return self._server.log(job)


def _options(url: str) -> str:
    kept = [(key, value) for key, value in parse_qsl(urlsplit(url).query) if key in OPTIONS and "@" not in value]
    return f"?{urlencode(kept)}" if kept else ""
