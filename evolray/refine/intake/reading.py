"""Intake: sources become shards of records, each part of them by itself, wherever.

Nothing is lost: what is no record is in rejected/ with its line and why. Records with the same id all come in; that
they say the same is found out later, with a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolray.pool.json_entries import Entry, read_lines
from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.pool.pool import is_run
from evolray.pool.seed_formats import open_stream, read_entries
from evolray.pool.shards import POOL, SCHEMAS, read_table, to_table
from evolray.records import Record
from evolray.refine.intake.entries import BAD_ENTRY, Rejected, keys_read, record_of_entry
from evolray.refine.intake.plan import Part, Plan
from evolray.refine.intake.sources import readable
from evolray.refine.intake.tables import usable
from evolray.refine.steps.step import Counts
from evolray.refine.tables import RECORDS, RECORDS_SCHEMA, REJECTED, REJECTED_SCHEMA, write_rows, write_table

BATCH_ROWS = 8192  # of a Parquet file, decoded at a time

_COLUMNS = SCHEMAS[POOL].names


@dataclass(frozen=True)
class ReadSource:
    """Step over the parts of a plan."""

    plan: Plan

    def run(self, folder: Folder, shard: int) -> Counts:
        """Read part number `shard` and write its shards and rejected/.

        Counts records and rejected, by source, too, and conversations: records with turns before their instruction.
        Raises UserError when the source cannot be read to the end.
        """
        part = self.plan.parts[shard]
        source = self.plan.sources[part.source]
        rejected: list[Rejected] = []
        written = _Written(folder, part, source.name)
        with readable(source):
            for table in self._tables(part, rejected) if part.pieces else self._records(part, rejected):
                written.take(table)
                if len(rejected) >= self.plan.shard_size:
                    written.reject(rejected)
        written.reject(rejected)
        counts = {"records": written.records, "rejected": written.rejected}
        by_source = {f"{name}:{source.name}": number for name, number in counts.items()}
        return {**counts, **by_source, "conversations": written.conversations}

    def _records(self, part: Part, rejected: list[Rejected]) -> Iterator[pa.Table]:
        """Tables of at most `shard_size` records, made of entries."""
        records: list[Record] = []
        columns = dict(self.plan.sources[part.source].columns)
        for line, entry in self._entries(part):
            outcome = record_of_entry(entry, line, columns)
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
                if len(rejected) == self.plan.shard_size:
                    yield SCHEMAS[POOL].empty_table()  # so that they are written and forgotten
                continue
            records.append(outcome)
            if len(records) == self.plan.shard_size:
                yield to_table(POOL, records)
                records = []
        yield to_table(POOL, records)

    def _entries(self, part: Part) -> Iterator[Entry]:
        source = self.plan.sources[part.source]
        if not part.entries:
            yield from islice(read_entries(source.path, keys_read(dict(source.columns))), self.plan.limit)
            return
        with open_stream(source.path) as stream:
            stream.seek(part.offset)
            yield from islice(read_lines(stream, part.line), part.entries)

    def _tables(self, part: Part, rejected: list[Rejected]) -> Iterator[pa.Table]:
        """Tables of `shard_size` records, the last of fewer, from a run or from a file that is a table of records."""
        path = self.plan.sources[part.source].path
        if is_run(path):
            yield from _resized(_of_run(open_folder(path), part, rejected), self.plan.shard_size)
            return
        with open_stream(path) as stream:
            yield from _resized(_of_file(stream, part, rejected), self.plan.shard_size)


class _Written:
    """What a part has written so far, shard after shard of those that are its own."""

    def __init__(self, folder: Folder, part: Part, source: str) -> None:
        self._folder, self._part, self._source = folder, part, source
        self._shards = {RECORDS: 0, REJECTED: 0}
        self.records = self.rejected = self.conversations = 0

    def take(self, table: pa.Table) -> None:
        """Write a shard of records; of none, no shard."""
        if not table.num_rows:
            return
        names = pa.array([self._source] * table.num_rows, pa.string())
        table = table.append_column(RECORDS_SCHEMA.field("source"), names).cast(RECORDS_SCHEMA)
        write_table(self._folder, self._next(RECORDS), table)
        self.records += table.num_rows
        self.conversations += int(pc.sum(pc.greater(pc.list_value_length(table["context"]), 0)).as_py())

    def reject(self, rejected: list[Rejected]) -> None:
        """Write what was rejected, and empty the list."""
        if not rejected:
            return
        rows = [
            {"source": self._source, "line": one.line, "reason": BAD_ENTRY, "message": one.message} for one in rejected
        ]
        write_rows(self._folder, self._next(REJECTED), rows, REJECTED_SCHEMA)
        self.rejected += len(rejected)
        rejected.clear()

    def _next(self, kind: str) -> str:
        shard = self._part.shard + self._shards[kind] * self._part.stride
        self._shards[kind] += 1
        return shard_name(kind, shard)


def _of_run(folder: Folder, part: Part, rejected: list[Rejected]) -> Iterator[pa.Table]:
    for shard, start, end in part.pieces:
        name = shard_name(POOL, shard)
        yield usable(read_table(folder, name, _COLUMNS).slice(start, end - start), name, start, rejected)


def _of_file(stream: BinaryIO, part: Part, rejected: list[Rejected]) -> Iterator[pa.Table]:
    file = pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    for group, start, end in part.pieces:
        row, first = 0, sum(sizes[:group])
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=_COLUMNS, use_threads=False):
            low, high = max(start - row, 0), min(end - row, batch.num_rows)
            if low < high:
                table = pa.Table.from_batches([batch.slice(low, high - low)])
                yield usable(table, "the file", first + row + low, rejected)
            row += batch.num_rows


def _resized(tables: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of `size` rows, the last of fewer."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        while rows >= size:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, size)
            waiting, rows = [whole.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(waiting)
