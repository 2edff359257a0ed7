import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problems
from evolray.evaluate.code.problems import read_humaneval, read_humaneval_plus, read_mbpp, read_mbpp_plus

HUMANEVAL = {
    "task_id": "HumanEval/0", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n",
    "test": "def check(f):\n    assert f(1) == 1\n",
}  # fmt: skip
HUMANEVAL_PLUS = {**HUMANEVAL, "contract": "", "base_input": [[1]], "plus_input": [[2], [3]], "atol": 0}
MBPP = {
    "task_id": 11, "text": "Write f.", "code": "def f(x): return x", "test_list": ["assert f(1) == 1"],
    "test_setup_code": "", "challenge_test_list": [],
}  # fmt: skip
MBPP_PLUS = {
    "task_id": "Mbpp/2", "prompt": '"""\nWrite f.\nassert f(1) == 1\n"""\n', "entry_point": "f",
    "canonical_solution": "\ndef f(x):\n  return x\n", "base_input": [[1]], "plus_input": {}, "contract": "", "atol": 0,
    "assertion": "assert f(1) == 1",
}  # fmt: skip
Reader = Callable[[str], Problems]


def write(folder: Path, *entries: dict[str, Any]) -> str:
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def refusal(reader: Reader, folder: Path, *entries: dict[str, Any]) -> str:
    path = write(folder, *entries)
    with pytest.raises(UserError) as caught:
        reader(path)
    return str(caught.value).replace(path, "FILE")


@pytest.mark.parametrize(
    ("reader", "entry", "layout", "id"),
    [
        (read_humaneval, HUMANEVAL, "HumanEval", "HumanEval/0"),
        (read_humaneval, HUMANEVAL_PLUS, "HumanEval+", "HumanEval/0"),
        (read_humaneval_plus, HUMANEVAL_PLUS, "HumanEval+", "HumanEval/0"),
        (read_mbpp, MBPP, "MBPP", "11"),
        (read_mbpp, MBPP_PLUS, "MBPP+", "Mbpp/2"),
        (read_mbpp_plus, MBPP_PLUS, "MBPP+", "Mbpp/2"),
    ],
)
def test_a_layout_is_recognised_and_unknown_content_shown(
    reader: Reader, entry: dict[str, Any], layout: str, id: str, tmp_path: Path
) -> None:
    problems = reader(write(tmp_path, entry))
    assert problems.release == f"{layout} of unknown version (1 problems, sha256 {problems.sha256[:12]})"
    assert [(one.id, one.row) for one in problems.all] == [(id, entry)]
    assert problems.source.endswith("problems.jsonl")


def test_a_file_without_plus_tests_is_refused(tmp_path: Path) -> None:
    assert refusal(read_humaneval_plus, tmp_path, HUMANEVAL) == (
        "FILE: is HumanEval, which holds no plus tests; benchmark humaneval_plus needs HumanEval+. Give the file of "
        "HumanEval+ (evalplus), or run benchmark humaneval."
    )
    assert refusal(read_mbpp_plus, tmp_path, MBPP).startswith("FILE: is MBPP, which holds no plus tests;")


def test_a_file_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    assert refusal(read_mbpp, tmp_path, HUMANEVAL) == (
        "FILE: is HumanEval; benchmark mbpp needs MBPP or MBPP+. Give its file, or run the benchmark of this one."
    )
    assert refusal(read_humaneval, tmp_path, MBPP_PLUS).startswith("FILE: is MBPP+; benchmark humaneval needs")


def test_a_file_of_another_layout_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    assert refusal(read_humaneval, tmp_path, {"task_id": "HumanEval/0", "instruction": "Write f."}) == (
        "FILE: its entries hold task_id, instruction; benchmark humaneval needs HumanEval or HumanEval+, with task_id, "
        "prompt, entry_point, canonical_solution, test: prompt, entry_point, canonical_solution, test missing. Is it "
        "another release?"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt": 3}, "line 2: prompt is int, expected str in an entry of HumanEval+."),
        ({"atol": "0"}, "line 2: atol is str, expected int or float in an entry of HumanEval+."),
        ({"base_input": [1]}, "line 2: base_input holds something else than lists of arguments."),
        ({"base_input": []}, "line 2: has no tests; any program would pass."),
        ({"task_id": "HumanEval/0"}, "lines 1 and 2 both have task_id HumanEval/0."),
    ],
)
def test_a_broken_entry_is_refused_with_its_line(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    second = {**HUMANEVAL_PLUS, "task_id": "HumanEval/1", **change}
    assert reason in refusal(read_humaneval_plus, tmp_path, HUMANEVAL_PLUS, second)


def test_an_entry_that_lacks_what_the_first_has_is_refused(tmp_path: Path) -> None:
    second = {"task_id": 12, "text": "", "code": ""}
    assert "line 2: test_list is missing, expected list" in refusal(read_mbpp, tmp_path, MBPP, second)
    no_tests = {**MBPP, "task_id": 12, "test_list": []}
    assert "line 2: has no tests" in refusal(read_mbpp, tmp_path, MBPP, no_tests)


def test_all_of_mbpp_is_cut_to_its_test_set(tmp_path: Path) -> None:
    everything = [{**MBPP, "task_id": number} for number in range(1, 975)]
    problems = read_mbpp(write(tmp_path, *everything))
    assert [problems.all[0].id, problems.all[-1].id, len(problems.all)] == ["11", "510", 500]
    same = read_mbpp(write(tmp_path, *everything[10:510]))
    assert same.sha256 == problems.sha256


def test_a_part_of_mbpp_is_taken_as_it_is(tmp_path: Path) -> None:
    examples = [{**MBPP, "task_id": number} for number in (1, 2, 11)]
    assert [one.id for one in read_mbpp(write(tmp_path, *examples)).all] == ["1", "2", "11"]
