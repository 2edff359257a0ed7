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
import json
import os
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NoReturn, TextIO, cast

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from evolray.errors import UserError

Entry = tuple[int, object]

CHUNK_CHARS = 1 << 16  # read from an array at a time
HEAD_BYTES = 1 << 16  # looked at to recognise a container
MAX_ENTRY_BYTES = 100 << 20  # one entry must fit in memory several times over
BOM = b"\xef\xbb\xbf"
EXPECTED = "a JSON array, JSON lines (either may be gzipped) or Parquet, in UTF-8"

# float takes any number of digits, where int() raises beyond 4,300; no number is ever used.
_DECODER = json.JSONDecoder(parse_int=float)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what errors="surrogateescape" makes of undecodable bytes
_ENDS_NUMBER = frozenset(" \t\r\n,]")
_CUT_CHARS = 16  # longer than any literal or escape, so than how far before a cut the decoder may complain


class BadSeed(Exception):
    """Why one entry cannot be a seed; the other entries are not affected."""


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
        with _open(path) as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic == b"PAR1":
                yield from _parquet_rows(stream, shown, keys)
            elif magic[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=stream) as plain:
                    yield from _json_entries(cast(BinaryIO, plain), shown)
            else:
                yield from _json_entries(stream, shown)
    except FileNotFoundError:
        raise UserError(f"{shown}: no such seed file; check seeds.path. Expected {EXPECTED}.") from None
    except IsADirectoryError:
        hint = f"name one file in it, or hf:{shown} for a folder that the datasets library reads"
        raise UserError(f"{shown}: is a directory, expected a seed file; {hint}.") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(path, shown)
        raise UserError(f"{shown}: cannot be read: {reason}. Check the file; expected {EXPECTED}.") from None


def _open(path: str) -> BinaryIO:
    if "://" not in path:
        return open(os.path.expanduser(path), "rb")
    filesystem, inner_path = pyarrow.fs.FileSystem.from_uri(path)
    return cast(BinaryIO, io.BufferedReader(filesystem.open_input_file(inner_path), 1 << 20))


# --- JSON ---


def _json_entries(stream: BinaryIO, shown: str) -> Iterator[Entry]:
    """Recognise an array or lines by the first characters; the suffix decides only where these leave a doubt."""
    head = stream.read(HEAD_BYTES).removeprefix(BOM).lstrip()
    stream.seek(0)
    if not head:
        raise UserError(f"{shown}: is empty. Expected {EXPECTED}.")
    is_named_lines = PurePosixPath(shown.lower().removesuffix(".gz")).suffix in {".jsonl", ".ndjson"}
    first_line, newline, _ = head.partition(b"\n")
    if head[:1] == b"[" and (not is_named_lines or head[1:].lstrip()[:1] == b"{"):
        with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="\n") as text:
            yield from _ArrayReader(text, shown)
    elif is_named_lines:
        yield from _lines(stream)
    elif head[:1] != b"{":
        raise UserError(f"{shown}: begins with {head[:12]!a}, which is no seed file. Expected {EXPECTED}.")
    elif newline and isinstance(problem := _decode_line(first_line), BadSeed):
        hint = "make it an array of entries, or name it .jsonl if it does hold one entry per line"
        raise UserError(f"{shown}: begins with an object that does not end on its line ({problem}); {hint}.")
    else:
        yield from _lines(stream)


def _lines(stream: BinaryIO) -> Iterator[Entry]:
    """One entry per line that is not blank. Lines end at a newline byte only: U+2028 may stand inside JSON text."""
    line = 0
    while raw := stream.readline(MAX_ENTRY_BYTES):
        line += 1
        if len(raw) == MAX_ENTRY_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(CHUNK_CHARS)) and not rest.endswith(b"\n"):
                pass
            yield line, BadSeed(f"the line is longer than {MAX_ENTRY_BYTES:,} bytes")
            continue
        if line == 1:
            raw = raw.removeprefix(BOM)
        if not raw.isspace() and raw:
            yield line, _decode_line(raw)


def _decode_line(raw: bytes) -> object:
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadSeed(f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line")
    except json.JSONDecodeError as error:
        return BadSeed(f"not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return BadSeed("not readable: JSON nested too deeply")


class _ArrayReader:
    """Elements of a JSON array one at a time, each with the line where it begins.

    `buffer` holds the text from the first unread element on; `line` and `column` are those of `position` in it.
    """

    def __init__(self, text: TextIO, shown: str) -> None:
        self.text = text
        self.shown = shown
        self.buffer = ""
        self.position = 0
        self.line = 1
        self.column = 1
        self.ended = False

    def __iter__(self) -> Iterator[Entry]:
        self._next_char()
        self._advance(self.position + 1)  # the bracket by which the array was recognised
        if self._next_char() == "]":
            self._advance(self.position + 1)
        else:
            yield from self._elements()
        if self._next_char():
            self._stop("text after the end of the array", self.position)

    def _elements(self) -> Iterator[Entry]:
        while True:
            if not self._next_char():
                self._stop("the file ends inside the array", self.position)
            line = self.line
            value, end = self._decode()
            if _NOT_UTF8.search(self.buffer, self.position, end):
                value = BadSeed("not UTF-8: the entry holds bytes that cannot be decoded")
            self._advance(end)
            yield line, value
            separator = self._next_char()
            if separator not in (",", "]"):
                self._stop("expected a comma or the end of the array", self.position)
            self._advance(self.position + 1)
            if separator == "]":
                return

    def _decode(self) -> tuple[object, int]:
        """The element at `position` and where it ends, reading on until it is whole."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.position)
                # Near the end of the buffer "1" may be the beginning of "12" or "1.5e3".
                if self.ended or self.buffer[end : end + 1] in _ENDS_NUMBER or end <= len(self.buffer) - _CUT_CHARS:
                    return value, end
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self.buffer) - _CUT_CHARS
                if self.ended or not is_cut:
                    self._stop(error.msg, error.pos)
            except RecursionError:
                self._stop("an entry is nested too deeply", self.position)
            if len(self.buffer) - self.position > MAX_ENTRY_BYTES:
                self._stop(f"an entry is longer than {MAX_ENTRY_BYTES:,} characters", self.position)
            self._read_on()

    def _next_char(self) -> str:
        """Skip white space; the character then at `position`, "" at the end of the file."""
        while True:
            found = _SPACE.match(self.buffer, self.position)
            self._advance(found.end() if found else self.position)
            if self.position < len(self.buffer) or self.ended:
                return self.buffer[self.position : self.position + 1]
            self._read_on()

    def _read_on(self) -> None:
        """Drop what was read and at least double the rest, so that a long element is not decoded too often."""
        rest = self.buffer[self.position :]
        more = self.text.read(max(CHUNK_CHARS, len(rest)))
        self.ended = not more
        self.buffer, self.position = rest + more, 0

    def _advance(self, end: int) -> None:
        self.line, self.column = self._place(end)
        self.position = end

    def _place(self, end: int) -> tuple[int, int]:
        num_newlines = self.buffer.count("\n", self.position, end)
        if num_newlines:
            return self.line + num_newlines, end - self.buffer.rindex("\n", self.position, end)
        return self.line, self.column + end - self.position

    def _stop(self, problem: str, at: int) -> NoReturn:
        line, column = self._place(at)
        raise UserError(
            f"{self.shown}: the JSON array is broken at line {line}, column {column}: {problem}. What follows cannot "
            "be told apart into entries. Repair the file, or write one entry per line (.jsonl), where a bad line costs "
            "only itself."
        )


# --- columns ---


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
        hint = "the name of a whole split; for its first entries set seeds.limit"
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
