"""What is submitted, tried again, taken up and given up, with a job server that does what it is told."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.cluster.jobs.job import Job
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.sweep.grid import Cell, Grid
from evolray.sweep.records import Records
from evolray.sweep.schedule import Schedule
from evolray.sweep.sources import Student
from tests.sweep import places
from tests.sweep.scripted import FAILED, KILLED, REFUSED, RUNNING, STOPPED, SUCCEEDED, Script


@dataclass
class Sweep:
    cells: list[Cell]
    server: Script
    records: Records
    told: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    def schedule(self, retry_failed: bool = False, **settings: Any) -> Schedule:
        values = {"jobs": 2, "retries": 1, "patience": 2, **settings}
        made = Schedule(
            self.records, "demo", is_there=lambda cell: cell.title not in self.deleted, tell=self.told.append, **values
        )
        made.add(self.cells, retry_failed)
        return made

    def run(self, schedule: Schedule) -> dict[str, int]:
        for _ in range(50):
            schedule.step(self.server)
            if schedule.is_idle:
                return {state: number for state, number in schedule.counts().items() if number}
        raise AssertionError("the schedule does not come to an end")

    def record(self, title: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.server.run / "cells" / title / "cell.json").read_text())
        return loaded


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Cells a/gsm8k, a/mbpp, b/gsm8k and b/mbpp."""
    cells = Grid(places.config(tmp_path, ["unused"])).cells([Student("a", "a"), Student("b", "b")])
    return Sweep(cells, Script(tmp_path / "sweep"), Records(LocalFolder(str(tmp_path / "sweep"))))


def test_all_cells_run_in_their_order_and_end(sweep: Sweep) -> None:
    assert sweep.run(sweep.schedule()) == {"complete": 4}
    assert sweep.server.submitted == ["a/gsm8k", "a/mbpp", "b/gsm8k", "b/mbpp"]
    assert sweep.told == [f"{title}: complete" for title in sweep.server.submitted]


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_than_so_many_jobs_at_once(sweep: Sweep, jobs: int) -> None:
    schedule = sweep.schedule(jobs=jobs)
    sweep.server.ends = {cell.title: [RUNNING] * 3 for cell in sweep.cells}
    most = 0
    for _ in range(30):
        schedule.step(sweep.server)
        most = max(most, len(schedule.running))
    assert (most, schedule.is_idle) == (jobs, True)


def test_ids_are_readable_and_never_the_same(sweep: Sweep) -> None:
    sweep.server.ends = {"a/gsm8k": [FAILED]}
    sweep.run(sweep.schedule())
    first, second = (job for job, cell in sweep.server.jobs.items() if cell.title == "a/gsm8k")
    assert first.startswith("demo-a-gsm8k-1-") and second.startswith("demo-a-gsm8k-2-")
    assert len(set(sweep.server.jobs)) == 5


@pytest.mark.parametrize("end", [FAILED, KILLED, STOPPED, None])
def test_a_job_that_ends_badly_is_tried_again(sweep: Sweep, end: Job | None) -> None:
    sweep.server.ends = {"a/mbpp": [RUNNING, end]}
    assert sweep.run(sweep.schedule()) == {"complete": 4}
    assert sweep.server.submitted.count("a/mbpp") == 2
    record = sweep.record("a/mbpp")
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["failed", "succeeded"]
    why = end.message if end else "the job server knows nothing of its job (any more)"
    assert record["attempts"][0]["message"] == why
    assert f"a/mbpp: {why}; retry 1 of 1" in sweep.told


def test_a_cell_that_fails_again_and_again_is_given_up_with_its_log(sweep: Sweep) -> None:
    sweep.server.ends = {"a/mbpp": [FAILED] * 9}
    assert sweep.run(sweep.schedule(retries=2)) == {"complete": 3, "failed": 1}
    first, second, third = (job for job, cell in sweep.server.jobs.items() if cell.title == "a/mbpp")
    log = sweep.server.run / "cells/a/mbpp/job.log"
    assert sweep.record("a/mbpp")["message"] == f"its job ended with exit code 1 (3 jobs); its log: {log}"
    assert log.read_text() == "".join(
        f"=== {job}: its job ended with exit code 1\nLoading {job}\nout of memory\n\n" for job in (first, second, third)
    )
    assert sweep.records.log_end("cells/a/mbpp", 1) == ["out of memory"]


def test_a_mistake_in_the_config_is_not_tried_again(sweep: Sweep) -> None:
    sweep.server.ends = {"a/mbpp": [REFUSED]}
    assert sweep.run(sweep.schedule(retries=5)) == {"complete": 3, "failed": 1}
    assert sweep.server.submitted.count("a/mbpp") == 1
    assert sweep.record("a/mbpp")["message"].startswith("its job ended with exit code 2 (1 job); its log: ")


def test_a_job_that_ended_well_without_scores_has_failed(sweep: Sweep) -> None:
    sweep.server.ends = {"b/mbpp": [SUCCEEDED] * 4}  # three looks, and it is given up
    assert sweep.run(sweep.schedule(retries=0)) == {"complete": 3, "failed": 1}
    place = sweep.server.run / "cells/b/mbpp"
    assert f"its job left no scores in {place}; does every node see this folder?" in sweep.record("b/mbpp")["message"]


def test_scores_may_show_late(sweep: Sweep) -> None:
    sweep.server.ends = {"b/mbpp": [SUCCEEDED, SUCCEEDED]}  # they show with the second look
    assert sweep.run(sweep.schedule(retries=0)) == {"complete": 4}


def test_a_rerun_submits_nothing_that_is_finished(sweep: Sweep) -> None:
    sweep.run(sweep.schedule())
    before = {path: path.stat().st_mtime_ns for path in sweep.server.run.rglob("*") if path.is_file()}
    schedule = sweep.schedule()
    assert schedule.is_idle
    assert schedule.counts()["complete"] == 4
    assert {path: path.stat().st_mtime_ns for path in sweep.server.run.rglob("*") if path.is_file()} == before


def test_scores_of_an_evaluation_that_is_not_complete_do_not_count(sweep: Sweep) -> None:
    places.finish(sweep.server.run, "cells/a/gsm8k", 10)
    (sweep.server.run / "cells/a/gsm8k/manifest.json").write_text('{"stage": "evaluate", "status": "running"}')
    sweep.run(sweep.schedule())
    assert "a/gsm8k" in sweep.server.submitted


def test_a_failed_cell_stays_so_until_it_is_to_be_tried_again(sweep: Sweep) -> None:
    sweep.server.ends = {"a/mbpp": [FAILED] * 2}
    sweep.run(sweep.schedule())
    assert sweep.schedule().is_idle
    assert sweep.schedule().counts()["failed"] == 1
    assert sweep.run(sweep.schedule(retry_failed=True)) == {"complete": 4}
    assert sweep.server.submitted.count("a/mbpp") == 3
    assert sweep.record("a/mbpp")["failures"] == 0


def test_jobs_of_an_earlier_invocation_are_taken_up(sweep: Sweep) -> None:
    sweep.server.ends = {"a/gsm8k": [RUNNING] * 5, "a/mbpp": [RUNNING, FAILED]}
    sweep.schedule().step(sweep.server)  # and now it is killed
    schedule = sweep.schedule()
    assert [entry.cell.title for entry in schedule.running] == ["a/gsm8k", "a/mbpp"]
    assert sweep.run(schedule) == {"complete": 4}
    assert sorted(sweep.server.submitted) == ["a/gsm8k", "a/mbpp", "a/mbpp", "b/gsm8k", "b/mbpp"]


def test_jobs_that_the_server_has_forgotten_are_submitted_again_and_count_as_no_failure(sweep: Sweep) -> None:
    sweep.schedule().step(sweep.server)
    sweep.server.jobs.clear()  # the cluster was started anew
    assert sweep.run(sweep.schedule(retries=0)) == {"complete": 4}
    record = sweep.record("a/gsm8k")
    assert ([one["outcome"] for one in record["attempts"]], record["failures"]) == (["lost", "succeeded"], 0)


def test_a_job_that_found_no_place_is_submitted_again_and_counts_as_no_failure(sweep: Sweep) -> None:
    no_place = Job(has_ended=True, found_no_place=True, message="Job supervisor actor failed to start.")
    sweep.server.ends = {"a/gsm8k": [no_place, no_place, RUNNING, SUCCEEDED]}
    assert sweep.run(sweep.schedule(retries=0)) == {"complete": 4}
    record = sweep.record("a/gsm8k")
    assert ([one["outcome"] for one in record["attempts"]], record["failures"]) == (["lost", "lost", "succeeded"], 0)


def test_an_interrupted_sweep_stops_its_jobs_and_goes_on_later(sweep: Sweep) -> None:
    sweep.server.ends = {cell.title: [RUNNING] * 5 for cell in sweep.cells}
    schedule = sweep.schedule(retries=0)
    schedule.step(sweep.server)
    schedule.stop(sweep.server)
    assert schedule.has_stopped(sweep.server)
    assert [sweep.server.jobs[job].title for job in sweep.server.stopped] == ["a/gsm8k", "a/mbpp"]
    assert {state: number for state, number in schedule.counts().items() if number} == {"waiting": 4}
    sweep.server.ends.clear()
    assert sweep.run(sweep.schedule(retries=0)) == {"complete": 4}
    outcomes = [attempt["outcome"] for attempt in sweep.record("a/gsm8k")["attempts"]]
    assert outcomes == ["stopped", "succeeded"]


def test_a_checkpoint_that_is_deleted_before_its_turn_is_told_and_no_failure(sweep: Sweep) -> None:
    sweep.deleted = {"b/gsm8k"}
    assert sweep.run(sweep.schedule()) == {"complete": 3, "deleted": 1}
    assert "b/gsm8k: deleted, its checkpoint was deleted before its turn came" in sweep.told
    assert "b/gsm8k" not in sweep.server.submitted


def test_a_checkpoint_that_is_deleted_under_its_evaluation_is_no_failure(sweep: Sweep) -> None:
    sweep.server.ends = {"b/gsm8k": [RUNNING, RUNNING, REFUSED]}
    schedule = sweep.schedule()
    while "b/gsm8k" not in sweep.server.submitted:
        schedule.step(sweep.server)
    sweep.deleted = {"b/gsm8k"}
    assert sweep.run(schedule) == {"complete": 3, "deleted": 1}


def test_pending_jobs_are_told_apart(sweep: Sweep) -> None:
    sweep.server.ends = {"a/gsm8k": [Job(has_ended=False, is_pending=True)] * 2, "a/mbpp": [RUNNING] * 2}
    schedule = sweep.schedule()
    schedule.step(sweep.server)
    schedule.step(sweep.server)
    assert [entry.is_pending for entry in schedule.running] == [True, False]


def test_two_cells_of_one_name_are_refused(sweep: Sweep) -> None:
    schedule = sweep.schedule()
    with pytest.raises(UserError, match="a/gsm8k: two cells have this name"):
        schedule.add(sweep.cells[:1])


@pytest.fixture
def settled(tmp_path: Path) -> Callable[..., None]:
    def settle(**settings: Any) -> None:
        records = Records(LocalFolder(str(tmp_path / "sweep")))
        (cell, *_) = Grid(places.config(tmp_path, ["unused"], **settings)).cells([Student("a", "a")])
        records.settle(cell)

    return settle


def test_a_cell_that_was_begun_with_other_settings_is_refused(tmp_path: Path, settled: Callable[..., None]) -> None:
    settled(evaluate={"sampling.n": 1})
    with pytest.raises(UserError) as raised:
        settled(evaluate={"sampling.n": 20})
    assert str(raised.value) == (
        f"{tmp_path}/sweep/cells/a/gsm8k was made with sampling.n=1 and would now go on with sampling.n=20. "
        "Choose another run=, or go back to that setting."
    )


def test_how_fast_a_cell_goes_may_change(tmp_path: Path, settled: Callable[..., None]) -> None:
    place = tmp_path / "sweep/cells/a/gsm8k"
    settled(evaluate={"workers.number": 1})
    settled(evaluate={"workers.number": 2, "endpoint.max_in_flight": 8, "execution.parallel": 4, "retry_failed": True})
    assert "number: 2" in (place / "evaluate.yaml").read_text()
    places.finish(tmp_path / "sweep", "cells/a/gsm8k", 10)
    settled(evaluate={"workers.number": 3})
    assert "number: 2" in (place / "evaluate.yaml").read_text()  # what made the scores stays beside them


def test_how_fast_a_judge_goes_may_change_and_who_judges_may_not(tmp_path: Path, settled: Callable[..., None]) -> None:
    settled(evaluate={"judge.endpoint.model": "gpt-4"})
    pace = {
        "judge.workers.number": 2, "judge.engine.shard_size": 8, "judge.budget.money": 5, "judge.batch_tokens": 512,
        "judge.retry_failed": True, "judge.endpoint.base_url": "http://host/v1", "judge.endpoint.max_in_flight": 2,
        "judge.endpoint.requests_per_minute": 60, "lm_eval.batch_size": 4,
    }  # fmt: skip
    settled(evaluate={"judge.endpoint.model": "gpt-4", **pace})
    with pytest.raises(UserError, match=r"judge.endpoint.model=gpt-4 and would now go on with judge.endpoint.model=x"):
        settled(evaluate={"judge.endpoint.model": "x"})
    with pytest.raises(UserError, match=r"verdicts.repeats=1 and would now go on with verdicts.repeats=2"):
        settled(evaluate={"judge.endpoint.model": "gpt-4", "verdicts.repeats": 2})


@pytest.mark.parametrize("grid", [{}, {"sampling.temperature": [0]}])
def test_cells_from_before_there_were_judges_go_on(
    tmp_path: Path, settled: Callable[..., None], grid: dict[str, list[int]]
) -> None:
    """Their config says temperature 0 where one of today says null, for the same."""
    settled(grid=grid)
    (path,) = (tmp_path / "sweep/cells/a/gsm8k").rglob("evaluate.yaml")
    older = yaml.safe_load(path.read_text())
    for key in ("judge", "verdicts", "lm_eval", "baselines", "references", "labels"):
        del older[key]
    older["sampling"]["temperature"] = 0.0
    path.write_text(yaml.safe_dump(older))
    settled(grid=grid)
    assert "judge:" in path.read_text()
    with pytest.raises(UserError, match=r"sampling\.temperature=.* and would now go on with sampling.temperature=0.5"):
        path.write_text(yaml.safe_dump(older))
        (cell,) = Grid(places.config(tmp_path, ["unused"], benchmarks=["gsm8k"], grid=grid)).cells([Student("a", "a")])
        cell.config.sampling.temperature = 0.5
        Records(LocalFolder(str(tmp_path / "sweep"))).settle(cell)


def test_others_cannot_read_the_config_of_a_cell(tmp_path: Path, settled: Callable[..., None]) -> None:
    settled()
    assert (tmp_path / "sweep/cells/a/gsm8k/evaluate.yaml").stat().st_mode & 0o777 == 0o600
