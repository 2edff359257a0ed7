"""Samples that somebody else drew: which field counts, how problems are found, and what becomes of bad lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark, Form, Problem, Problems
from evolray.evaluate.ready_samples import ReadySamples, chosen_extraction, digest_of, read_ready_samples

PROBLEMS = Problems("Sums v1", "sums.jsonl", "0" * 64, [Problem(id, {}) for id in ("Sum/0", "Sum/1", "Mbpp/11")])


def unused(*_: Any) -> Any:
    raise AssertionError("reading samples needs the problems alone")


SUMS = Benchmark("sums", "Sums", unused, {"plain": Form("plain", "", is_chat=False)}, unused, {}, unused, max_tokens=8)


def read(tmp_path: Path, *entries: Any, extraction: str = "auto", name: str = "samples.jsonl") -> ReadySamples:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode("utf-8", "surrogatepass"))
    return read_ready_samples(str(path), SUMS, PROBLEMS, extraction)


def texts(found: ReadySamples) -> list[tuple[str, int, str]]:
    return [(one.id, one.sample, one.text) for one in found.samples]


@pytest.mark.parametrize("name", ["samples.jsonl", "samples.jsonl.gz"])
def test_samples_of_a_problem_are_counted_in_the_files_order(tmp_path: Path, name: str) -> None:
    lines = [{"task_id": id, "completion": text} for id, text in (("Sum/1", "a"), ("Sum/0", "b"), ("Sum/1", "c"))]
    found = read(tmp_path, *lines, name=name)
    assert texts(found) == [("sums/Sum/1", 0, "a"), ("sums/Sum/0", 0, "b"), ("sums/Sum/1", 1, "c")]
    assert (found.key, found.rejected) == ("completion", [])


BOTH = {"task_id": "Sum/0", "all_code": "raw", "completion": "cut", "solution": "whole", "response": "said"}


@pytest.mark.parametrize(
    ("extraction", "left_out", "key"),
    [
        ("auto", (), "solution"),
        ("none", (), "solution"),
        ("none", ("solution",), "completion"),
        ("auto", ("solution", "completion"), "all_code"),
        ("published", (), "all_code"),
        ("general", (), "all_code"),
        ("general", ("all_code",), "response"),
        ("published", ("all_code", "response"), "solution"),
    ],
)
def test_raw_output_is_what_is_extracted_from(
    tmp_path: Path, extraction: str, left_out: tuple[str, ...], key: str
) -> None:
    entry = {name: text for name, text in BOTH.items() if name not in left_out}
    found = read(tmp_path, entry, extraction=extraction)
    assert (found.key, found.samples[0].text) == (key, BOTH[key])


@pytest.mark.parametrize(
    ("wanted", "key", "has_programs", "expected"),
    [
        ("auto", "completion", True, "none"),
        ("auto", "solution", True, "none"),
        ("auto", "all_code", True, "general"),
        ("auto", "completion", False, "general"),  # of mathematics, what follows the prompt is prose
        ("published", "completion", True, "published"),
        ("none", "all_code", True, "none"),
    ],
)
def test_what_auto_means(wanted: str, key: str, has_programs: bool, expected: str) -> None:
    assert chosen_extraction(wanted, key, has_programs) == expected


@pytest.mark.parametrize("id", ["Mbpp/11", "11", 11])
def test_a_problem_by_any_of_its_names(tmp_path: Path, id: Any) -> None:
    assert texts(read(tmp_path, {"task_id": id, "completion": "x"})) == [("sums/Mbpp/11", 0, "x")]


@pytest.mark.parametrize("key", ["task_id", "idx", "id", "problem"])
def test_an_id_under_any_of_its_keys(tmp_path: Path, key: str) -> None:
    assert texts(read(tmp_path, {key: "Sum/0", "output": "x"})) == [("sums/Sum/0", 0, "x")]


def test_lines_that_cannot_be_used_are_told_with_their_reason(tmp_path: Path) -> None:
    found = read(
        tmp_path, {"task_id": "Sum/0", "completion": "x"}, {"task_id": "Sum/9", "completion": "x"}, {"completion": "x"},
        {"task_id": "Sum/1"}, {"task_id": "Sum/1", "completion": None}, "{cut off", "[1]",
    )  # fmt: skip
    assert texts(found) == [("sums/Sum/0", 0, "x")]
    assert [one["line"] for one in found.rejected] == [2, 3, 4, 5, 6, 7]
    reasons = [one["reason"] for one in found.rejected]
    assert reasons[0] == "no problem 'Sum/9'"
    assert reasons[1] == "none of task_id, idx, id, problem"
    assert reasons[2].startswith("problem Sum/1: no text in any of solution, completion, all_code")
    assert reasons[3] == reasons[2]
    assert reasons[4].startswith("not JSON") and reasons[5] == "expected an object, got list"


def test_half_a_surrogate_pair_can_be_stored(tmp_path: Path) -> None:
    found = read(tmp_path, '{"task_id": "Sum/0", "completion": "a\\ud83db"}')
    assert found.samples[0].text == "a\ufffdb"


def test_samples_of_another_benchmark_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no line holds a sample of Sums v1 \(no problem 'HumanEval/0'\). Expected JSON"
    ):
        read(tmp_path, {"task_id": "HumanEval/0", "completion": "x"})


def test_the_digest_is_of_texts_and_order(tmp_path: Path) -> None:
    one = read(tmp_path, {"task_id": "Sum/0", "completion": "x"}, {"task_id": "Sum/1", "completion": "y"})
    same = read(tmp_path, {"task_id": "Sum/0", "completion": "x", "note": 1}, {"id": "Sum/1", "completion": "y"})
    other = read(tmp_path, {"task_id": "Sum/0", "completion": "x"}, {"task_id": "Sum/1", "completion": "z"})
    assert digest_of(one.samples) == digest_of(same.samples) != digest_of(other.samples)
