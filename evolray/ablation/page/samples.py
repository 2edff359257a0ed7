"""A few held-out problems with every student's answer, right and wrong ones, chosen without looking at the texts.

One that all students got right, one that the student of most generations got right and the one of fewest did not, and
one that the former got wrong; where there is none of a kind, another of the first two kinds. Which of a kind: that
with the smallest hash.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from evolray.ablation import names
from evolray.ablation.students import Student
from evolray.pool.layout import Folder

SAMPLES = "samples.parquet"
MOST = 3
GOOD = ("passed", "win", "tie", "scored")
COLUMNS = ("problem", "sample", "prompt", "text", "outcome", "message")
# Between the marks of the Alpaca form, or before the second one, lies what was asked; the rest is the same for every
# problem.
ASKED = re.compile(r"(?:.*?### Instruction:)?\s*(.*?)\s*### Response:", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """`outcome`: for people. `message`: why, where the grader says."""

    student: str
    text: str
    is_good: bool
    outcome: str
    message: str


@dataclass(frozen=True)
class Sample:
    """`why` it was chosen."""

    problem: str
    question: str
    why: str
    answers: tuple[Answer, ...]


def choose(folder: Folder, students: Sequence[Student]) -> tuple[str, list[Sample]]:
    """The title of the benchmark, and at most MOST of its problems; none where no samples were kept."""
    for benchmark in dict.fromkeys(score.benchmark for one in students if one.last for score in one.last.scores):
        tables = [_answers(folder, student, benchmark) for student in students]
        shared = set.intersection(*(set(table) for table in tables)) if all(tables) else set()
        if shared:
            score = next(found for one in students if (found := one.score(benchmark)))
            return score.title, _chosen(students, tables, sorted(shared, key=_key))
    return "", []


def _answers(folder: Folder, student: Student, benchmark: str) -> dict[str, dict[str, Any]]:
    """By problem, the first sample of the last checkpoint."""
    cell = dict(student.last.cells).get(benchmark) if student.last else None
    name = f"{names.SWEEP}/{cell}/{SAMPLES}"
    if cell is None or not folder.exists(name):
        return {}
    with folder.open(name) as file:
        rows = pq.read_table(file, columns=[*COLUMNS]).to_pylist()
    return {row["problem"]: row for row in rows if row["sample"] == 0}


def _chosen(
    students: Sequence[Student], tables: Sequence[dict[str, dict[str, Any]]], problems: Sequence[str]
) -> list[Sample]:
    few, most = students[0].title, students[-1].title
    kinds: dict[str, list[str]] = {
        "all": [one for one in problems if all(_is_good(table[one]) for table in tables)],
        "most": [one for one in problems if _is_good(tables[-1][one]) and not _is_good(tables[0][one])],
        "wrong": [one for one in problems if not _is_good(tables[-1][one])],
    }
    whys = {
        "all": "every student was right", "most": f"{most} was right, {few} was not", "wrong": f"{most} was not right",
    }  # fmt: skip
    chosen = [(kind, some.pop(0)) for kind, some in kinds.items() if some]
    while len(chosen) < MOST and (kind := next((kind for kind in ("most", "all", "wrong") if kinds[kind]), "")):
        chosen.append((kind, kinds[kind].pop(0)))
    return [_sample(students, tables, problem, whys[kind]) for kind, problem in chosen]


def _sample(students: Sequence[Student], tables: Sequence[dict[str, dict[str, Any]]], problem: str, why: str) -> Sample:
    answers = [
        Answer(
            student.title, str(row["text"] or ""), _is_good(row), str(row["outcome"]).replace("_", " "),
            str(row["message"] or ""),
        )
        for student, table in zip(students, tables, strict=True)
        for row in [table[problem]]
    ]  # fmt: skip
    return Sample(problem, _question(str(tables[0][problem]["prompt"] or "")), why, tuple(answers))


def _question(prompt: str) -> str:
    found = ASKED.match(prompt)
    return found[1] if found else prompt.strip()


def _is_good(row: dict[str, Any]) -> bool:
    return row["outcome"] in GOOD


def _key(problem: str) -> str:
    return hashlib.sha256(problem.encode()).hexdigest()
