"""recover: a raw model and a diff in, the tuned model out, checked before, on the way and bit for bit.

1. The diff: diff.json, the headers of its tensor files, and the hashes of its other files.
2. The raw model: every tensor that the diff needs, the smallest first, so that a wrong one is told in a moment.
3. Only then is something written: aside, each tensor against the hash of the tuned one. With the raw model known to be
   the right one, a wrong result means that the diff is damaged; so its deltas need no hashes of their own.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evolray.diff.description import DELTA, Base, Description, TunedFile, read_description
from evolray.diff.difference import converts, pieces, raw_chunks, same_columns, used_bytes
from evolray.diff.folders import copy, new_folder, refuse_unless_free
from evolray.diff.summary import Summary, progress
from evolray.diff.tensors import Tensor, TensorFile, model_files, read_header
from evolray.errors import UserError


@dataclass(frozen=True, slots=True)
class RawModel:
    """`expected` is the name of the one that the diff was made with."""

    folder: Path
    tensors: dict[str, Tensor]
    expected: str

    def wrong(self, why: str) -> UserError:
        return UserError(
            f"{self.folder}: not the raw model that this diff was made with: {why}. "
            f"Expected the very weights of {self.expected!r:.200}, unchanged and in the same dtype."
        )


@dataclass(frozen=True, slots=True)
class Need:
    """The part of a raw tensor that a tuned one is compared with."""

    base: Tensor
    num_bytes: int
    sha256: str


def recover(raw: str, diff: str, tuned: str) -> Summary:
    """Write the folder `tuned` as it was when `make` saw it, but for the files that `make` left out.

    Raises UserError when `raw` is not the model that the diff was made with, when the diff is damaged, and when
    `tuned` is there already; EvolrayError when the disk is full. What was begun is removed then.
    """
    started = time.monotonic()
    target = refuse_unless_free(tuned)
    raw_folder, diff_folder = Path(raw).expanduser().resolve(), Path(diff).expanduser().resolve()
    description = read_description(diff_folder)
    deltas = [(_delta(diff_folder, name, noted), noted) for name, noted in description.weights.items()]
    raw_tensors = {tensor.name: tensor for file in model_files(raw_folder) for tensor in file.tensors}
    raw_model = RawModel(raw_folder, raw_tensors, description.raw)
    needs = {tensor: _need(tensor, noted, raw_model) for file, noted in deltas for tensor in file.tensors}
    num_bytes = sum(file.num_bytes for file, _ in deltas)
    raw_bytes = sum(need.num_bytes for need in needs.values() if need)
    _check_files(description, diff_folder)
    with progress("recover", raw_bytes + num_bytes) as advance:
        _check_raw(raw_model, [need for need in needs.values() if need], advance)
        with new_folder(target, num_bytes) as folder:
            for file, noted in deltas:
                _write(file, noted, needs, folder, advance)
            for name, other in description.files.items():
                if copy(diff_folder / name, folder / name) != (other.num_bytes, other.sha256):
                    raise _damaged(diff_folder / name)
    pairs = [(tensor, need.base if need else None) for tensor, need in needs.items()]
    return Summary.of(target, pairs, len(description.files), [], time.monotonic() - started)


def _delta(folder: Path, name: str, noted: TunedFile) -> TensorFile:
    file = read_header(folder / DELTA / name)
    whole = hashlib.sha256(file.header).hexdigest() == noted.header_sha256
    if not whole or {tensor.name for tensor in file.tensors} != noted.tensors.keys():
        raise _damaged(file.path)
    return file


def _need(tensor: Tensor, noted: TunedFile, raw: RawModel) -> Need | None:
    """What `make` compared the tensor with, found in the raw model; from the headers alone."""
    base = noted.tensors[tensor.name].base
    if base is None:
        return None
    found = raw.tensors.get(base.name)
    if found is None:
        raise raw.wrong(f"it has no {base.name}")
    if (found.dtype, found.shape) != (base.dtype, base.shape):
        raise raw.wrong(f"its {base.name} is {found}, expected {_kind(base)}")
    if not (converts(found.dtype, tensor.dtype) and same_columns(found, tensor)):
        raise _damaged(tensor.path, tensor.name)
    return Need(found, used_bytes(found, tensor), base.sha256)


def _check_files(description: Description, folder: Path) -> None:
    for name, other in description.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != other.num_bytes or _sha256(path) != other.sha256:
            raise _damaged(path)


def _check_raw(raw: RawModel, needs: list[Need], advance: Callable[[int], None]) -> None:
    for need in sorted(needs, key=lambda need: need.num_bytes):
        digest = hashlib.sha256()
        for chunk in raw_chunks(need.base, need.num_bytes):
            digest.update(chunk)
            advance(len(chunk))
        if digest.hexdigest() != need.sha256:
            raise raw.wrong(f"its {need.base.name} holds other numbers")


def _write(
    file: TensorFile, noted: TunedFile, needs: dict[Tensor, Need | None], folder: Path, advance: Callable[[int], None]
) -> None:
    with (folder / file.path.name).open("xb") as tuned:
        tuned.write(file.header)
        for tensor in file.tensors:
            need, digest = needs[tensor], hashlib.sha256()
            for piece in pieces(tensor, need.base if need else None):
                digest.update(piece.result)
                tuned.write(piece.result)
                advance(len(piece.result))
            if digest.hexdigest() != noted.tensors[tensor.name].sha256:
                raise _damaged(file.path, tensor.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kind(base: Base) -> str:
    return f"{base.dtype} {list(base.shape)}"


def _damaged(path: Path, tensor: str = "") -> UserError:
    where = f" in {tensor}" if tensor else ""
    return UserError(f"{path}: missing or damaged{where}; it is not what the diff was made with. Fetch the diff again.")
