"""Safetensors files as the bytes they are: where each tensor lies, and the header word for word.

The format is eight bytes with the header's length, the header as JSON, then the tensors back to back
(https://huggingface.co/docs/safetensors). It is read here and not through its library because a recovered file shall
equal the first one byte for byte: metadata, order and padding of the header included, which no library gives back.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolray.diff.folders import DESCRIPTION
from evolray.errors import UserError

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_DIMENSIONS = 64
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
# Of a dtype not among these nothing but its name is known; its bytes are as good as any.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """`begin` counts from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    begin: int
    num_bytes: int

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class TensorFile:
    """`header` holds the eight bytes of its length, too; `tensors` are in the order of their bytes."""

    path: Path
    header: bytes
    tensors: tuple[Tensor, ...]

    @property
    def num_bytes(self) -> int:
        return len(self.header) + sum(tensor.num_bytes for tensor in self.tensors)


def model_files(folder: Path) -> list[TensorFile]:
    """The headers of a model's files: model.safetensors, or those that its index names, by name.

    Raises UserError when there are none, when one is missing or no safetensors file, or when two hold the same tensor.
    """
    if (folder / SINGLE).exists():
        return [read_header(folder / SINGLE)]
    places = _index(folder)
    files = [read_header(folder / name) for name in sorted(set(places.values()))]
    found: dict[str, str] = {}
    for tensor in (tensor for file in files for tensor in file.tensors):
        if tensor.name in found:
            raise UserError(f"{folder}: {found[tensor.name]} and {tensor.path.name} both hold {tensor.name}.")
        found[tensor.name] = tensor.path.name
    for name, place in places.items():
        if found.get(name) != place:
            raise UserError(f"{folder / INDEX}: {name} should be in {place} and is not; copy the folder again.")
    return files


def _index(folder: Path) -> dict[str, str]:
    """Tensor name -> file name."""
    path = folder / INDEX
    if not path.exists():
        raise UserError(f"{folder}: {_why_no_model(folder)}")
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        if not places or not all(is_file_name(name) for name in places.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise UserError(f"{path}: expected a weight_map from tensors to safetensors files of this folder.") from error
    return dict(places)


def is_file_name(name: object) -> bool:
    """Whether it is a safetensors file in the folder itself: names come from others and shall lead nowhere else."""
    return (
        isinstance(name, str)
        and name.endswith(".safetensors")
        and not name.startswith(".")
        and not any(sign in name for sign in "/\\\0:")
    )


def _why_no_model(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder; expected a local model folder (`hf download NAME --local-dir DIR` makes one of a name)."
    if (folder / DESCRIPTION).exists():
        return (
            "this is a weight diff, not a model; expected the order RAW TUNED DIFF to make, RAW DIFF TUNED to recover."
        )
    if (folder / "adapter_config.json").exists():
        return "this is an adapter; merge it into its model and save that first."
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")):
        return (
            "its weights are pickles, which can run code and are not read here; load the model with transformers and "
            "save it again with save_pretrained, which writes safetensors."
        )
    return f"neither {SINGLE} nor {INDEX} is in it; expected a Hugging Face model folder."


def read_header(path: Path) -> TensorFile:
    """Raises UserError for what is not a whole and well-formed safetensors file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = file.read(8)
            num_bytes = int.from_bytes(length, "little")
            if num_bytes > min(MAX_HEADER_BYTES, size - 8):
                raise ValueError(f"a header of {num_bytes:,} bytes in a file of {size:,}")
            header = file.read(num_bytes)
        tensors = tuple(_tensors(path, header, size))
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({error or type(error).__name__}); copy it again."
        ) from error
    return TensorFile(path, length + header, tensors)


def _tensors(path: Path, header: bytes, size: int) -> list[Tensor]:
    """In the order of their bytes, which they share out without gaps. Raises ValueError."""
    entries = json.loads(header, object_pairs_hook=_without_doubles)
    if not isinstance(entries, dict):
        raise ValueError("the header is not an object")
    first = 8 + len(header)
    tensors = [_tensor(path, first, name, entry) for name, entry in entries.items() if name != "__metadata__"]
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.num_bytes))
    ends = [first, *(tensor.begin + tensor.num_bytes for tensor in tensors)]
    begins = [*(tensor.begin for tensor in tensors), size]
    if ends != begins:
        raise ValueError("the tensors leave gaps, overlap or do not end with the file")
    return tensors


def _tensor(path: Path, first: int, name: str, entry: Any) -> Tensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{name!r:.100}: expected dtype, shape and data_offsets") from error
    counts = all(type(number) is int and 0 <= number < 1 << 63 for number in (*shape, begin, end))
    if not isinstance(dtype, str) or not counts or len(shape) > MAX_DIMENSIONS or end < begin:
        raise ValueError(f"{name!r:.100}: a wrong dtype, shape or data_offsets")
    if dtype in BITS and math.prod(shape) * BITS[dtype] != (end - begin) * 8:
        raise ValueError(f"{name!r:.100}: {dtype} {list(shape)} is not {end - begin:,} bytes")
    return Tensor(name, dtype, shape, path, first + begin, end - begin)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name occurs twice")
    return entries
