"""How steps look while they run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from evolray.config import to_yaml
from evolray.pipeline.progress import Progress, line, view
from evolray.pipeline.records import Attempt, StepRecord
from evolray.pipeline.schedule import Entry
from tests.pipeline import places
from tests.pipeline.scripted import Script


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """One of each kind, 100 seconds into the run."""
    monkeypatch.setattr("evolray.pipeline.records.time.time", lambda: 100.0)
    made = [
        ("round-1/refine", "complete", [Attempt("job-1", "succeeded", "", 0, 10.0, 22.0)]),
        ("round-1/train", "running", [Attempt("job-2", started=35.0)]),
        ("train-b", "running", [Attempt("job-3", started=99.0)]),
        ("refine-c", "waiting", [Attempt("job-4", "failed", "its job was killed by signal 9", -9, 20.0, 23.0)]),
        ("refine-d", "failed", [Attempt("job-5", "failed", "its job ended with exit code 2", 2, 20.0, 21.0)]),
        ("evaluate", "waiting", []),
    ]
    entries = []
    for name, state, attempts in made:
        step = places.step(tmp_path, name)
        record = StepRecord(name, step.stage, state, attempts=attempts)
        entries.append(Entry(step, record, to_yaml(step.config), is_pending=name == "train-b"))
    return entries


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def said(entry: Entry) -> str:
    return "[red]step 40 of 100, loss 1.2" if entry.record.name == "round-1/train" else ""


def test_a_row_per_step(entries: list[Entry]) -> None:
    console = Console(width=100, file=io.StringIO())
    console.print(view("the title", entries, said))
    assert printed(console)[0] == "the title"
    assert [" ".join(line.split()) for line in printed(console)[1:]] == [
        "round-1/refine complete 12 s",
        "round-1/train running 1 min 05 s [red]step 40 of 100, loss 1.2",
        "train-b pending 1 s",
        "refine-c waiting 3 s its job was killed by signal 9",
        "refine-d failed 1 s its job ended with exit code 2",
        "evaluate waiting",
    ]


def test_long_lines_are_cut(entries: list[Entry]) -> None:
    console = Console(width=60, file=io.StringIO())
    console.print(view("", entries, lambda _: "x" * 500))
    assert len(printed(console)) == 6
    assert printed(console)[1].endswith("…")


def test_a_line_for_a_log(entries: list[Entry]) -> None:
    assert line(entries, said) == (
        "1 of 6 steps complete\n    round-1/train running for 1 min 05 s: [red]step 40 of 100, loss 1.2\n"
        "    train-b pending for 1 s"
    )


def test_a_job_s_log_is_fetched_now_and_then_only(entries: list[Entry]) -> None:
    class Counting(Script):
        def log(self, job: str) -> str:
            self.stopped.append(job)
            return f"\nfirst\n{job} has\tsaid this  \n\n"

    server, console = Counting(), Console(width=100, file=io.StringIO(), force_terminal=True, color_system=None)
    with Progress("", 30.0, console) as progress:
        for _ in range(3):
            progress.show(entries, server)
    assert server.stopped == ["job-2", "job-3"]
    assert any("job-2 has" in line for line in printed(console))
