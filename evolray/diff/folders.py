"""The files beside the weights, and a folder that appears whole or not at all."""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from evolray.errors import EvolrayError, UserError

COPY_BYTES = 1 << 20
# Left out: what training needs to go on, and folders of logs.
STATE_FOLDERS = ("state", "checkpoint-*", "global_step*", "runs", "wandb")
# Left out: pickles, and weights in another form, which would be the tuned model in the clear.
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz")
OTHER_WEIGHTS = (".safetensors", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite")
DESCRIPTION = "diff.json"


def is_copied(name: str) -> bool:
    """Whether a path within the folder, with "/" between its parts, is a file to copy: a plain one of no such kind."""
    parts = name.split("/")
    return (
        not any(part == "" or part.startswith(".") or any(sign in part for sign in "\\\0:") for part in parts)
        and not any(fnmatch(part, pattern) for part in parts[:-1] for pattern in STATE_FOLDERS)
        and not name.lower().endswith((*PICKLES, *OTHER_WEIGHTS))
        and name != DESCRIPTION
    )


def other_files(folder: Path, weights: set[str]) -> tuple[list[str], list[str]]:
    """The files to copy, and those left out, sorted; hidden ones are not mentioned. `weights` go their own way."""
    copied: list[str] = []
    left_out: list[str] = []
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            within = (Path(path) / name).relative_to(folder).as_posix()
            if name.startswith(".") or within in weights:
                continue
            copied_too = is_copied(within) and (folder / within).is_file()
            (copied if copied_too else left_out).append(within)
    return sorted(copied), sorted(left_out)


def copy(source: Path, target: Path) -> tuple[int, str]:
    """Copy what a file holds, a link's target included; returns its number of bytes and its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    num_bytes, digest = 0, hashlib.sha256()
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(COPY_BYTES):
            written.write(chunk)
            digest.update(chunk)
            num_bytes += len(chunk)
    return num_bytes, digest.hexdigest()


def refuse_unless_free(target: str) -> Path:
    """The absolute path of a folder that does not exist yet or is empty; UserError otherwise."""
    path = Path(target).expanduser().resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: already exists; expected a new or empty folder to write into.")
    return path


@contextmanager
def new_folder(path: Path, num_bytes: int) -> Iterator[Path]:
    """A folder aside that takes the place of `path` when the block ends well, and is removed when it does not.

    Raises EvolrayError when there is no room for `num_bytes`, and for what the system refuses.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.mkdir(parents=True)
        _refuse_unless_room(path, num_bytes)
        yield aside
        aside.replace(path)  # an empty folder gives way
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "no space left; free some and run it again" if full else f"cannot read or write ({error})"
        raise EvolrayError(f"{path}: {what}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _refuse_unless_room(path: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < num_bytes:
        raise EvolrayError(f"{path}: needs {num_bytes / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free.")
