import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.evaluate.entries import BadEntry, entries_sha256, read_lines, read_problem_entries

ENTRIES: list[dict[str, Any]] = [{"task_id": "T/0", "prompt": "a"}, {"task_id": "T/1", "prompt": "b"}]
NEEDED = ("task_id", "prompt")


def as_lines(entries: list[Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def write(folder: Path, content: bytes, name: str = "problems.jsonl") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def refusal(folder: Path, content: bytes) -> str:
    path = write(folder, content)
    with pytest.raises(UserError) as caught:
        read_problem_entries(path, NEEDED, "Toy", "task_id")
    return str(caught.value).replace(path, "FILE")


def containers(folder: Path) -> list[str]:
    table = folder / "problems.parquet"
    pq.write_table(pa.Table.from_pylist(ENTRIES), table)
    return [
        write(folder, as_lines(ENTRIES)),
        write(folder, b"\xef\xbb\xbf\n" + as_lines(ENTRIES), "bom.jsonl"),
        write(folder, gzip.compress(as_lines(ENTRIES)), "problems.jsonl.gz"),
        write(folder, json.dumps(ENTRIES, indent=1).encode(), "problems.json"),
        write(folder, gzip.compress(json.dumps(ENTRIES).encode()), "problems.json.gz"),
        str(table),
        (folder / "problems.jsonl").as_uri(),
        (folder / "problems.json.gz").as_uri(),
        table.as_uri(),
    ]


def test_every_container_gives_the_same_entries(tmp_path: Path) -> None:
    read = [[entry for _, entry in read_problem_entries(one, NEEDED, "Toy")] for one in containers(tmp_path)]
    assert read == [ENTRIES] * len(read)


def test_a_dataset_folder_is_read_through_the_datasets_library(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", as_lines(ENTRIES), "test.jsonl")
    read = read_problem_entries(f"hf:{tmp_path}/set:test", NEEDED, "Toy")
    assert [entry for _, entry in read] == ENTRIES


def test_lines_are_counted_from_one_and_blank_lines_count(tmp_path: Path) -> None:
    path = write(tmp_path, b'\n{"a": 1}\n\n{"a": 2}')
    assert list(read_lines(path)) == [(2, {"a": 1}), (4, {"a": 2})]


def test_numbers_are_kept_as_they_are_written(tmp_path: Path) -> None:
    huge = int("9" * 400)
    path = write(tmp_path, as_lines([{"a": [3, 3.0, True, huge]}]))
    (_, entry), *_ = read_lines(path)
    assert isinstance(entry, dict)
    assert [(type(one), one) for one in entry["a"]] == [(int, 3), (float, 3.0), (bool, True), (int, huge)]


def test_a_broken_line_costs_only_itself(tmp_path: Path) -> None:
    path = write(tmp_path, b'{"a": 1}\n{"a": \n{"a": "\xff"}\n' + b'{"a": ' + b"9" * 5000 + b'}\n{"a": 2}\n')
    read = [entry for _, entry in read_lines(path)]
    assert [isinstance(one, BadEntry) for one in read] == [False, True, True, True, False]
    assert str(read[1]).startswith("not JSON: Expecting value at line 1")
    assert str(read[2]) == "not UTF-8: byte 0xff at byte 8"
    assert "4300 digits" in str(read[3])


def test_the_hash_is_of_the_content_alone(tmp_path: Path) -> None:
    shuffled = [dict(reversed(entry.items())) for entry in reversed(ENTRIES)]
    assert entries_sha256(shuffled) == entries_sha256(ENTRIES)
    assert entries_sha256([{"a": 3}]) != entries_sha256([{"a": 3.0}])


def test_missing_fields_are_named_beside_those_found(tmp_path: Path) -> None:
    assert refusal(tmp_path, as_lines([ENTRIES[0], {"task_id": "T/1", "foo": 1}])) == (
        "FILE, line 2: holds task_id, foo; expected an entry of Toy with task_id, prompt: prompt missing. "
        "Is it another release, or the file of another benchmark?"
    )


def test_the_same_id_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    assert refusal(tmp_path, as_lines([*ENTRIES, ENTRIES[0]])) == (
        "FILE: lines 1 and 3 both have task_id T/0. Each problem stands in its file once; remove one of them."
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty; expected the problems of Toy"),
        (b"\n \n", "is empty"),
        (b"[]", "is empty"),
        (b"[1]", "line 1: expected an object, an entry of Toy; got int."),
        (b"{}", "line 1: holds no fields; expected an entry of Toy"),
        (b'{"task_id": "T/0"', "line 1: not JSON:"),
        (b'[{"task_id": "T/0"', "the JSON array is broken: not JSON:"),
        (b"task_id,prompt\n", "begins with b'task_id,prom', which is no JSON object or array."),
        (b"\x1f\x8bnot gzip", "cannot be read:"),
        (gzip.compress(as_lines(ENTRIES))[:-9], "cannot be read: Compressed file ended"),
        (b"PAR1 no parquet", "cannot be read:"),
        (b"[" * 200_000, "JSON nested too deeply"),
    ],
)
def test_what_is_no_problem_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, content)


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; check the path"):
        read_problem_entries(str(tmp_path / "none.jsonl"), NEEDED, "Toy")
    with pytest.raises(UserError, match="is a directory; name the file in it"):
        read_problem_entries(str(tmp_path), NEEDED, "Toy")
    with pytest.raises(UserError, match="Download it first"):
        read_problem_entries("https://example.org/problems.jsonl", NEEDED, "Toy")


def test_credentials_in_a_url_are_not_shown() -> None:
    with pytest.raises(UserError) as caught:
        list(read_lines("nosuch://key:secret@bucket/file"))
    assert "secret" not in str(caught.value)
