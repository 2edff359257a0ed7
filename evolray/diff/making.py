"""make: a raw and a tuned model in, a diff out. Both are read once; the same two give the same diff, byte for byte."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from evolray.diff.description import DELTA, Base, Description, OtherFile, TunedFile, TunedTensor
from evolray.diff.difference import base_of, pieces
from evolray.diff.folders import copy, new_folder, other_files, refuse_unless_free
from evolray.diff.summary import Summary, progress
from evolray.diff.tensors import Tensor, TensorFile, model_files
from evolray.errors import UserError


def make(raw: str, tuned: str, diff: str) -> Summary:
    """Write the folder `diff`, from which `recover` makes `tuned` again with the help of `raw`.

    Raises UserError when one of the two is no model of safetensors, when `tuned` does not come from `raw`, and when
    `diff` is there already; EvolrayError when the disk is full. What was begun is removed then.
    """
    started = time.monotonic()
    target = refuse_unless_free(diff)
    raw_folder, tuned_folder = Path(raw).expanduser().resolve(), Path(tuned).expanduser().resolve()
    raw_tensors = {tensor.name: tensor for file in model_files(raw_folder) for tensor in file.tensors}
    files = model_files(tuned_folder)
    pairs = [(tensor, base_of(tensor, raw_tensors)) for file in files for tensor in file.tensors]
    if not any(base for _, base in pairs):
        raise UserError(
            f"{tuned_folder} has no tensor in common with {raw_folder}: it begins with {_first(files)}, the raw model "
            f"with {_first(model_files(raw_folder))}. Name the raw model that the tuned one was trained from."
        )
    copied, left_out = other_files(tuned_folder, {file.path.name for file in files})
    bases = {tensor.name: base for tensor, base in pairs}
    num_bytes = sum(file.num_bytes for file in files)
    with new_folder(target, num_bytes) as folder, progress("make", num_bytes) as advance:
        (folder / DELTA).mkdir()
        weights = {file.path.name: _write(file, bases, folder / DELTA, advance) for file in files}
        others = {name: OtherFile(*copy(tuned_folder / name, folder / name)) for name in copied}
        Description(raw_folder.name, weights, others).write(folder)
    return Summary.of(target, pairs, len(copied), left_out, time.monotonic() - started)


def _write(
    file: TensorFile, bases: dict[str, Tensor | None], folder: Path, advance: Callable[[int], None]
) -> TunedFile:
    """The delta of one file, under its name and with its header."""
    described = {}
    with (folder / file.path.name).open("xb") as delta:
        delta.write(file.header)
        for tensor in file.tensors:
            base, tuned_hash, raw_hash = bases[tensor.name], hashlib.sha256(), hashlib.sha256()
            for piece in pieces(tensor, base):
                tuned_hash.update(piece.read)
                raw_hash.update(piece.raw)
                delta.write(piece.result)
                advance(len(piece.read))
            noted = None if base is None else Base(base.name, base.dtype, base.shape, raw_hash.hexdigest())
            described[tensor.name] = TunedTensor(tuned_hash.hexdigest(), noted)
    return TunedFile(hashlib.sha256(file.header).hexdigest(), described)


def _first(files: list[TensorFile]) -> str:
    return next((f"{tensor.name} ({tensor})" for file in files for tensor in file.tensors), "nothing")
