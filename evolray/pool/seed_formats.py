"""The containers seeds come in, taken apart into entries: JSON array, JSON lines, Parquet, `hf:` datasets.

An entry is a pair: the 1-based line where it begins (for Parquet and datasets: its row) and its decoded value, or a
`BadSeed` when this one entry could not be decoded. Memory holds one entry and one buffer (Parquet: 1,024 rows), however
long the file is.

What stops at the entry: a broken JSON line, bytes that are not UTF-8, nesting beyond Python's recursion limit.
What stops the reading with a UserError: anything after which the places of the further entries cannot be trusted,
such as a syntax error inside an array. Returning the first half of a file would lose seeds without a word.
"""

import gzip
import io
import os
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.json_entries import EXPECTED, BadSeed, Entry, holds_lines, json_entries


def without_credentials(path: str) -> str:
    """`path` as it may be logged and stored: s3://key:secret@bucket/x becomes s3://***@bucket/x."""
    return re.sub(r"://[^/]*@", "://***@", path)


def read_entries(path: str, keys: Collection[str]) -> Iterator[Entry]:
    """Entries of a local file, a URL that pyarrow.fs opens, or `hf:NAME[:SPLIT]`.

    Only the columns named in `keys` are read where there are columns. Raises UserError when the container cannot be
    opened, recognised or read to its end.
    """
    shown = without_credentials(path)
    if path.startswith("hf:"):
        yield from _dataset_rows(path, keys)
        return
    try:
        with open_stream(path) as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic == b"PAR1":
                yield from _parquet_rows(stream, shown, keys)
            elif magic[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=stream) as plain:
                    yield from json_entries(cast(BinaryIO, plain), shown)
            else:
                yield from json_entries(stream, shown)
    except FileNotFoundError:
        raise UserError(f"{shown}: no such file; check the path. Expected {EXPECTED}.") from None
    except IsADirectoryError:
        hint = f"name one file in it, or hf:{shown} for a folder that the datasets library reads"
        raise UserError(f"{shown}: is a directory, expected a file; {hint}.") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(path, shown)
        raise UserError(f"{shown}: cannot be read: {reason}. Check the file; expected {EXPECTED}.") from None


def container_of(path: str) -> str:
    """parquet, lines (JSON, one entry each) or other: how a file that `read_entries` reads can be read in parts.

    Raises UserError for what is neither of the formats.
    """
    if path.startswith("hf:"):
        return "other"
    with open_stream(path) as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic == b"PAR1":
            return "parquet"
        return "lines" if magic[:2] != b"\x1f\x8b" and holds_lines(stream, without_credentials(path)) else "other"


def open_stream(path: str) -> BinaryIO:
    """A local file or one in a bucket, for random access. Raises UserError for one on the web."""
    if "://" not in path:
        return open(os.path.expanduser(path), "rb")
    if path.startswith(("http://", "https://")):
        raise UserError(
            f"{without_credentials(path)}: expected a file, or one in a bucket (s3://...). Download it first."
        )
    filesystem, inner_path = pyarrow.fs.FileSystem.from_uri(path)
    return cast(BinaryIO, io.BufferedReader(filesystem.open_input_file(inner_path), 1 << 20))


def _parquet_rows(stream: BinaryIO, shown: str, keys: Collection[str]) -> Iterator[Entry]:
    # pyarrow reads ahead by whole row groups unless told not to, and many writers put a million rows into one.
    file = pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
    columns = _columns(file.schema_arrow.names, keys, shown)
    row = 0
    for batch in file.iter_batches(1024, columns=columns, use_threads=False):
        for value in _batch_rows(batch):
            row += 1
            yield row, value


def _batch_rows(batch: Any) -> Iterable[object]:
    try:
        return cast(list[object], batch.to_pylist())
    except UnicodeDecodeError:  # some row of the batch: find out which
        return [_decode_row(batch.slice(row, 1)) for row in range(batch.num_rows)]


def _decode_row(batch: Any) -> object:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return BadSeed(f"not UTF-8: {error.reason} at byte {error.start + 1} of a text")


def _columns(names: Iterable[str], keys: Collection[str], shown: str) -> list[str]:
    names = list(names)
    if found := [name for name in names if name in keys]:
        return found
    raise UserError(f"{shown}: has the columns {', '.join(names)}; expected some of {', '.join(keys)}. Rename one.")


def _dataset_rows(path: str, keys: Collection[str]) -> Iterator[Entry]:
    name, split = _parse_dataset(path)
    try:
        import datasets
    except ImportError:
        raise UserError(f'{path}: needs the datasets library: pip install "evolray[hf]"') from None
    try:
        rows = _load_dataset(datasets, path, name, split)
        if rows.column_names:  # unknown for some streams; the other columns may hold images that cost time to decode
            rows = rows.select_columns(_columns(rows.column_names, keys, path))
        yield from enumerate(rows, 1)
    except UserError:
        raise
    except Exception as error:  # the library and its file readers raise all sorts
        reason = (str(error).splitlines() or [""])[0][:300]
        hint = "Check the name and the split, and that the Hub can be reached"
        raise UserError(f"{path}: cannot be loaded: {type(error).__name__}: {reason}. {hint}.") from error


def _parse_dataset(path: str) -> tuple[str, str]:
    """("NAME", "SPLIT") of hf:NAME:SPLIT; the split is "" when not given. A folder's name may hold colons."""
    address = path.removeprefix("hf:")
    name, colon, split = address.rpartition(":")
    if os.path.isdir(os.path.expanduser(address)) or not colon or "/" in split:
        name, split, colon = address, "", ""
    if not name or (colon and not re.fullmatch(r"\w+([.-]\w+)*", split)):
        hint = "the name of a whole split; for its first entries set a limit"
        raise UserError(f"{path}: expected hf:NAME or hf:NAME:SPLIT, where SPLIT is {hint}.")
    folder = os.path.expanduser(name)
    if name.startswith(("/", ".", "~")) and not os.path.isdir(folder):
        raise UserError(f"{path}: there is no folder {name}; expected a folder or the name of a dataset on the Hub.")
    return (folder if os.path.isdir(folder) else name), split


def _load_dataset(datasets: Any, path: str, name: str, split: str) -> Any:
    """Stream from the Hub or a folder of data files; map into memory what Dataset.save_to_disk wrote."""
    if os.path.exists(os.path.join(name, "dataset_dict.json")):
        splits = datasets.load_from_disk(name)
        if (split or "train") in splits:
            return splits[split or "train"]
        raise UserError(f"{path}: has no split {split or 'train'}; it has {', '.join(splits)}: write hf:NAME:SPLIT.")
    if not os.path.exists(os.path.join(name, "state.json")):
        return datasets.load_dataset(name, split=split or "train", streaming=True)
    saved = datasets.load_from_disk(name)
    if split and split != str(saved.split):
        raise UserError(f"{path}: is one saved dataset without a split {split}; write hf:{name}.")
    return saved
