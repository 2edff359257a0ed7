"""What is asked and answered comes back from its files as it was, and from those of earlier versions, too."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.pool.layout import Folder, open_folder
from evolray.records import Turn
from evolray.sampling.questions import (
    QUESTION_SCHEMA,
    SAMPLE_SCHEMA,
    Question,
    Sample,
    read_questions,
    read_samples,
    write_questions,
    write_samples,
)
from tests.sampling import tiny

QUESTIONS = [
    Question("a", 0, (Turn("system", "Be brief."), *tiny.said("Sum up.")), None, 300, ("###", ""), "1 2 3"),
    Question("a", 1, prompt=""),
    Question("b", 0, tiny.said("Name a tree."), follow_ups=("And another?", ""), temperature=0.7),
    Question("b", 1, tiny.said("Name a tree."), temperature=0.0),
]
SAMPLES = [
    Sample("a", 0, "six", "p", "stop", 4, 1, "m"),
    Sample("b", 0, "", "p", "length", 4, 1, "m", earlier=("Oak.", "")),
    Sample("b", 1, cause="timeout", message="turn 2 of 2: late", earlier=("Oak.",)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path))


def test_questions_and_samples_come_back_as_they_were(folder: Folder) -> None:
    write_questions(folder, 3, QUESTIONS)
    write_samples(folder, 3, SAMPLES)
    assert read_questions(folder, 3) == QUESTIONS
    assert read_samples(folder, 3) == SAMPLES


def before(rows: list[dict[str, Any]], schema: pa.Schema, *later: str) -> bytes:
    """A file of a version that had no such columns."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema).drop_columns([*later]), sink)
    return sink.getvalue()


def test_files_without_the_newer_columns_are_read(folder: Folder) -> None:
    question = {
        "id": "a", "sample": 0, "messages": [{"role": "user", "content": "Add."}], "prompt": None, "max_tokens": 9,
        "stop": ["#"], "given_input": "1 2",
    }  # fmt: skip
    sample = {
        "id": "a", "sample": 0, "text": "3", "prompt": "", "finish_reason": "stop", "prompt_tokens": 4,
        "completion_tokens": 1, "model": "m", "cause": "", "message": "",
    }  # fmt: skip
    folder.write("questions/00000.parquet", before([question], QUESTION_SCHEMA, "follow_ups", "temperature"))
    folder.write("sampled/00000.parquet", before([sample], SAMPLE_SCHEMA, "earlier"))
    assert read_questions(folder, 0) == [Question("a", 0, tiny.said("Add."), None, 9, ("#",), "1 2")]
    assert read_samples(folder, 0) == [Sample("a", 0, "3", "", "stop", 4, 1, "m")]


def test_what_follows_is_each_answer_and_what_is_said_to_it() -> None:
    question = Question("q", 0, tiny.said("One?"), follow_ups=("Two?", "Three?"))
    assert question.turns == 3
    assert question.after([]) == ()
    assert question.after(["1"]) == (Turn("assistant", "1"), Turn("user", "Two?"))
    assert question.after(["1", ""])[2:] == (Turn("assistant", ""), Turn("user", "Three?"))


def test_a_text_to_be_continued_has_no_turns() -> None:
    with pytest.raises(ValueError, match=r"q: a prompt that is continued has no turns; follow_ups need messages\."):
        Question("q", 0, prompt="Once", follow_ups=("And then?",))
