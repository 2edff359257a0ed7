"""Leaks by execution, in the real sandbox, with problems of our own in the benchmarks' forms."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.config import ContaminationConfig, ExecutionConfig
from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.pool.shards import read_rows
from evolray.refine.index import read_index
from evolray.refine.leaks.execution import FindPassing, make_finder
from evolray.refine.leaks.likely import Likeness
from evolray.refine.leaks.programs import program_in
from evolray.refine.tables import LEAKS_BY_EXECUTION, RECORDS, RECORDS_SCHEMA, write_rows

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")

HUMANEVAL = [
    {
        "task_id": "HumanEval/0",
        "prompt": 'from typing import List\n\ndef spread(values: List[int]) -> int:\n    """The gap between the '
                  'largest and the smallest of the values; 0 when there are none."""\n',
        "entry_point": "spread",
        "canonical_solution": "    if not values:\n        return 0\n    return max(values) - min(values)\n",
        "test": "def check(candidate):\n    assert candidate([3, 9, 4]) == 6\n    assert candidate([]) == 0\n"
                "    assert candidate([5]) == 0\n",
    },
    {
        "task_id": "HumanEval/1",
        "prompt": 'def is_even_length(text: str) -> bool:\n    """Whether a text has an even number of letters."""\n',
        "entry_point": "is_even_length",
        "canonical_solution": "    return len(text) % 2 == 0\n",
        "test": "def check(candidate):\n    assert candidate('ab')\n    assert candidate('') == True\n",  # weak: True
    },
]  # fmt: skip
MBPP = [
    {
        "task_id": 7,
        "text": "Write a function to repeat each letter of a word so many times.",
        "code": "def stretch(word, times):\r\n    return ''.join(letter * times for letter in word)",
        "test_list": ["assert stretch('ab', 2) == 'aabb'", "assert stretch('', 3) == ''"],
    },
    {
        "task_id": 8,
        "text": "Write a function to count the vowels of a word.",
        "code": "def vowels(word):\r\n    return sum(letter in 'aeiou' for letter in word)",
        "test_list": ["assert vowels('banana') == 3", "assert vowels('xyz') == 0"],
    },
]  # fmt: skip

SPREAD = "def gap(numbers):\n    return max(numbers, default=0) - min(numbers, default=0)"
STRETCH = "class Solution:\n    def repeat(self, text, k):\n        return ''.join(c * k for c in text)"


@pytest.fixture
def settings(tmp_path: Path) -> ContaminationConfig:
    files: dict[str, list[dict[str, Any]]] = {"humaneval": HUMANEVAL, "mbpp": MBPP}
    for name, entries in files.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries))
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in files}
    return ContaminationConfig(benchmarks={**paths, "wizardlm": "not read here"}, execution=True)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "run"))


def find(
    settings: ContaminationConfig, folder: Folder, texts: list[tuple[str, str]], mask: list[bool] | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Leaks and counts of records (instruction, response)."""
    rows = [
        {"source": "a", "id": f"{n:016x}.g0", "root_id": f"{n:016x}", "generation": 0, "instruction": instruction,
         "response": response, "context": []}
        for n, (instruction, response) in enumerate(texts)
    ]  # fmt: skip
    write_rows(folder, shard_name(RECORDS, 3), rows, RECORDS_SCHEMA)
    index = read_index(folder, ("a",))
    finder = make_finder(settings)
    assert finder is not None
    counts = finder.of(index, np.array(mask or [True] * len(texts))).run(folder, 3)
    return read_rows(folder, shard_name(LEAKS_BY_EXECUTION, 3)), counts


@needs_bubblewrap
def test_renamed_solutions_without_their_questions(settings: ContaminationConfig, folder: Folder) -> None:
    texts = [
        ("Do as you like.", f"Here:\n```python\n{SPREAD}\n```"),
        ("Again.", STRETCH),
        ("Hello.", "Nothing but prose."),
        ("Count the vowels of a word.", "def count(w):\n    return len(w)"),  # does not pass
        (f"Explain this:\n```python\n{SPREAD}\n```", "It takes the largest and the smallest."),
    ]
    leaks, counts = find(settings, folder, texts)
    assert [(one["row"], one["id"][15:], one["benchmark"], one["item"], one["where"]) for one in leaks] == [
        (0, "0.g0", "humaneval", "HumanEval/0", "solution in response"),
        (1, "1.g0", "mbpp", "7", "solution in response"),
        (4, "4.g0", "humaneval", "HumanEval/0", "solution in instruction"),
    ]
    assert {(one["source"], one["kind"], one["score"]) for one in leaks} == {("a", "execution", 1.0)}
    assert leaks[0]["evidence"] == f"gap passes the tests of spread: {SPREAD}"
    assert leaks[1]["evidence"].startswith("Solution().repeat passes the tests of stretch: def repeat(self")
    assert (counts["checked"], counts["programs"], counts["leaks"]) == (5, 4, 3)
    assert (counts["leaks.humaneval"], counts["leaks.mbpp"], counts["unproven"]) == (2, 1, 0)


@needs_bubblewrap
def test_only_rows_of_the_mask_are_run(settings: ContaminationConfig, folder: Folder) -> None:
    leaks, counts = find(settings, folder, [("", SPREAD), ("", SPREAD)], [False, True])
    assert [one["row"] for one in leaks] == [1] and counts["programs"] == 1
    assert find(settings, folder, [("", SPREAD)], [False])[0] == []


@needs_bubblewrap
def test_tests_that_anything_passes_prove_nothing(settings: ContaminationConfig, folder: Folder) -> None:
    leaks, counts = find(
        settings, folder, [("Even number of letters?", "def is_even_length(text):\n    return 1 == 1")]
    )
    assert leaks == [] and counts["unproven"] == 1


@needs_bubblewrap
def test_hostile_programs_are_no_leaks_and_harm_nobody(settings: ContaminationConfig, folder: Folder) -> None:
    settings.sandbox = ExecutionConfig(seconds=0.5, memory_mb=256)
    bodies = ["while True:\n        pass", "import os\n    os._exit(0)", "raise SystemExit(0)", "return [0] * 10**10",
              "class E:\n        def __eq__(self, o):\n            return True\n    return E()"]  # fmt: skip
    leaks, counts = find(settings, folder, [("", f"def spread(values):\n    {body}") for body in bodies])
    assert leaks == [] and (counts["programs"], counts["runs"]) == (5, 15)  # three problems take one argument


@needs_bubblewrap
def test_the_same_bytes_again(settings: ContaminationConfig, folder: Folder) -> None:
    name = shard_name(LEAKS_BY_EXECUTION, 3)
    find(settings, folder, [("", SPREAD), ("", STRETCH)])
    before = folder.read(name)
    find(settings, folder, [("", SPREAD), ("", STRETCH)])
    assert folder.read(name) == before


def made(settings: ContaminationConfig) -> FindPassing:
    settings.sandbox.unsafe = True  # nothing is run
    finder = make_finder(settings)
    assert finder is not None
    return finder


def test_arguments_are_told_from_the_tests(settings: ContaminationConfig) -> None:
    tasks = {task.problem.id: task for task in made(settings).tasks}
    assert {key: set(task.arguments) for key, task in tasks.items()} == {
        "HumanEval/0": {1}, "HumanEval/1": {1}, "7": {2}, "8": {1},
    }  # fmt: skip
    assert {task.entry_point for task in tasks.values()} == {"spread", "is_even_length", "stretch", "vowels"}


@pytest.mark.parametrize(
    ("program", "text", "likely"),
    [
        (SPREAD, "", ["HumanEval/0"]),
        ("def f(x):\n    return x", "the vowels of a word", ["8"]),
        # a function of the problem's name goes first, however unlike
        ("def spread(x):\n    return x", "Count the vowels of a word", ["HumanEval/0"]),
        ("def spread(x, y, z):\n    return x", "Count the vowels of a word", []),  # three arguments fit no problem
    ],
)
def test_the_likeliest_problem(settings: ContaminationConfig, program: str, text: str, likely: list[str]) -> None:
    settings.candidates = 1
    found = program_in(program)
    assert found is not None
    assert [task.problem.id for task in made(settings).likely(found, text, program)] == likely


def test_more_candidates_are_more_problems(settings: ContaminationConfig) -> None:
    found = program_in("def f(word):\n    return sum(c in 'aeiou' for c in word)")
    assert found is not None
    finder = made(settings)
    assert finder.likely(found, "the vowels", "")[0].problem.id == "8"
    assert len(finder.likely(found, "count the largest of the letters of a word", "")) == 3
    assert pickle.loads(pickle.dumps(finder)).tasks == finder.tasks


def test_what_decides_the_files_has_an_identity(settings: ContaminationConfig, tmp_path: Path) -> None:
    before = made(settings).identity
    assert made(settings).identity == before and len(before) == 16
    settings.sandbox.parallel = 7
    assert made(settings).identity == before
    path = tmp_path / "mbpp.jsonl"
    path.write_text(path.read_text().replace("aabb", "aaab"))  # a test, and nothing else
    assert made(settings).identity != before


def test_other_names_make_no_difference_to_a_form() -> None:
    likeness = Likeness([("", str(one["code"])) for one in MBPP] + [("", "def f(x):\n    return x")])
    renamed = "def g(w, k):\n    return ''.join(q * k for q in w)"
    scores = likeness.of("", "", renamed)
    assert scores.argmax() == 0 and scores[0] > 2 * scores[1]
    assert likeness.of("", "", "").tolist() == [0, 0, 0]


def test_what_is_missing_is_said_before_anything_starts(
    settings: ContaminationConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"bubblewrap.*contamination\.sandbox\.unsafe=true"):
        make_finder(settings)
    with pytest.raises(UserError, match="needs the file of humaneval"):
        make_finder(ContaminationConfig(benchmarks={"gsm8k": "x"}, execution=True))
    settings.candidates = 0
    with pytest.raises(UserError, match=r"contamination\.candidates=0"):
        make_finder(settings)
    assert make_finder(ContaminationConfig(benchmarks={"humaneval": "x"})) is None
