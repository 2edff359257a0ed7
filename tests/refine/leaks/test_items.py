"""Benchmark files of every layout as items, and files that are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.refine.leaks.items import Item, read_benchmarks, read_items


def lines(place: Path, *entries: Any, name: str = "items.jsonl") -> str:
    path = place / name
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("entry", "items"),
    [
        (
            {
                "task_id": "HumanEval/0",
                "prompt": "def f():\n",
                "entry_point": "f",
                "canonical_solution": "    return 1\n",
            },
            [("HumanEval/0", "def f():\n", "    return 1\n", True)],
        ),
        ({"task_id": 11, "text": "Add.", "code": "def f(): ..."}, [("11", "Add.", "def f(): ...", True)]),
        ({"question": "How many?", "answer": "2\n#### 2"}, [("line 1", "How many?", "2\n#### 2", False)]),
        (
            {"idx": "math_5", "instruction": "What?", "output": "\\boxed{1}", "input": ""},
            [("math_5", "What?", "\\boxed{1}", False)],
        ),
        ({"problem": "What?", "solution": "1"}, [("line 1", "What?", "1", False)]),
        (
            {"question_id": 81, "turns": ["Write.", "Shorter."], "reference": ["Long.", "Short."]},
            [("81", "Write.", "Long.", False), ("81 turn 2", "Shorter.", "Short.", False)],
        ),
        ({"question_id": 1, "turns": ["Why?"]}, [("1", "Why?", "", False)]),
        ({"idx": 7, "Skill": "Math", "Instruction": "Why?"}, [("7", "Why?", "", False)]),
        ({"instruction": "Sort.", "input": "3 1 2", "output": "1 2 3"}, [("line 1", "Sort.\n3 1 2", "1 2 3", False)]),
        ({"id": 1.5, "text": " ", "question": "Why?", "code": 3}, [("1.5", "Why?", "", False)]),
    ],
)
def test_layouts(tmp_path: Path, entry: dict[str, Any], items: list[tuple[str, str, str, bool]]) -> None:
    assert read_items("b", lines(tmp_path, entry)) == [Item("b", *item) for item in items]


def test_containers(tmp_path: Path) -> None:
    entries = [{"question": "Why?", "answer": "So."}, {"question": "How?", "answer": "Thus."}]
    questions = ["Why?", "How?"]
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(json.dumps(entry) for entry in entries).encode()))
    array = tmp_path / "array.json"
    array.write_text(json.dumps(entries))
    pq.write_table(pa.Table.from_pylist(entries), tmp_path / "table.parquet")
    for path in (packed, array, tmp_path / "table.parquet"):
        assert [item.question for item in read_items("b", str(path))] == questions


def test_benchmarks_come_by_name_whatever_the_order_of_the_config(tmp_path: Path) -> None:
    path = lines(tmp_path, {"question": "Why?"})
    items = read_benchmarks({"b": path, "a": path})
    assert [item.benchmark for item in items] == ["a", "b"]
    assert items == read_benchmarks({"a": path, "b": path})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"question": "Why?"}, {"answers": "So.", "n": 1}], "no question in line 2, which has 'answers', 'n'"),
        ([{"question": "Why?"}, [1]], "line 2 is not an object"),
        ([{"question": "  "}], "no question in line 1"),
        ([{"turns": ["", " "]}], "no question in line 1"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, entries: list[Any], said: str) -> None:
    with pytest.raises(UserError, match=r"contamination\.benchmarks\.mine=") as raised:
        read_items("mine", lines(tmp_path, *entries))
    assert said in str(raised.value)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"question": "Why?"}\n{"question": \n')
    with pytest.raises(UserError, match="line 2 is not JSON"):
        read_items("mine", str(path))


def test_a_file_without_items_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="holds no item"):
        read_items("mine", str(path))
