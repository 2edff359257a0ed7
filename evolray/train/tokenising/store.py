"""Tokenised examples on disk: written once, then read at random by every worker, none of it held in memory.

    data/00003-00017.arrow     examples of the 17th batch of the 3rd source
    data/index.parquet         per example: file, row, tokens, trained tokens, held out or not; written last

Files are Arrow IPC, which can be mapped into memory: what is read costs page cache, not memory of the process. From an
object store each node copies a file to its own disk when it first reads from it. What does grow with the data is the
index, some 14 bytes per example.
"""

import re
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from evolray.pool.layout import Folder, LocalFolder
from evolray.train.tokenising.examples import Encoded

DATA, INDEX = "data", "data/index.parquet"
OPEN_FILES = 256  # mapped at a time
RECORD = re.compile(r"^([0-9a-f]{16})\.g\d+$")  # a record's id; its root's is the first part

SCHEMA = pa.schema([("id", pa.string()), ("input_ids", pa.list_(pa.int32())), ("trained", pa.list_(pa.bool_()))])


class Document(NamedTuple):
    """One example: `input_ids` (tokens,) int32, `trained` (tokens,) bool."""

    id: str
    input_ids: np.ndarray
    trained: np.ndarray


@dataclass(frozen=True)
class Index:
    """Where the examples are and how long, as arrays of one entry per example."""

    files: list[str]
    file: np.ndarray
    row: np.ndarray
    tokens: np.ndarray
    trained: np.ndarray
    held_out: np.ndarray

    def __len__(self) -> int:
        return len(self.file)


def file_name(source: int, batch: int) -> str:
    return f"{DATA}/{source:05d}-{batch:05d}.arrow"


def is_held_out(id: str, share: float, seed: int) -> bool:
    """By the hash of the record's root, so that the generations of one seed are never on both sides."""
    root = RECORD.sub(r"\1", id)
    number = int.from_bytes(blake2b(f"{seed}/{root}".encode(), digest_size=8).digest())
    return number < share * 2**64


def write_examples(folder: Folder, name: str, examples: Sequence[Encoded]) -> None:
    columns = [
        pa.array([one.id for one in examples], pa.string()),
        pa.array([one.input_ids for one in examples], pa.list_(pa.int32())),
        pa.array([one.trained for one in examples], pa.list_(pa.bool_())),
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
    folder.write(name, sink.getvalue().to_pybytes())


def write_index(folder: Folder, index: Index, metadata: dict[str, str]) -> None:
    """`metadata` says what the examples were made from; it is what makes a rerun trust them."""
    columns = {name: getattr(index, name) for name in ("file", "row", "tokens", "trained", "held_out")}
    table = pa.table(columns).replace_schema_metadata({**metadata, "files": "\n".join(index.files)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    folder.write(INDEX, sink.getvalue().to_pybytes())


def read_index(folder: Folder) -> tuple[Index, dict[str, str]] | None:
    """The index and its metadata; None when the examples were never tokenised to the end."""
    if not folder.exists(INDEX):
        return None
    with folder.open(INDEX) as file:
        table = pq.read_table(file)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    files = metadata.pop("files").split("\n")
    columns = {name: table[name].to_numpy() for name in ("file", "row", "tokens", "trained", "held_out")}
    return Index(files, **columns), metadata


class Store:
    """Reads examples by their number in the index."""

    def __init__(self, folder: Folder, index: Index) -> None:
        self._folder, self._index = folder, index
        self._open: OrderedDict[int, pa.RecordBatch] = OrderedDict()
        self._copies = None if folder.is_local else tempfile.TemporaryDirectory(prefix="evolray-")

    def __getitem__(self, number: int) -> Document:
        row = int(self._index.row[number])
        batch = self._batch(int(self._index.file[number]))
        ids, trained = (batch.column(name)[row].values for name in ("input_ids", "trained"))
        return Document(
            batch.column("id")[row].as_py(), ids.to_numpy(zero_copy_only=False), trained.to_numpy(zero_copy_only=False)
        )

    def _batch(self, file: int) -> pa.RecordBatch:
        if file not in self._open:
            if len(self._open) >= OPEN_FILES:
                self._open.popitem(last=False)
            self._open[file] = pa.ipc.open_file(pa.memory_map(str(self._path(self._index.files[file])))).get_batch(0)
        self._open.move_to_end(file)
        return self._open[file]

    def _path(self, name: str) -> Path:
        if isinstance(self._folder, LocalFolder):
            return self._folder.path / name
        assert self._copies is not None
        copy = Path(self._copies.name) / Path(name).name
        if not copy.exists():
            copy.write_bytes(self._folder.read(name))
        return copy
