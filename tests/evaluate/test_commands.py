"""`evolray evaluate`, `grade`, `samples`, `generate` and `status` as a user types them, and what is printed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evolray.cli import main

pytestmark = pytest.mark.usefixtures("as_a_process_of_its_own")

Printed = Callable[[], tuple[str, str]]
SUMS = [(1, 2), (3, 4), (20, 5)]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What was printed since it was asked last: stdout and stderr."""
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]


@pytest.fixture
def problems(tmp_path: Path) -> str:
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {one} + {two}?", "answer": f"#### {one + two}"} for one, two in SUMS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def samples(tmp_path: Path) -> str:
    path = tmp_path / "samples.jsonl"
    rows = [{"idx": number, "output": f"The answer is: {total}"} for number, total in enumerate((3, 7, 26))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_grade_then_read_what_failed_and_how_it_stands(
    problems: str, samples: str, tmp_path: Path, printed: Printed, local_ray: None
) -> None:
    run = str(tmp_path / "run")
    command = ["grade", "GSM8K", f"samples={samples}", f"problems={problems}", f"run={run}", "execution.parallel=1"]
    assert main(command) == 0
    table, err = printed()
    assert ["GSM8K", "2", "3", "66.67", "20.8-93.8", "pass@1"] in [line.split() for line in table.splitlines()]
    assert "GSM8K: passed 2, wrong 1" in table and "Traceback" not in err
    scores = json.loads(Path(run, "scores.json").read_text())
    assert {key: scores["gsm8k"][key] for key in ("passed", "total", "pass@1")} == {
        "passed": 2, "total": 3, "pass@1": 66.67,
    }  # fmt: skip
    assert scores["gsm8k"]["rules"]["mode"] == "strict"

    assert main(["samples", run, "--failed"]) == 0
    shown, _ = printed()
    assert shown.splitlines()[0] == "gsm8k 2 #0  wrong" and "26" in shown and "gsm8k 0" not in shown
    assert main(["samples", run, "--problem", "1"]) == 0
    assert printed()[0].splitlines()[0] == "gsm8k 1 #0  passed"
    assert main(["samples", run, "--limit", "1"]) == 0
    assert "2 more (--limit 3)" in printed()[0]

    assert main(["status", run]) == 0
    status, _ = printed()
    assert status.splitlines()[0] == f"{run}: complete"
    assert "3 questions, 3 sampled, 0 failed, 3 graded" in status and "66.67" in status

    assert main(command) == 0
    out, err = printed()
    assert out == table and err.count("\n") == 1
    assert err.rstrip().endswith("nothing to do, every sample is drawn and graded")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "gsm8k", "samples=nowhere.jsonl", "problems=PROBLEMS", "run=RUN"], "nowhere.jsonl: no such file"),
        (["grade", "gsm8k", "samples=SAMPLES", "problems=SAMPLES", "run=RUN"], "GSM8K"),
        (["grade", "humaneval", "samples=SAMPLES", "problems=PROBLEMS", "run=RUN"], "HumanEval"),
        (["grade", "gsm", "samples=SAMPLES", "problems=PROBLEMS", "run=RUN"], "benchmark 'gsm' is not known"),
        (["grade", "gsm8k", "samples=SAMPLES", "problems=PROBLEMS"], "run is missing; give it as run=VALUE"),
        (["grade", "gsm8k", "samples=SAMPLES", "problems=PROBLEMS", "run=RUN", "extracton=none"], "extraction"),
        (["evaluate", "run=RUN", "benchmarks=[gsm8k]", "problems.gsm8k=PROBLEMS"], "no model is named"),
        (["evaluate", "run=RUN", "benchmarks=[gsm8k]", "problems.gsm8k=PROBLEMS", "model=/nowhere/m"], "/nowhere/m"),
        (["generate", "run=RUN", "data=SAMPLES", "output=answers.csv", "endpoint.kind=simulated"], ".jsonl, .json"),
        (["generate", "run=RUN", "data=SAMPLES", "output=a.jsonl", "endpoint.kind=simulated"], "holds no instruction"),
        (["samples", "RUN"], "no scores.json here; expected the run= of evolray evaluate or grade"),
        (["sweep", "run=RUN", "benchmarks=[gsm8k]", "problems.gsm8k=PROBLEMS"], "checkpoints"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, problems: str, samples: str, tmp_path: Path, printed: Printed
) -> None:
    for name, value in {"PROBLEMS": problems, "SAMPLES": samples, "RUN": str(tmp_path / "run")}.items():
        arguments = [argument.replace(name, value) for argument in arguments]
    assert main(arguments) == 2
    out, err = printed()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("evolray: ") and said in err
    assert not (tmp_path / "run" / "sampled").exists()


def test_a_machine_without_bubblewrap_refuses_before_anything_starts(
    tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f", "test": "def check(c): pass\n"}
    (tmp_path / "he.jsonl").write_text(json.dumps({**row, "canonical_solution": "    return 1\n"}) + "\n")
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "HumanEval/0", "completion": "    return 1\n"}) + "\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    places = [f"samples={tmp_path}/s.jsonl", f"problems={tmp_path}/he.jsonl", f"run={tmp_path}/run"]
    assert main(["grade", "humaneval", *places]) == 2
    err = printed()[1]
    assert "bubblewrap" in err and "apt-get install bubblewrap" in err and "execution.unsafe=true" in err
    assert not (tmp_path / "run").exists()


def test_generate_answers_everything_and_a_rerun_asks_nothing(
    tmp_path: Path, printed: Printed, local_ray: None
) -> None:
    data = tmp_path / "instructions.jsonl"
    rows = [{"idx": number, "Instruction": f"Explain number {number}."} for number in range(1, 6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"idx": 6, "Instruction": ""}]))
    output = tmp_path / "answers.jsonl"
    command = [
        "generate", f"run={tmp_path}/run", f"data={data}", f"output={output}", "answer_key=wizardlm",
        "endpoint.kind=simulated", "endpoint.flaws=0", "engine.shard_size=2",
    ]  # fmt: skip
    assert main(command) == 0
    out, err = printed()
    assert out == f"{output}: 5 answers, 0 failed\n"
    assert "1 entries cannot be answered" in err and "line 6" in err
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(one["id"], one["instruction"]) for one in answers] == [(row["idx"], row["Instruction"]) for row in rows]
    assert all(one["wizardlm"] and one["finish_reason"] == "stop" for one in answers)
    before = output.read_bytes()
    output.unlink()
    assert main(command) == 0
    assert "nothing to ask, every instruction is answered" in printed()[1]
    assert output.read_bytes() == before
    assert main([*command, "limit=3"]) == 2
    assert "was made with instructions=" in printed()[1]


@pytest.mark.parametrize("command", ["evaluate", "sweep", "generate"])
def test_settings(command: str, printed: Printed) -> None:
    assert main([command, "--settings"]) == 0
    assert "run: ???" in printed()[0].splitlines()
