"""Entries of a benchmark's problem file or of a file of samples, with every number as it is written.

JSON lines, a JSON array (either may be gzipped) and Parquet, from a path or a URL that pyarrow.fs opens, and
`hf:NAME[:SPLIT]` for what the datasets library loads. Seed files have a reader of their own (`pool/seed_formats`) that
reads numbers as floats, since it uses none; here 3 and 3.0 are different inputs to a program, and the integers of
HumanEval+ are long.

JSON lines are read one at a time, so that 164 x 200 samples need not fit into memory; an array is read as a whole.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.fs

from evolray.errors import UserError
from evolray.pool import seed_formats
from evolray.pool.json_entries import BOM, BadSeed
from evolray.pool.seed_formats import without_credentials

EXPECTED = "JSON lines, a JSON array (either may be gzipped) or Parquet, in UTF-8"
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
LONGEST_LINE = 100 << 20
"""Bytes."""


class BadEntry(Exception):
    """Why this one line is no entry; the other lines are not affected."""


def read_problem_entries(
    path: str, needed: Sequence[str], title: str, id_key: str | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """All entries of a problem file, each with the line (or row) where it stands.

    Raises UserError for a file that cannot be read or is empty, for an entry that is no object or lacks one of
    `needed`, and for two entries with the same `id_key`.
    """
    shown = without_credentials(path)
    found: list[tuple[int, dict[str, Any]]] = []
    lines_of: dict[object, int] = {}
    for line, entry in read_lines(path):
        checked = _checked(entry, needed, title, f"{shown}, line {line}")
        identity = str(checked[id_key]) if id_key else line
        if identity in lines_of:
            hint = "Each problem stands in its file once; remove one of them"
            raise UserError(f"{shown}: lines {lines_of[identity]} and {line} both have {id_key} {identity}. {hint}.")
        lines_of[identity] = line
        found.append((line, checked))
    if not found:
        raise UserError(f"{shown}: is empty; expected the problems of {title} as {EXPECTED}.")
    return found


def _checked(entry: object, needed: Sequence[str], title: str, place: str) -> dict[str, Any]:
    if isinstance(entry, BadEntry):
        raise UserError(f"{place}: {entry}. Expected an entry of {title}; download the file again.")
    if not isinstance(entry, dict):
        raise UserError(f"{place}: expected an object, an entry of {title}; got {type(entry).__name__}.")
    if missing := [name for name in needed if entry.get(name) is None]:
        fields = ", ".join(map(str, list(entry)[:12])) or "no fields"
        raise UserError(
            f"{place}: holds {fields}; expected an entry of {title} with {', '.join(needed)}: {', '.join(missing)} "
            "missing. Is it another release, or the file of another benchmark?"
        )
    return entry


def entries_sha256(entries: Iterable[Mapping[str, Any]]) -> str:
    """Of the entries' content: the order of the entries and of their fields, and the container, change nothing."""
    texts = sorted(json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in entries)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def read_lines(path: str) -> Iterator[tuple[int, object]]:
    """The entries, whatever they are, with their line (or row) from 1; a `BadEntry` for a line that is no JSON.

    Raises UserError when the file cannot be opened, recognised or read to its end.
    """
    shown = without_credentials(path)
    if path.startswith("hf:"):
        yield from _tabular(path)
        return
    try:
        with seed_formats.open_stream(path) as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic[:2] == GZIP:
                with gzip.GzipFile(fileobj=stream) as plain:
                    yield from _json_entries(io.BufferedReader(cast(io.RawIOBase, plain)), shown)
            elif magic == PARQUET:
                yield from _tabular(path)
            else:
                yield from _json_entries(stream, shown)
    except FileNotFoundError:
        raise UserError(f"{shown}: no such file; check the path. Expected {EXPECTED}.") from None
    except IsADirectoryError:
        raise UserError(f"{shown}: is a directory; name the file in it, {EXPECTED}.") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(path, shown)
        raise UserError(f"{shown}: cannot be read: {reason}. Check the file; expected {EXPECTED}.") from None


class _AllColumns(frozenset[str]):
    """Stands for the names of all columns, whatever they are."""

    def __contains__(self, name: object) -> bool:
        return True


def _tabular(path: str) -> Iterator[tuple[int, object]]:
    for row, entry in seed_formats.read_entries(path, _AllColumns()):
        yield row, BadEntry(str(entry)) if isinstance(entry, BadSeed) else entry


def _json_entries(stream: BinaryIO | io.BufferedReader, shown: str) -> Iterator[tuple[int, object]]:
    """An array when the text begins like one. A line of JSON lines may be an array too, but no problem or sample is."""
    line, first = 0, b""
    while not first and (raw := stream.readline(LONGEST_LINE)):
        line, first = line + 1, raw.removeprefix(BOM).strip()
    if first.startswith(b"["):
        yield from _array(first + b"\n" + stream.read(), shown)
        return
    if first and not first.startswith(b"{"):
        raise UserError(f"{shown}: begins with {first[:12]!a}, which is no JSON object or array. Expected {EXPECTED}.")
    while first:
        yield line, _decode(first)
        first = b""
        while not first and (raw := stream.readline(LONGEST_LINE)):
            line, first = line + 1, raw.strip()


def _array(text: bytes, shown: str) -> Iterator[tuple[int, object]]:
    decoded = _decode(text)
    if isinstance(decoded, BadEntry):
        raise UserError(f"{shown}: the JSON array is broken: {decoded}. Repair the file or download it again.")
    yield from enumerate(cast(list[object], decoded), 1)


def _decode(raw: bytes) -> object:
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadEntry(f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return BadEntry(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        return BadEntry("JSON nested too deeply")
    except ValueError as error:  # an integer beyond sys.get_int_max_str_digits()
        return BadEntry(f"not readable: {error}")
