"""A job server that does what it is told, and how jobs may stand."""

from dataclasses import dataclass, field
from pathlib import Path

from evolray.cluster.jobs.job import Job
from evolray.sweep.grid import Cell
from tests.sweep import places

RUNNING = Job(has_ended=False)
SUCCEEDED = Job(has_ended=True, has_succeeded=True, exit_code=0)
FAILED = Job(has_ended=True, exit_code=1, message="its job ended with exit code 1")
KILLED = Job(has_ended=True, exit_code=-9, message="its job was killed by signal 9")
REFUSED = Job(has_ended=True, exit_code=2, message="its job ended with exit code 2")
STOPPED = Job(has_ended=True, message="its job was stopped")


@dataclass
class Script:
    """A job server. `ends` says how the next jobs of a cell end; a cell without an entry goes well."""

    run: Path
    ends: dict[str, list[Job | None]] = field(default_factory=dict)
    jobs: dict[str, Cell] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    """By cell: of 20 problems."""

    def submit(self, job: str, cell: Cell) -> None:
        assert job not in self.jobs
        self.jobs[job] = cell

    def look(self, job: str) -> Job | None:
        if job not in self.jobs:
            return None
        if job in self.stopped:
            return STOPPED
        cell = self.jobs[job]
        ends = self.ends.get(cell.title, [])
        end = ends.pop(0) if ends else SUCCEEDED
        if end == SUCCEEDED and not ends:
            places.finish(self.run, cell.name, self.passed.get(cell.name, 10))
        return end

    def stop(self, job: str) -> None:
        self.stopped.append(job)

    def log(self, job: str) -> str:
        return f"Loading {job}\nout of memory\n"

    @property
    def submitted(self) -> list[str]:
        return [cell.title for cell in self.jobs.values()]
