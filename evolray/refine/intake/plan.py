"""Which part of which source becomes which shards of records, decided before any is read.

    a run                                its shards' rows, cut into pieces of shard_size: a part writes one shard
    a Parquet file with a pool's columns the same, by row groups
    a file of JSON lines                 cut after every shard_size entries, by a pass that looks for line ends alone
    anything else                        one part that reads from beginning to end and writes shard after shard

How many entries the last kind holds is known when it ends. Several such sources take turns with the numbers that
follow the others' (u, u + U, u + 2 U, ...), so nobody must be asked, and a source that ends early leaves gaps.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from evolray.pool.json_entries import is_entry, raw_lines
from evolray.pool.layout import Folder, shard_name
from evolray.pool.pool import Pool, is_run
from evolray.pool.seed_formats import container_of, open_stream
from evolray.pool.shards import POOL, SCHEMAS
from evolray.refine.intake.sources import Source, readable

READERS = 16
FOOTER_TAIL = 8  # bytes at the end of a Parquet file: the footer's length and "PAR1"


@dataclass(frozen=True)
class Part:
    """What one task reads. `shard` is the first it writes, then every `stride`-th.

    One of these says what is read: `pieces`, of a run's shards or a file's row groups as (number, first row, end);
    `entries` JSON lines from byte `offset` on, which is line `line`; neither: the whole source.
    """

    source: int
    shard: int
    stride: int = 1
    pieces: tuple[tuple[int, int, int], ...] = ()
    entries: int = 0
    offset: int = 0
    line: int = 1


@dataclass(frozen=True)
class Plan:
    """`contents`: by source, what says whether it is still the same."""

    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    shard_size: int
    limit: int | None
    contents: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """64 hex digits: plans that are equal in it make the same records."""
        sources = [(one.name, one.shown, one.columns) for one in self.sources]
        text = json.dumps([sources, self.shard_size, self.limit, self.contents])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def plan(sources: Sequence[Source], shard_size: int, limit: int | None = None) -> Plan:
    """Reads footers, and JSON lines once to find where they end. Raises UserError when a source cannot be read.

    `limit`: of each source, only the first so many records or entries.
    """
    known: list[Part] = []
    streams: list[int] = []
    contents: list[str] = []
    for number, source in enumerate(sources):
        with readable(source):
            parts, content = _parts(source, number, len(known), shard_size, limit)
        known += parts or []
        streams += [number] if parts is None else []
        contents.append(content)
    whole = [Part(number, len(known) + at, len(streams)) for at, number in enumerate(streams)]
    return Plan(tuple(sources), (*known, *whole), shard_size, limit, tuple(contents))


def _parts(source: Source, number: int, shard: int, size: int, limit: int | None) -> tuple[list[Part] | None, str]:
    """The parts of a source, the first shard of which is `shard`, or None when it is one stream; and its content."""
    if is_run(source.path):
        pool = Pool(source.path)
        with ThreadPoolExecutor(READERS) as readers:
            footers = list(readers.map(lambda shard: _footer(pool.folder, shard), pool.shards))
        rows = [(shard, count) for shard, (count, _) in zip(pool.shards, footers, strict=True)]
        return _cut(rows, number, shard, size, size, limit), _hash([digest for _, digest in footers])
    container = container_of(source.path)
    content = _content(source.path)
    if container == "lines":
        with open_stream(source.path) as stream:
            return _cut_lines(stream, number, shard, size, limit), content
    if container == "parquet" and not source.columns:
        with open_stream(source.path) as stream:
            file = pq.ParquetFile(stream)
            if is_table_of_records(file.schema_arrow):
                groups = [(group, file.metadata.row_group(group).num_rows) for group in range(file.num_row_groups)]
                # A row group is decoded from its beginning: a part takes in as much as the largest holds.
                most = max((rows for _, rows in groups), default=0) // size * size
                return _cut(groups, number, shard, size, max(size, most), limit), content
    return None, content


def is_table_of_records(schema: pa.Schema) -> bool:
    """Whether a Parquet file has the columns of a pool, lineage included, as `evolray export` writes them."""
    wanted = SCHEMAS[POOL]
    if not set(wanted.names) <= set(schema.names):
        return False
    try:
        schema.empty_table().select(wanted.names).cast(wanted)
    except (pa.ArrowException, ValueError):
        return False
    return True


def _cut(
    chunks: Sequence[tuple[int, int]], source: int, shard: int, size: int, part_size: int, limit: int | None
) -> list[Part]:
    """(number, rows) of chunks that follow each other, cut into parts of `part_size` rows, a multiple of `size`."""
    left = sum(rows for _, rows in chunks) if limit is None else limit
    parts: list[Part] = []
    pieces: list[tuple[int, int, int]] = []
    room = part_size
    for number, rows in chunks:
        start = 0
        while start < rows and left:
            taken = min(rows - start, room, left)
            pieces.append((number, start, start + taken))
            start, room, left = start + taken, room - taken, left - taken
            if not room:
                parts.append(Part(source, shard, pieces=tuple(pieces)))
                pieces, room, shard = [], part_size, shard + part_size // size
    return [*parts, Part(source, shard, pieces=tuple(pieces))] if pieces else parts


def _cut_lines(stream: BinaryIO, source: int, shard: int, size: int, limit: int | None) -> list[Part]:
    parts: list[Part] = []
    entries = total = offset = 0
    first_line = 1
    for line, raw in raw_lines(stream):
        if not is_entry(raw):
            continue
        entries, total = entries + 1, total + 1
        if entries == size or total == limit:
            parts.append(Part(source, shard + len(parts), entries=entries, offset=offset, line=first_line))
            entries, offset, first_line = 0, stream.tell(), line + 1
        if total == limit:
            break
    return [*parts, Part(source, shard + len(parts), 1, (), entries, offset, first_line)] if entries else parts


def _footer(folder: Folder, shard: int) -> tuple[int, str]:
    """Rows and a hash of the footer, which holds the sizes and extremes of all columns, and an evolve run's digest."""
    with folder.open(shard_name(POOL, shard)) as file:
        size = file.size()
        file.seek(size - FOOTER_TAIL)
        length = int.from_bytes(file.read(4), "little")
        file.seek(size - FOOTER_TAIL - length)
        footer = file.read(length)
        return int(pq.read_metadata(file).num_rows), hashlib.sha256(footer).hexdigest()


def _content(path: str) -> str:
    """sha256 of a local file; of a file elsewhere size and time, of a dataset nothing: who reads all must fetch all."""
    if path.startswith("hf:"):
        return ""
    if "://" in path:
        filesystem, inner_path = fs.FileSystem.from_uri(path)
        info = filesystem.get_file_info(inner_path)
        return f"size {info.size}, modified {info.mtime_ns}"
    with open_stream(path) as stream:
        return f"sha256 {hashlib.file_digest(cast(io.BufferedReader, stream), 'sha256').hexdigest()}"


def _hash(parts: Sequence[str]) -> str:
    return f"sha256 of footers {hashlib.sha256(' '.join(parts).encode()).hexdigest()}"
