"""Folders and tensor files from anywhere: what is not whole and well formed is refused, and nothing leads elsewhere."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from evolray.diff import make as make_diff
from evolray.errors import UserError
from tests.diff.folders import WEIGHTS, Tensors, index, model, packed, tensor


def with_header(entries: Any, data: bytes = b"") -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(begin: Any, end: Any, shape: Any = (1,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 1 << 63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        with_header(b"not json"),
        with_header(b"\xff{}"),
        with_header(b"[" * 200_000),
        with_header([]),
        with_header({"a": entry(0, 4)}),
        with_header({"a": entry(0, 4)}, b"12345"),
        with_header({"a": entry(1, 5)}, b"12345"),
        with_header({"a": entry(-4, 0)}, b""),
        with_header({"a": entry(4, 0)}, b""),
        with_header({"a": entry(0, 8), "b": entry(4, 8)}, b"12345678"),
        with_header({"a": entry(0, 4), "b": entry(0, 4)}, b"1234"),
        with_header({"a": entry(0, 4), "b": entry(8, 12)}, b"123456789012"),
        with_header({"a": entry(0, 4, [2])}, b"1234"),
        with_header({"a": entry(0, 4, [-1, -1])}, b"1234"),
        with_header({"a": entry(0, 4, [1.0])}, b"1234"),
        with_header({"a": entry(0, 4, [True])}, b"1234"),
        with_header({"a": entry(0, 4, "1")}, b"1234"),
        with_header({"a": entry(0, 4, None)}, b"1234"),
        with_header({"a": entry(0, 4, [1] * 65)}, b"1234"),
        with_header({"a": entry(0, 0, [0, 1 << 63])}),
        with_header({"a": entry(0, 4, dtype=None)}, b"1234"),
        with_header({"a": entry(0, "4")}, b"1234"),
        with_header({"a": None}),
        with_header({"a": {"dtype": "F32", "shape": []}}),
        with_header(b'{"a": {"dtype": "F32", "shape": [], "data_offsets": [0]}}'),
        with_header(b'{"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}, "a": 1}'),
        with_header(b'{"a": {"dtype": "U8", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 0]}}'),
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 1)})
    tuned = model(tmp_path / "tuned", {})
    (tmp_path / "tuned" / WEIGHTS).write_bytes(data)
    for first, second in ((raw, tuned), (tuned, raw)):
        with pytest.raises(UserError, match=r"tuned/model\.safetensors: not a whole safetensors file"):
            make_diff(first, second, str(tmp_path / "diff"))
    assert not (tmp_path / "diff").exists()


@pytest.mark.parametrize(
    "places",
    [
        {"a": "../raw/model.safetensors"},
        {"a": "/etc/passwd"},
        {"a": "pytorch_model.bin"},
        {"a": ".hidden.safetensors"},
        {"a": 5},
        {},
        [],
        None,
    ],
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, places: Any) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 1)})
    index(tmp_path / "tuned", places)
    with pytest.raises(UserError, match="expected a weight_map from tensors to safetensors files of this folder"):
        make_diff(raw, str(tmp_path / "tuned"), str(tmp_path / "diff"))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"a": tensor("F32", 1)}, None, "No such file"),
        ({"a": tensor("F32", 1)}, {}, "b should be in 2.safetensors and is not"),
        ({"b": tensor("F32", 1)}, {"a": tensor("F32", 1)}, "a should be in 1.safetensors and is not"),
        ({"a": tensor("F32", 1), "b": tensor("F32", 1)}, {"b": tensor("F32", 1)}, "both hold b"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_refused(
    tmp_path: Path, first: Tensors, second: Tensors | None, message: str
) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 1)})
    tuned = tmp_path / "tuned"
    index(tuned, {"a": "1.safetensors", "b": "2.safetensors"})
    (tuned / "1.safetensors").write_bytes(packed(first))
    if second is not None:
        (tuned / "2.safetensors").write_bytes(packed(second))
    with pytest.raises(UserError, match=message):
        make_diff(raw, str(tuned), str(tmp_path / "diff"))
