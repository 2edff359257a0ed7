"""What views read of the steps of a run, on a file system and on an object store."""

from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.pipeline import records
from evolray.pipeline.records import Attempt, Records, StepRecord, read_steps
from evolray.pool.layout import Folder, LocalFolder, RemoteFolder


@pytest.fixture(params=["local", "remote"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
    (tmp_path / "run").mkdir()
    return LocalFolder(str(tmp_path / "run")) if request.param == "local" else BucketLike(tmp_path / "run")


class BucketLike(RemoteFolder):
    """Makes the folders of what it writes, as a bucket needs none."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"file://{path}")
        self._root = path

    def write(self, name: str, data: bytes) -> None:
        (self._root / name).parent.mkdir(parents=True, exist_ok=True)
        super().write(name, data)


def test_a_run_without_steps(folder: Folder) -> None:
    assert read_steps(folder) == {}


def test_steps_are_read_in_the_order_in_which_they_began(folder: Folder) -> None:
    written = [
        StepRecord("round-2/evolve", "evolve", "running", attempts=[Attempt("job-3", started=30.0)]),
        StepRecord("round-10/evolve", "evolve"),
        StepRecord("round-1/evolve", "evolve", "complete", attempts=[Attempt("job-1", "succeeded", "", 0, 10.0, 20.0)]),
        StepRecord("sweep", "sweep", "failed", "no", 1, [Attempt("job-2", "failed", "no", 1, 12.0, 14.0)]),
    ]
    for record in written:
        Records(folder).write(record)
        Records(folder).write_config(record.name, "run: x\n")
        Records(folder).add_log(record.name, "job", "text")
    assert read_steps(folder) == {record.name: record for record in written}
    assert [*read_steps(folder)] == ["round-1/evolve", "sweep", "round-2/evolve", "round-10/evolve"]


def test_how_long_a_step_took_is_how_long_its_jobs_took() -> None:
    attempts = [Attempt("job-1", "stopped", started=10.0, ended=20.0), Attempt("job-2", "succeeded", "", 0, 50.0, 55.0)]
    record = StepRecord("evolve", "evolve", attempts=attempts)
    assert (record.started, record.ended, record.seconds, record.exit_code) == (10.0, 55.0, 15.0, 0)
    waiting = StepRecord("evolve", "evolve")
    assert (waiting.started, waiting.ended, waiting.seconds, waiting.exit_code) == (None, None, 0, None)


def test_an_edited_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "steps" / "evolve").mkdir(parents=True)
    (tmp_path / "steps" / "evolve" / "step.json").write_text('{"name": "evolve"}')
    with pytest.raises(UserError, match=r"steps/evolve/step.json cannot be read \('attempts'\); was it edited\?"):
        read_steps(LocalFolder(str(tmp_path)))


def test_of_many_logs_the_last_ones_are_kept(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_LOG", 40)
    for number in range(9):
        Records(folder).add_log("evolve", f"job-{number}", "out of memory")
    assert Records(folder).log_end("evolve", 9)[-2:] == ["=== job-8", "out of memory"]
    assert len(folder.read("steps/evolve/job.log")) == 40


def test_a_step_has_no_config_and_no_log_before_its_first_job(folder: Folder) -> None:
    assert Records(folder).config("evolve") is None
    assert Records(folder).log_end("evolve", 5) == []
