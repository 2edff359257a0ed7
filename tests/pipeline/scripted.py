"""A job server that does what it is told, and how jobs may stand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from evolray.cluster.jobs.job import Job
from evolray.config import JobsConfig
from evolray.pipeline.step import Step
from evolray.pool.layout import Folder
from tests.pipeline import places

RUNNING = Job(has_ended=False)
PENDING = Job(has_ended=False, is_pending=True)
SUCCEEDED = Job(has_ended=True, has_succeeded=True, exit_code=0)
KILLED = Job(has_ended=True, exit_code=-9, message="its job was killed by signal 9")
STOPPED = Job(has_ended=True, message="its job was stopped")
NO_PLACE = Job(has_ended=True, found_no_place=True, message="Job supervisor actor failed to start within 900 seconds.")


def failed(exit_code: int = 1) -> Job:
    return Job(has_ended=True, exit_code=exit_code, message=f"its job ended with exit code {exit_code}")


@dataclass
class Script:
    """A job server. `ends` says how the next jobs of a step stand, look by look; a step without an entry goes well.

    `does` is called for each step whose job goes well, in place of its stage.
    """

    ends: dict[str, list[Job | None]] = field(default_factory=dict)
    does: Callable[[Step], None] = places.finish
    jobs: dict[str, Step] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    opened: int = 0
    is_open: bool = False
    url: str = "http://127.0.0.1:8265"

    @contextmanager
    def open(self, folder: Folder, name: str, jobs: JobsConfig) -> Iterator["Script"]:
        """What a Pipeline takes as `open_server`."""
        self.opened, self.is_open = self.opened + 1, True
        yield self
        self.is_open = False

    def submit(self, job: str, step: Step) -> None:
        assert job not in self.jobs
        self.jobs[job] = step

    def look(self, job: str) -> Job | None:
        if job not in self.jobs:
            return None
        if job in self.stopped:
            return STOPPED
        step = self.jobs[job]
        ends = self.ends.get(step.name, [])
        end = ends.pop(0) if ends else SUCCEEDED
        if end == SUCCEEDED and not ends:
            self.does(step)
        return end

    def stop(self, job: str) -> None:
        self.stopped.append(job)

    def log(self, job: str) -> str:
        return f"Loading {job}\nevolray: out of memory\n"

    @property
    def submitted(self) -> list[str]:
        """The names of the steps, job by job."""
        return [step.name for step in self.jobs.values()]
