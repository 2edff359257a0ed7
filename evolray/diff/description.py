"""diff.json: what a diff was made from and what it gives back. It comes from others, so nothing in it is believed."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evolray.diff.folders import DESCRIPTION, is_copied
from evolray.diff.tensors import is_file_name
from evolray.errors import UserError

DELTA = "delta"
KIND = "evolray weight diff 1"
MAX_BYTES = 100_000_000
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Base:
    """The raw tensor that a tuned one is compared with; `sha256` is that of the bytes used of it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class TunedTensor:
    sha256: str
    base: Base | None


@dataclass(frozen=True, slots=True)
class TunedFile:
    """A safetensors file of the tuned model: its header's hash and its tensors by name."""

    header_sha256: str
    tensors: dict[str, TunedTensor]


@dataclass(frozen=True, slots=True)
class OtherFile:
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Description:
    """`raw` is the name of the raw model's folder, for messages only; the files go by their path within the folder."""

    raw: str
    weights: dict[str, TunedFile]
    files: dict[str, OtherFile]

    def write(self, folder: Path) -> None:
        text = json.dumps({"kind": KIND, **asdict(self)}, indent=1)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def read_description(folder: Path) -> Description:
    """Raises UserError when there is none, when it is damaged, and when it names a file that a diff never holds."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UserError(f"{folder}: no {DESCRIPTION} in it; expected a folder that `evolray diff make` wrote.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes")
        data = json.loads(path.read_bytes())
        if data["kind"] != KIND:
            raise ValueError(f"kind is {data['kind']!r:.50}, expected {KIND!r}")
        weights = {_checked(name, is_file_name(name)): _tuned_file(file) for name, file in data["weights"].items()}
        files = {_checked(name, is_copied(name)): _other_file(file) for name, file in data["files"].items()}
        return Description(_text(data["raw"]), weights, files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise UserError(f"{path}: damaged, or not written by this version of evolray ({error}).") from error


def _tuned_file(data: Any) -> TunedFile:
    return TunedFile(_hash(data["header_sha256"]), {name: _tensor(one) for name, one in data["tensors"].items()})


def _tensor(data: Any) -> TunedTensor:
    base = data["base"]
    return TunedTensor(_hash(data["sha256"]), None if base is None else _base(base))


def _base(data: Any) -> Base:
    shape = tuple(_count(number) for number in data["shape"])
    return Base(_text(data["name"]), _text(data["dtype"]), shape, _hash(data["sha256"]))


def _other_file(data: Any) -> OtherFile:
    return OtherFile(_count(data["num_bytes"]), _hash(data["sha256"]))


def _checked(name: str, allowed: bool) -> str:
    if not allowed:
        raise ValueError(f"{name!r:.100} is not the name of a file that a diff holds")
    return name


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, got {value!r:.50}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a count, got {value!r:.50}")
    return value


def _hash(value: Any) -> str:
    if not SHA256.fullmatch(_text(value)):
        raise ValueError(f"expected a SHA-256, got {value!r:.50}")
    return str(value)
