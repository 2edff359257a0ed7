"""Model folders and diffs of a few bytes, made by hand, for the tests beside this file."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.diff import make as make_diff
from evolray.diff import recover as recover_tuned
from evolray.diff import summary
from evolray.diff.tensors import read_header
from evolray.errors import EvolrayError, UserError

Tensors = dict[str, tuple[str, list[int], bytes]]  # name: dtype, shape, bytes
ITEM_BYTES = {"F64": 8, "I64": 8, "C64": 8, "F32": 4, "F16": 2, "BF16": 2}  # 1 for the others
WEIGHTS = "model.safetensors"


def random_bytes(number: int, seed: int = 0) -> bytes:
    """All bit patterns occur in them: of floats NaN, infinities and subnormal numbers, too."""
    return np.random.default_rng(seed).bytes(number)


def tensor(dtype: str, *shape: int, seed: int = 0) -> tuple[str, list[int], bytes]:
    return dtype, list(shape), random_bytes(int(np.prod(shape)) * ITEM_BYTES.get(dtype, 1), seed)


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def packed(tensors: Tensors, metadata: dict[str, str] | None = None, padding: int = 0) -> bytes:
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    position = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + len(data)]}
        position += len(data)
    text = json.dumps(header).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def model(folder: Path, tensors: Tensors, **files: bytes) -> str:
    """A model folder with these tensors in one file; `files` are others, with "__" for the dot of their name."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(packed(tensors, {"format": "pt"}))
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return str(folder)


def content(folder: str | Path) -> dict[str, bytes]:
    path = Path(folder)
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def delta_of(diff: str | Path, name: str) -> bytes:
    """The stored bytes of one tensor of a diff with a single file."""
    file = read_header(Path(diff) / "delta" / WEIGHTS)
    found = next(one for one in file.tensors if one.name == name)
    return file.path.read_bytes()[found.begin : found.begin + found.num_bytes]


def round_trip(tmp_path: Path, raw: Tensors, tuned: Tensors) -> summary.Summary:
    """Both ways; the recovered folder equals the tuned one. The diff is in tmp_path / "diff"."""
    raw_folder, tuned_folder = model(tmp_path / "raw", raw), model(tmp_path / "tuned", tuned)
    made = make_diff(raw_folder, tuned_folder, str(tmp_path / "diff"))
    recover_tuned(raw_folder, str(tmp_path / "diff"), str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(tuned_folder)
    return made


def made_diff(tmp_path: Path) -> tuple[str, Path]:
    """The raw model and a diff of it: a has two rows more, b is of another dtype, c is new; and there is a config."""
    raw = model(tmp_path / "raw-7b", {"a": tensor("F32", 4, 3), "b": tensor("BF16", 3), "unused": tensor("F32", 2)})
    tuned: Tensors = {"a": tensor("F32", 6, 3, seed=1), "b": tensor("F32", 3, seed=1), "c": tensor("F32", 2)}
    make_diff(raw, model(tmp_path / "tuned", tuned, config__json=b"{}"), str(tmp_path / "diff"))
    return raw, tmp_path / "diff"


def refused(tmp_path: Path, raw: str, diff: Path | str, error: type[EvolrayError] = UserError) -> str:
    """The message with which recover refuses; nothing of the target or of what was written aside is left."""
    before = set(tmp_path.iterdir())
    with pytest.raises(error) as info:
        recover_tuned(raw, str(diff), str(tmp_path / "back"))
    assert set(tmp_path.iterdir()) == before
    return str(info.value)


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def edited(diff: Path, *path: str, value: Any) -> None:
    """Set one value of diff.json."""
    description = json.loads((diff / "diff.json").read_bytes())
    place = description
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (diff / "diff.json").write_text(json.dumps(description))


def index(folder: Path, places: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
