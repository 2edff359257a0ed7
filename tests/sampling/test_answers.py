"""The file of answers: rows in order, numbers as numbers, failures beside it and counted."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evolray.pool.layout import Folder, open_folder
from evolray.records import Turn
from evolray.sampling.answers import Answers, write_answers
from evolray.sampling.questions import Question, Sample, write_questions, write_samples

ROWS = [
    {"id": 7, "instruction": "Add.\n1 2", "wizardlm": "3", "sample": 0, "finish_reason": "stop", "model": "m"},
    {"id": "007", "instruction": "Sing.", "wizardlm": "La “la”", "sample": 0, "finish_reason": "length", "model": "m"},
]


@pytest.fixture
def run(tmp_path: Path) -> Folder:
    folder = open_folder(str(tmp_path / "run"))
    add = Question("7", 0, (Turn("user", "Add."),), given_input="1 2")
    write_questions(folder, 0, [add, Question("x", 0, (Turn("user", "Long."),))])
    write_samples(
        folder, 0, [Sample("7", 0, "3", "p", "stop", 4, 1, "m"), Sample("x", 0, cause="too_long", message="9 > 8")]
    )
    write_questions(folder, 1, [Question("007", 0, (Turn("user", "Sing."),))])
    write_samples(folder, 1, [Sample("007", 0, "La “la”", "p", "length", 4, 2, "m")])
    return folder


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_json(run: Folder, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "deep" / f"answers.{suffix}"
    answers = write_answers(run, [0, 1], str(path), "wizardlm")
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if suffix == "json" else [json.loads(line) for line in text.splitlines()]
    assert rows == ROWS
    assert answers == Answers(str(path), answered=2, failed=1)
    assert str(answers) == f"{path}: 2 answers, 1 failed"


def test_parquet_has_one_type_of_id(run: Folder, tmp_path: Path) -> None:
    write_answers(run, [0, 1], str(tmp_path / "answers.parquet"), "wizardlm")
    rows = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    assert rows == [{**row, "id": str(row["id"])} for row in ROWS]


def test_failures_lie_in_the_run(run: Folder, tmp_path: Path) -> None:
    write_answers(run, [0, 1], str(tmp_path / "answers.jsonl"), "wizardlm")
    (line,) = run.read("failed.jsonl").decode().splitlines()
    assert json.loads(line) == {"id": "x", "sample": 0, "cause": "too_long", "message": "9 > 8"}


def test_a_path_beside_us(run: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_answers(run, [1], "answers.json", "response")
    assert json.loads((tmp_path / "answers.json").read_text())[0]["response"] == "La “la”"
