"""What is said of a cluster's jobs: whose they are, how they stand, and how the run itself does."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evolray.campaign.manifest import CampaignManifest, write
from evolray.cluster.jobs.job import Listed
from evolray.pool.layout import open_folder
from evolray.views.jobs import BY_HAND, runs_of, runs_view

URL = "http://127.0.0.1:8265"


def job(name: str, state: str = "succeeded", command: str = "exec python -m x", **more: Any) -> Listed:
    return Listed(name, state, command, **{"started": 1000.0, "ended": 1012.0, **more})


def step(name: str, state: str = "succeeded", run: str = "/runs/first", **more: Any) -> Listed:
    metadata = {"evolray": "first", "run": run, "step": name, "stage": name.rpartition("/")[2]}
    return job(f"first-{name}-{more.get('started', 0)}", state, metadata=metadata, **more)


def printed(jobs: list[Listed], log: str = "", width: int = 160) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(runs_view(URL, runs_of(jobs), lambda job: log))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_jobs_are_told_apart_by_run_and_step() -> None:
    runs = runs_of(
        [
            step("round-1/evolve"), step("round-1/train", "failed"), step("round-1/train", "running", started=2000.0),
            job("a", metadata={"sweep": "grid", "cell": "tiny/gsm8k", "step": "100"}),
            job("b", command="python jobs/evolve.py conf/evolve/a.yaml run=x"),
            job("c", command="evolray train conf/a.yaml"),
            job("d", command="python serve.py"), job("e", metadata={"team": "red"}),
        ]
    )  # fmt: skip
    assert [(run.name, run.place, [(one.name, one.stage) for one in run.steps.values()]) for run in runs] == [
        ("first", "/runs/first", [("round-1/evolve", "evolve"), ("round-1/train", "train")]),
        ("sweep grid", "", [("tiny/gsm8k", "evaluate")]),
        (BY_HAND, "", [("jobs/evolve.py conf/evolve/a.yaml run=x", "evolve"), ("evolray train conf/a.yaml", "train")]),
    ]
    assert [one.state for one in runs[0].steps["round-1/train"].jobs] == ["failed", "running"]


def test_two_runs_of_one_name_are_two() -> None:
    assert [run.place for run in runs_of([step("evolve"), step("evolve", run="s3://b/first")])] == [
        "/runs/first", "s3://b/first",
    ]  # fmt: skip


def test_a_step_says_its_state_its_time_and_the_end_of_its_log() -> None:
    lines = printed(
        [step("round-1/evolve"), step("round-1/train", "failed"), step("round-1/train", "failed", started=1010.0)],
        log="first\n\x1b[1mstep 7\x1b[0m\r step 8 \n\n",
    )
    assert lines == [
        URL,
        "",
        "first  /runs/first",
        "step            stage   state            time  its log ends with",
        "round-1/evolve  evolve  succeeded        12 s  step 8",
        "round-1/train   train   failed (2 jobs)   2 s  step 8",
    ]


def test_a_job_that_failed_without_a_log_says_why_and_one_that_waits_is_not_asked() -> None:
    asked: list[str] = []

    def log(job: str) -> str:
        asked.append(job)
        return ""

    jobs = [
        step("one", "failed", message="its job was killed by signal 9"),
        step("two", "pending", started=None, ended=None),
    ]
    out = io.StringIO()
    Console(file=out, width=160).print(runs_view(URL, runs_of(jobs), log))
    assert "its job was killed by signal 9" in out.getvalue()
    assert asked == ["first-one-0"]


def test_a_log_cannot_write_what_it_likes_into_a_terminal() -> None:
    (line,) = (line for line in printed([step("evolve")], log="\x1b]0;title\x07 [red]done[/red]") if "evolve" in line)
    assert "\x1b" not in line and "\x07" not in line and "[red]done[/red]" in line


def test_nobody_there() -> None:
    assert printed([]) == [f"{URL}: no jobs of evolray"]
    assert printed([job("d", command="python serve.py")]) == [f"{URL}: no jobs of evolray"]


def test_a_campaign_that_is_seen_from_here_shows_its_rounds(tmp_path: Path) -> None:
    message = "round 2 fell below round 1"
    write(open_folder(str(tmp_path)), CampaignManifest(str(tmp_path), "complete", message=message))
    assert any(message in line for line in printed([step("evolve", run=str(tmp_path))]))


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"stage": "os"}), json.dumps({"stage": "campaign"})])
def test_a_run_directory_that_says_nothing_of_use_is_left_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert len(printed([step("evolve", run=str(tmp_path))])) == 5
