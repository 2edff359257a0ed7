"""A model folder wherever it lies: what is in it, how it is copied, and whether it can be loaded and is safe to.

A file system and an object store look the same from here. `evolray.json`, where there is one, is what evolray says
about a folder: among others the size in bytes of every file, by name. What lies in state/ is for resuming alone.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import fs

from evolray.errors import UserError
from evolray.pool.layout import Folder, LocalFolder, open_folder

ABOUT, STATE = "evolray.json", "state"
CONFIGS = ("config.json", "adapter_config.json")
WEIGHTS = ("model.safetensors", "adapter_model.safetensors")
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
MOST_HEADER_BYTES = 100_000_000  # the limit of the safetensors format's own reader
TRANSFERS = 4
"""Files on their way to or from an object store at the same time; pyarrow splits each of them further."""


@dataclass(frozen=True)
class Tree:
    """A folder with all that is below it, on whatever file system. `url` holds no credentials."""

    files: fs.FileSystem
    path: str
    url: str

    def below(self, name: str) -> "Tree":
        return Tree(self.files, f"{self.path}/{name}", f"{self.url}/{name}")

    def open(self, name: str) -> pa.NativeFile:
        return self.files.open_input_file(f"{self.path}/{name}")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return bytes(file.read())

    def sizes(self) -> dict[str, int]:
        """The size in bytes of every file, by its name relative to the folder; none when the folder does not exist."""
        if self.files.get_file_info(self.path).type == fs.FileType.File:
            return {}
        infos = self.files.get_file_info(fs.FileSelector(self.path, recursive=True, allow_not_found=True))
        found = {info.path[len(self.path) :].strip("/"): info.size for info in infos if info.is_file}
        return dict(sorted(found.items()))

    def copy(self, names: Iterable[str], into: "Tree") -> None:
        """In parallel, but for evolray.json, which is what says that the others are there. Raises OSError."""
        names = list(names)
        with ThreadPoolExecutor(TRANSFERS) as threads:
            for _ in threads.map(lambda name: self._copy(name, into), (name for name in names if name != ABOUT)):
                pass
        if ABOUT in names:
            self._copy(ABOUT, into)

    def _copy(self, name: str, into: "Tree") -> None:
        target = f"{into.path}/{name}"
        if isinstance(into.files, fs.LocalFileSystem):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        fs.copy_files(
            f"{self.path}/{name}", target, source_filesystem=self.files, destination_filesystem=into.files
        )  # fmt: skip


def open_tree(url: str, folder: Folder | None = None) -> Tree:
    """`open_folder` raises what is to be said about a bad URL, without the secrets in it."""
    folder = folder or open_folder(url)
    if isinstance(folder, LocalFolder):
        return Tree(fs.LocalFileSystem(), str(folder.path), folder.url)
    files, path = fs.FileSystem.from_uri(url.rstrip("/"))
    return Tree(files, path.rstrip("/"), folder.url.rstrip("/"))


def read_about(tree: Tree) -> dict[str, Any] | None:
    """None when there is no evolray.json. Raises UserError when it is not one of ours."""
    try:
        about = json.loads(tree.read(ABOUT))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        about = None
    files = about.get("files") if isinstance(about, dict) else None
    if not isinstance(files, dict) or not all(_is_inside(name) and type(files[name]) is int for name in files):
        raise UserError(f"{tree.url}/{ABOUT} cannot be read; was it cut off or edited?")
    return {**about}


def check(tree: Tree, with_state: bool) -> None:
    """That everything is there that evolray.json and an index name, and as long as it must be; else UserError."""
    sizes, about = tree.sizes(), read_about(tree)
    for name, size in (about or {"files": {}})["files"].items():
        if with_state or not is_state(name):
            if name not in sizes:
                raise UserError(f"{tree.url} is not whole: {name} is missing.")
            if sizes[name] != size:
                raise UserError(f"{tree.url} is damaged: {name} has {sizes[name]} bytes instead of {size}.")
    check_files(tree, sizes)


def check_files(tree: Tree, sizes: Mapping[str, int]) -> None:
    """The same without an evolray.json; `sizes` are the tree's."""
    model = [name for name in sizes if not is_state(name)]
    if not model:
        raise UserError(f"{tree.url}: no such folder, or nothing in it; expected a checkpoint.")
    if pickled := [name for name in model if PurePosixPath(name).suffix in PICKLES]:
        raise UserError(f"{tree.url}/{pickled[0]}: a pickle can run code when loaded; expected *.safetensors only.")
    if not any(name in sizes for name in CONFIGS):
        raise UserError(f"{tree.url} is not whole: {CONFIGS[0]} is missing.")
    for name, tensors in _weight_files(tree, sizes).items():
        if name not in sizes:
            raise UserError(f"{tree.url} is not whole: {name} is missing, which {INDEX} names.")
        if lacking := tensors - _header(tree, name, sizes[name]):
            raise UserError(f"{tree.url}/{name} lacks {min(lacking)}, which {INDEX} places there.")


def _weight_files(tree: Tree, sizes: Mapping[str, int]) -> dict[str, set[str]]:
    """The tensors that each file of weights must hold, as far as an index tells."""
    found: dict[str, set[str]] = {name: set() for name in sizes if name.endswith(".safetensors") and not is_state(name)}
    if INDEX not in sizes:
        if not any(name in sizes for name in WEIGHTS):
            raise UserError(f"{tree.url} is not whole: neither {WEIGHTS[0]} nor {INDEX} is there.")
        return found
    try:
        placed = json.loads(tree.read(INDEX))["weight_map"]
        for tensor, name in placed.items():
            if "/" in name or not _is_inside(name):
                raise UserError(f"{tree.url}/{INDEX} names {name!r}; expected the name of a file beside it.")
            found.setdefault(name, set()).add(tensor)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{tree.url}/{INDEX} cannot be read; was it cut off?") from None
    return found


def _header(tree: Tree, name: str, size: int) -> set[str]:
    """The names of the tensors of a safetensors file, whose header says how long the file must be."""
    with tree.open(name) as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            raise UserError(f"{tree.url}/{name} is not a safetensors file, or was cut off.")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
        expected = 8 + length + max(ends, default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{tree.url}/{name}: its safetensors header cannot be read.") from None
    if expected != size:
        raise UserError(f"{tree.url}/{name} is damaged: it has {size} bytes, and its header speaks of {expected}.")
    return {*header}


def _is_inside(name: str) -> bool:
    """A checkpoint may come from anywhere; the names in it are joined to paths of ours."""
    parts = name.split("/")
    return not {"", ".", ".."} & {*parts} and "\\" not in name and "\0" not in name


def is_state(name: str) -> bool:
    return name.startswith(f"{STATE}/")
