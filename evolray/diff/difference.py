"""The arithmetic: tuned bits exclusive-or raw bits is the delta, and delta exclusive-or raw bits is tuned again.

What a tensor is compared with:
- A raw tensor of the same dtype: its bits.
- A raw tensor of another float dtype (the raw model in bf16, the tuned one saved in fp32): its bits after conversion
  to the tuned dtype. Both ways convert alike, so the result is exact even where the conversion rounds.
- Fewer rows in the raw tensor (a [PAD] that was added to the vocabulary): zeros for the rows it lacks. More rows: its
  first ones.
- No raw tensor, or a pair of dtypes that does not convert (integers, 8-bit floats): zeros, so it is stored as it is.

A tensor passes through in chunks: memory does not grow with the model.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evolray.diff.tensors import BITS, Tensor
from evolray.errors import UserError

CHUNK_BYTES = 1 << 22
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ""}  # numpy has no bf16


class Piece(NamedTuple):
    """Equally long stretches of the tensor that was read and of the result, and the raw bytes used for them."""

    read: bytes
    raw: bytes
    result: bytes


def base_of(tensor: Tensor, raw: dict[str, Tensor]) -> Tensor | None:
    """The raw tensor to compare a tuned one with, if there is one.

    The name may differ by one leading part: GPT-2's "wte.weight" is saved as "transformer.wte.weight" by the class
    that has a head. Any choice is exact, since the diff notes it; a good one makes the difference small.

    Raises UserError when the tensor of that name has another number of columns: this is not the model that was tuned.
    """
    short = tensor.name.partition(".")[2]
    long = (f"{first}.{tensor.name}" for first in sorted({name.partition(".")[0] for name in raw}))
    base = next((raw[name] for name in (tensor.name, short, *long) if name in raw), None)
    if base is None or not converts(base.dtype, tensor.dtype):
        return None
    if not same_columns(base, tensor):
        raise UserError(
            f"{tensor.name} is {tensor} in the tuned model and {base} in the raw one: only the number of rows may "
            "differ. Name the raw model that the tuned one was trained from."
        )
    return base


def converts(raw: str, tuned: str) -> bool:
    return raw == tuned or {raw, tuned} <= FLOATS.keys()


def same_columns(base: Tensor, tensor: Tensor) -> bool:
    return len(base.shape) == len(tensor.shape) and base.shape[1:] == tensor.shape[1:]


def used_bytes(base: Tensor, tensor: Tensor) -> int:
    """How much of the raw tensor the tuned one is compared with: the rows that both have."""
    if base.dtype == tensor.dtype:
        return min(base.num_bytes, tensor.num_bytes)
    return min(base.num_bytes, tensor.num_bytes * BITS[base.dtype] // BITS[tensor.dtype])


def pieces(tensor: Tensor, base: Tensor | None) -> Iterator[Piece]:
    """Turn a tuned tensor into its delta, or a delta into its tuned tensor: it is the same step both ways."""
    with tensor.path.open("rb") as file:
        file.seek(tensor.begin)
        if base is None:
            for read in _chunks(file, tensor, tensor.num_bytes, CHUNK_BYTES):
                yield Piece(read, b"", read)
            return
        with base.path.open("rb") as raw_file:
            raw_file.seek(base.begin)
            per_chunk = (
                CHUNK_BYTES if base.dtype == tensor.dtype else CHUNK_BYTES * BITS[base.dtype] // BITS[tensor.dtype]
            )
            raws = _chunks(raw_file, base, used_bytes(base, tensor), per_chunk)
            for read in _chunks(file, tensor, tensor.num_bytes, CHUNK_BYTES):
                raw = next(raws, b"")
                yield Piece(read, raw, _exclusive_or(read, _converted(raw, base.dtype, tensor.dtype)))


def raw_chunks(base: Tensor, num_bytes: int) -> Iterator[bytes]:
    """The first `num_bytes` of a raw tensor."""
    with base.path.open("rb") as file:
        file.seek(base.begin)
        yield from _chunks(file, base, num_bytes, CHUNK_BYTES)


def _chunks(file: BinaryIO, tensor: Tensor, num_bytes: int, per_chunk: int) -> Iterator[bytes]:
    while num_bytes:
        chunk = file.read(min(per_chunk, num_bytes))
        if len(chunk) < min(per_chunk, num_bytes):
            raise UserError(f"{tensor.path}: ends within {tensor.name}; it became shorter while it was read.")
        num_bytes -= len(chunk)
        yield chunk


def _exclusive_or(bits: bytes, others: NDArray[np.uint8]) -> bytes:
    """`others` may be shorter, and counts as zero then."""
    result = np.frombuffer(bits, np.uint8).copy()
    result[: others.size] ^= others
    return result.tobytes()


def _converted(raw: bytes, dtype: str, to: str) -> NDArray[np.uint8]:
    """The bytes of the same numbers in another float dtype, rounded to the nearest and to even, as torch does."""
    if dtype == to:
        return np.frombuffer(raw, np.uint8)
    with np.errstate(all="ignore"):  # too large for fp16 becomes infinite; it only has to be the same both ways
        if dtype == "BF16":
            numbers: NDArray[Any] = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        else:
            numbers = np.frombuffer(raw, FLOATS[dtype])
        if to == "BF16":
            bits = numbers.astype("<f4").view("<u4")
            numbers = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        else:
            numbers = numbers.astype(FLOATS[to])
    return numbers.view(np.uint8)
