"""A whole pipeline, with a job server that does what it is told."""

import io
import json
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evolray.cluster.jobs.job import Job
from evolray.config import JobsConfig, from_mapping
from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError
from evolray.pipeline import running
from evolray.pipeline.records import read_steps
from evolray.pipeline.running import Pipeline
from evolray.pipeline.step import Step
from evolray.pool.layout import LocalFolder
from tests.pipeline import places
from tests.pipeline.scripted import RUNNING, SUCCEEDED, Script, failed


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0)


@pytest.fixture
def server() -> Script:
    return Script()


@pytest.fixture
def pipeline(tmp_path: Path, server: Script) -> Callable[..., Pipeline]:
    def make(**jobs: Any) -> Pipeline:
        settings = from_mapping(JobsConfig, {"retries": 0, **jobs})
        return Pipeline(LocalFolder(str(tmp_path)), "demo", settings, open_server=server.open)

    return make


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    return [
        places.step(tmp_path, "round-1/refine"),
        places.step(tmp_path, "round-1/train", "round-1/refine"),
        places.step(tmp_path, "round-1/evaluate", "round-1/train"),
    ]


def test_one_job_server_for_all_steps_from_the_first_that_has_something_to_do(
    server: Script, pipeline: Callable[..., Pipeline], steps: list[Step]
) -> None:
    with pipeline() as made:
        assert server.opened == 0
        made.run(steps[:1])
        assert (server.opened, server.is_open) == (1, True)
        made.run(steps)
        assert (server.opened, server.submitted) == (1, [step.name for step in steps])
    assert not server.is_open


def test_what_is_complete_costs_no_job_server(
    server: Script, pipeline: Callable[..., Pipeline], steps: list[Step]
) -> None:
    with pipeline() as made:
        made.run(steps)
    with pipeline() as made:
        made.run(steps)
        made.run([])
    assert server.opened == 1


def test_all_states_are_on_disk(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline], steps: list[Step]
) -> None:
    server.ends = {"round-1/train": [failed()]}
    with pipeline() as made:
        assert made.states() == {}
        with pytest.raises(EvolrayError):
            made.run(steps)
        assert made.states() == {"round-1/refine": "complete", "round-1/train": "failed", "round-1/evaluate": "waiting"}
    record = read_steps(LocalFolder(str(tmp_path)))["round-1/refine"]
    assert (record.stage, [one.outcome for one in record.attempts]) == ("refine", ["succeeded"])
    assert record.started is not None and record.ended is not None
    assert record.seconds == record.ended - record.started >= 0


@pytest.mark.parametrize(
    ("exit_code", "kind", "hint"),
    [
        (1, EvolrayError, "Once the cause is gone, the same command with jobs.retry_failed=true goes on from here."),
        (2, UserError, "Once the cause is gone, the same command goes on from here."),
        (3, EndpointError, "Once the cause is gone, the same command goes on from here."),
        (4, BudgetError, "Once the cause is gone, the same command goes on from here."),
        (-9, EvolrayError, "Once the cause is gone, the same command with jobs.retry_failed=true goes on from here."),
    ],
)
def test_a_failure_keeps_its_exit_code_and_shows_the_end_of_the_log(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline], steps: list[Step],
    exit_code: int, kind: type[EvolrayError], hint: str,
) -> None:  # fmt: skip
    server.ends = {"round-1/refine": [failed(exit_code)]}
    with pipeline() as made, pytest.raises(EvolrayError) as raised:
        made.run(steps)
    (job,) = server.jobs
    assert type(raised.value) is kind
    assert str(raised.value) == (
        f"step round-1/refine failed: its job ended with exit code {exit_code}; "
        f"its log: {tmp_path}/steps/round-1/refine/job.log\n"
        f"    === {job}: its job ended with exit code {exit_code}\n"
        f"    Loading {job}\n"
        "    evolray: out of memory\n"
        f"{hint}"
    )


def test_several_failures_are_all_told(tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline]) -> None:
    steps = [places.step(tmp_path, f"refine-{letter}") for letter in "abcd"]
    server.ends = {step.name: [failed()] * 2 for step in steps}
    server.ends["refine-d"] = [RUNNING, failed(4)]
    with pipeline(at_once=4, retries=1) as made, pytest.raises(EvolrayError) as raised:
        made.run(steps)
    assert type(raised.value) is EvolrayError  # the first one's
    lines = str(raised.value).splitlines()
    assert [line for line in lines if " failed:" in line] == [
        f"step refine-{letter} failed: its job ended with exit code {code}{tried}; "
        f"its log: {tmp_path}/steps/refine-{letter}/job.log"
        for letter, code, tried in [("a", 1, " (2 jobs)"), ("b", 1, " (2 jobs)"), ("c", 1, " (2 jobs)"), ("d", 4, "")]
    ]
    assert lines.count("    evolray: out of memory") == 2 * 3  # both jobs of a, b and c


def test_ctrl_c_stops_the_jobs(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline], caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[str] = []

    def look(job: str) -> Job | None:
        looks.append(job)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return Script.look(server, job)

    server.ends = {name: [RUNNING] * 9 for name in ("refine-a", "refine-b")}
    server.look = look  # type: ignore[method-assign]
    steps = [places.step(tmp_path, f"refine-{letter}") for letter in "abc"]
    caplog.set_level(logging.INFO, "evolray")
    with pytest.raises(Interrupted) as raised, pipeline() as made:
        made.run(steps)
    assert str(raised.value) == "interrupted: 3 waiting; the same command goes on from here"
    assert [server.jobs[job].name for job in server.stopped] == ["refine-a", "refine-b"]
    assert "stopping 2 jobs; they write down what they have" in caplog.messages
    assert not server.is_open
    with pipeline() as made:
        server.ends.clear()
        made.run(steps)
        assert made.states() == {"refine-a": "complete", "refine-b": "complete", "refine-c": "complete"}


def test_ctrl_c_between_two_steps_is_told_like_one_within(pipeline: Callable[..., Pipeline]) -> None:
    with pytest.raises(Interrupted, match="interrupted; the same command goes on from here"), pipeline():
        signal.raise_signal(signal.SIGTERM)


def test_in_a_log_a_line_when_a_step_starts_and_ends(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline], caplog: pytest.LogCaptureFixture
) -> None:
    server.ends = {"refine-a": [failed(), SUCCEEDED]}
    caplog.set_level(logging.INFO, "evolray")
    with pipeline(retries=1) as made:
        made.run([places.step(tmp_path, "refine-a")])
    first, second = server.jobs
    assert caplog.messages == [
        "the jobs are in the dashboard at http://127.0.0.1:8265",
        f"refine-a: started, as job {first}",
        "refine-a: its job ended with exit code 1; retry 1 of 1",
        f"refine-a: started, as job {second}",
        "refine-a: complete",
    ]


def test_in_a_log_a_line_of_progress_now_and_then(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline], caplog: pytest.LogCaptureFixture
) -> None:
    server.ends = {"refine-a": [RUNNING]}
    caplog.set_level(logging.INFO, "evolray")
    with pipeline(log_seconds=0) as made:
        made.run([places.step(tmp_path, "refine-a")])
    assert [message.partition(" for ")[0] for message in caplog.messages[2:]] == [
        "0 of 1 steps complete\n    refine-a pending",  # it was not looked at yet
        "0 of 1 steps complete\n    refine-a running",
        "refine-a: complete",
        "1 of 1 steps complete",
    ]
    assert caplog.messages[3].endswith(" s: evolray: out of memory")


def test_the_title_is_said_once(tmp_path: Path, server: Script) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    folder = LocalFolder(str(tmp_path))
    with Pipeline(folder, "demo", JobsConfig(), title="a demo", console=console, open_server=server.open) as made:
        for name in ("refine-a", "refine-b"):
            made.run([places.step(tmp_path, name)])
    assert isinstance(console.file, io.StringIO)
    first, second = console.file.getvalue().split("refine-b", 1)
    assert "a demo" in first and "a demo" not in second


def test_a_stage_that_leaves_nothing_complete_is_waited_for(
    tmp_path: Path, server: Script, pipeline: Callable[..., Pipeline]
) -> None:
    """Its manifest shows late, and first as it was before."""
    step = places.step(tmp_path, "refine-a")
    manifest = Path(step.config.run) / "manifest.json"
    looks: list[Step] = []

    def does(step: Step) -> None:
        looks.append(step)
        manifest.parent.mkdir(parents=True, exist_ok=True)
        if len(looks) > 1:
            manifest.write_text(json.dumps({"status": "complete" if len(looks) == 4 else "running"}))

    server.does = does
    with pipeline() as made:
        made.run([step])
    assert len(looks) == 4
    assert server.submitted == ["refine-a"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"at_once": 0}, "jobs.at_once=0: expected at least 1."),
        ({"retries": -1}, "jobs.retries=-1: expected 0 or more."),
        ({"working_dir": "/not/there"}, "jobs.working_dir=/not/there: no such folder."),
        (
            {"stages": {"trian": {"cpus": 1}}},
            "jobs.stages.trian: no such stage; expected one of evolve, refine, train, evaluate, generate, sweep, "
            "report, board.",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    pipeline: Callable[..., Pipeline], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as raised:
        pipeline(**settings)
    assert str(raised.value) == message
