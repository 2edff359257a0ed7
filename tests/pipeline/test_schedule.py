"""What is submitted, tried again, taken up and given up, with a job server that does what it is told."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from evolray.cluster.jobs.job import Job
from evolray.config import to_yaml
from evolray.pipeline.records import Records, StepRecord
from evolray.pipeline.schedule import Schedule
from evolray.pipeline.step import Step
from evolray.pool.layout import LocalFolder
from tests.pipeline import places
from tests.pipeline.scripted import KILLED, NO_PLACE, PENDING, RUNNING, STOPPED, SUCCEEDED, Script, failed


@dataclass
class Run:
    """`lags`: how many looks it takes until results show."""

    folder: Path
    server: Script = field(default_factory=Script)
    told: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    lags: int = 0

    def __post_init__(self) -> None:
        self.records = Records(LocalFolder(str(self.folder)))
        self.steps = [
            places.step(self.folder, "refine-a"),
            places.step(self.folder, "refine-b"),
            places.step(self.folder, "train-a", "refine-a"),
            places.step(self.folder, "train-b", "refine-b"),
        ]

    def schedule(self, retry_failed: bool = False, **settings: Any) -> Schedule:
        values = {"at_once": 2, "retries": 1, "patience": 2, **settings}
        made = Schedule(self.records, "demo", has_left=self._has_left, tell=self.told.append, **values)
        made.add(self.steps, retry_failed)
        return made

    def work(self, schedule: Schedule) -> dict[str, int]:
        for _ in range(50):
            schedule.step(self.server)
            if schedule.is_idle:
                return {state: number for state, number in schedule.counts().items() if number}
        raise AssertionError("the schedule does not come to an end")

    def record(self, name: str) -> StepRecord:
        record = self.records.read(name)
        assert record is not None
        return record

    def outcomes(self, name: str) -> list[str]:
        return [attempt.outcome for attempt in self.record(name).attempts]

    def change(self, name: str, **settings: Any) -> None:
        """Other settings for a step, which keeps its place."""
        place = next(place for place, step in enumerate(self.steps) if step.name == name)
        self.steps[place] = places.step(self.folder, name, *self.steps[place].needs, **settings)

    def _has_left(self, _: Step) -> bool:
        self.lags -= 1
        return self.lags < 0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """refine-a, refine-b, and a training that needs each."""
    return Run(tmp_path)


def test_all_steps_run_each_after_those_that_it_needs(run: Run) -> None:
    assert run.work(run.schedule()) == {"complete": 4}
    assert run.server.submitted == ["refine-a", "refine-b", "train-a", "train-b"]
    assert [event for event in run.told if "started" not in event] == [
        f"{name}: complete" for name in ("refine-a", "refine-b", "train-a", "train-b")
    ]


def test_a_step_that_waits_does_not_keep_others_from_running(run: Run) -> None:
    run.server.ends = {"refine-a": [RUNNING] * 4}
    assert run.work(run.schedule()) == {"complete": 4}
    assert run.server.submitted == ["refine-a", "refine-b", "train-b", "train-a"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_than_so_many_jobs_at_once(run: Run, at_once: int) -> None:
    schedule = run.schedule(at_once=at_once)
    run.server.ends = {step.name: [RUNNING] * 3 for step in run.steps}
    most = 0
    for _ in range(30):
        schedule.step(run.server)
        most = max(most, len(schedule.running))
    assert (most, schedule.is_idle) == (at_once, True)


def test_what_was_complete_in_an_earlier_invocation_can_be_needed(run: Run) -> None:
    run.work(run.schedule())
    run.steps = [places.step(run.folder, "evaluate-a", "train-a")]
    assert run.work(run.schedule()) == {"complete": 1}


def test_a_need_that_nobody_meets_and_two_steps_of_one_name_are_mistakes_of_ours(run: Run) -> None:
    run.steps = [places.step(run.folder, "train-a", "refine-a"), places.step(run.folder, "refine-a")]
    with pytest.raises(ValueError, match="step 'train-a' needs 'refine-a', which neither comes before it nor is"):
        run.schedule()
    run.steps = [places.step(run.folder, "refine-a")] * 2
    with pytest.raises(ValueError, match="two steps are named 'refine-a'"):
        run.schedule()


def test_ids_are_readable_and_never_the_same(run: Run) -> None:
    run.steps = [places.step(run.folder, "round-1/refine")]
    run.server.ends = {"round-1/refine": [failed()]}
    run.work(run.schedule())
    first, second = run.server.jobs
    assert first.startswith("demo-round-1-refine-1-") and second.startswith("demo-round-1-refine-2-")
    assert [attempt.job for attempt in run.record("round-1/refine").attempts] == [first, second]


@pytest.mark.parametrize("end", [failed(), KILLED, STOPPED, None])
def test_a_job_that_ends_badly_is_tried_again(run: Run, end: Job | None) -> None:
    run.server.ends = {"refine-b": [RUNNING, end]}
    assert run.work(run.schedule()) == {"complete": 4}
    assert run.outcomes("refine-b") == ["failed", "succeeded"]
    why = end.message if end else "the job server knows nothing of its job (any more)"
    first, second = run.record("refine-b").attempts
    assert (first.message, first.exit_code) == (why, end.exit_code if end else None)
    assert (second.message, second.exit_code) == ("", 0)
    assert f"refine-b: {why}; retry 1 of 1" in run.told


def test_a_step_that_fails_again_and_again_is_given_up_with_its_log(run: Run) -> None:
    run.server.ends = {"refine-b": [failed()] * 9}
    assert run.work(run.schedule(retries=2)) == {"complete": 2, "waiting": 1, "failed": 1}
    jobs = [job for job, step in run.server.jobs.items() if step.name == "refine-b"]
    assert len(jobs) == 3
    assert run.record("refine-b").message == "its job ended with exit code 1"
    assert (run.folder / "steps/refine-b/job.log").read_text() == "".join(
        f"=== {job}: its job ended with exit code 1\nLoading {job}\nevolray: out of memory\n\n" for job in jobs
    )
    assert run.records.log_end("refine-b", 1) == ["evolray: out of memory"]


@pytest.mark.parametrize("exit_code", [2, 3, 4])
def test_a_failure_that_trying_again_does_not_mend_is_not_tried_again(run: Run, exit_code: int) -> None:
    run.server.ends = {"refine-b": [failed(exit_code)]}
    assert run.work(run.schedule(retries=5))["failed"] == 1
    assert run.outcomes("refine-b") == ["failed"]
    assert run.record("refine-b").exit_code == exit_code


def test_when_a_step_fails_for_good_those_that_run_go_on_and_no_other_starts(run: Run) -> None:
    run.server.ends = {"refine-a": [failed(2)], "refine-b": [RUNNING] * 5}
    assert run.work(run.schedule()) == {"complete": 1, "waiting": 2, "failed": 1}
    assert run.server.submitted == ["refine-a", "refine-b"]


def test_a_step_that_failed_beside_one_that_failed_for_good_waits_for_the_next_invocation(run: Run) -> None:
    run.server.ends = {"refine-a": [failed(2)], "refine-b": [RUNNING, failed()]}
    assert run.work(run.schedule()) == {"waiting": 3, "failed": 1}
    assert run.record("refine-b").failures == 1


def test_a_job_that_ended_well_without_results_has_failed(run: Run) -> None:
    run.lags = 3  # two looks of patience
    assert run.work(run.schedule(retries=0, at_once=1))["failed"] == 1
    assert run.record("refine-a").message == (
        f"its job left nothing complete in {run.folder}/of/refine-a; does every node see this folder?"
    )


def test_results_may_show_late(run: Run) -> None:
    run.lags = 2
    assert run.work(run.schedule(retries=0, at_once=1)) == {"complete": 4}
    assert run.server.submitted.count("refine-a") == 1


def test_a_rerun_touches_nothing_that_is_complete(run: Run) -> None:
    run.work(run.schedule())
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()}
    schedule = run.schedule()
    assert (schedule.is_idle, schedule.counts()["complete"]) == (True, 4)
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()} == before


def test_a_complete_step_with_other_settings_runs_again_with_them(run: Run) -> None:
    run.work(run.schedule())
    run.change("train-a", epochs=7)
    schedule = run.schedule()
    assert schedule.counts()["waiting"] == 1
    assert run.work(schedule) == {"complete": 4}
    assert run.server.submitted[4:] == ["train-a"]
    assert "epochs: 7" in (run.folder / "steps/train-a/config.yaml").read_text()


def test_a_failed_step_stays_so_until_it_is_to_be_tried_again(run: Run) -> None:
    run.server.ends = {"refine-b": [failed()] * 2}
    run.work(run.schedule())
    assert (run.schedule().is_idle, run.schedule().counts()["failed"]) == (True, 1)
    assert run.work(run.schedule(retry_failed=True)) == {"complete": 4}
    assert run.server.submitted.count("refine-b") == 3
    assert run.record("refine-b").failures == 0


@pytest.mark.parametrize("exit_code", [2, 3, 4])
def test_a_cause_that_is_the_user_s_to_remove_is_taken_to_be_removed(run: Run, exit_code: int) -> None:
    run.server.ends = {"refine-b": [failed(exit_code)]}
    run.work(run.schedule())
    assert run.work(run.schedule()) == {"complete": 4}


def test_a_failed_step_with_other_settings_is_tried_again(run: Run) -> None:
    run.server.ends = {"refine-b": [failed()] * 2}
    run.work(run.schedule())
    run.change("refine-b", select={"records": 5})
    assert run.work(run.schedule()) == {"complete": 4}
    assert run.record("refine-b").failures == 0


def test_jobs_of_an_earlier_invocation_are_taken_up(run: Run) -> None:
    run.server.ends = {"refine-a": [RUNNING] * 5, "refine-b": [RUNNING, failed()]}
    run.schedule().step(run.server)  # and now it is killed
    schedule = run.schedule()
    assert [entry.step.name for entry in schedule.running] == ["refine-a", "refine-b"]
    assert run.work(schedule) == {"complete": 4}
    assert sorted(run.server.submitted) == ["refine-a", "refine-b", "refine-b", "train-a", "train-b"]


def test_a_job_that_runs_with_other_settings_is_stopped_and_its_step_begins_anew(run: Run) -> None:
    run.server.ends = {"refine-a": [RUNNING] * 3}
    run.schedule(at_once=1).step(run.server)
    old = to_yaml(run.steps[0].config)
    run.change("refine-a", select={"records": 5})
    schedule = run.schedule(at_once=1)
    schedule.step(run.server)
    assert run.server.stopped == [*run.server.jobs]
    assert run.records.config("refine-a") == old  # until that job is gone
    assert run.work(schedule) == {"complete": 4}
    assert run.outcomes("refine-a") == ["stopped", "succeeded"]
    assert run.record("refine-a").attempts[0].message == "its settings have changed"
    assert run.record("refine-a").failures == 0
    assert run.records.config("refine-a") == to_yaml(run.steps[0].config) != old


def test_a_job_that_went_well_with_other_settings_counts_for_nothing(run: Run) -> None:
    run.schedule(at_once=1).step(run.server)
    run.server.ends = {"refine-a": [SUCCEEDED, SUCCEEDED]}
    run.change("refine-a", select={"records": 5})
    run.work(run.schedule())
    assert run.server.submitted.count("refine-a") == 2


def test_a_run_killed_before_its_job_was_submitted_submits_it(run: Run) -> None:
    class Dying(Script):
        def submit(self, job: str, step: Step) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.schedule().step(Dying())
    assert run.work(run.schedule(retries=0)) == {"complete": 4}
    assert run.outcomes("refine-a") == ["lost", "succeeded"]


def test_jobs_that_the_server_has_forgotten_are_submitted_again_and_count_as_no_failure(run: Run) -> None:
    run.schedule().step(run.server)
    run.server.jobs.clear()  # the cluster was started anew
    assert run.work(run.schedule(retries=0)) == {"complete": 4}
    assert (run.outcomes("refine-a"), run.record("refine-a").failures) == (["lost", "succeeded"], 0)


def test_a_job_that_found_no_place_is_submitted_again_and_counts_as_no_failure(run: Run) -> None:
    run.server.ends = {"refine-a": [PENDING, NO_PLACE, PENDING, NO_PLACE, RUNNING, SUCCEEDED]}
    assert run.work(run.schedule(retries=0)) == {"complete": 4}
    assert (run.outcomes("refine-a"), run.record("refine-a").failures) == (["lost", "lost", "succeeded"], 0)
    assert run.told.count("refine-a: no place in the cluster yet; its job is submitted again") == 2


def test_an_interrupted_run_stops_its_jobs_and_goes_on_later(run: Run) -> None:
    run.server.ends = {step.name: [RUNNING] * 5 for step in run.steps}
    schedule = run.schedule(retries=0)
    schedule.step(run.server)
    schedule.stop(run.server)
    assert schedule.has_stopped(run.server)
    assert [run.server.jobs[job].name for job in run.server.stopped] == ["refine-a", "refine-b"]
    assert schedule.counts()["waiting"] == 4
    run.server.ends.clear()
    assert run.work(run.schedule(retries=0)) == {"complete": 4}
    assert run.outcomes("refine-a") == ["stopped", "succeeded"]


def test_a_job_that_went_well_while_it_was_to_be_stopped_is_complete(run: Run) -> None:
    schedule = run.schedule(at_once=1)
    schedule.step(run.server)
    assert schedule.has_stopped(run.server)  # nobody stopped it in time
    assert schedule.counts()["complete"] == 1


def test_pending_jobs_are_told_apart(run: Run) -> None:
    run.server.ends = {"refine-a": [PENDING] * 2, "refine-b": [RUNNING] * 2}
    schedule = run.schedule()
    schedule.step(run.server)
    schedule.step(run.server)
    assert [entry.is_pending for entry in schedule.running] == [True, False]


def test_others_cannot_read_a_step_s_config(run: Run) -> None:
    run.work(run.schedule())
    run.change("train-a", epochs=7)
    run.work(run.schedule())
    for step in run.steps:
        assert (run.folder / f"steps/{step.name}/config.yaml").stat().st_mode & 0o777 == 0o600


def test_steps_are_given_as_they_are(run: Run) -> None:
    """What a job asks of the cluster may change without making the step a new one."""
    run.work(run.schedule())
    run.steps = [replace(step, needs=()) for step in run.steps]
    assert run.schedule().is_idle
