"""clusters.parquet: every dropped copy beside the record that stays for it, with the beginnings of both texts.

Rows are ordered by the record that stays. Texts are gathered for some pairs at a time, so memory holds the beginnings
of two texts for each of these and the finished, compressed file.
"""

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.records import record_id
from evolray.refine.duplicates.buckets import Rows
from evolray.refine.duplicates.search import Duplicates
from evolray.refine.index import Index
from evolray.refine.reasons import REASONS
from evolray.refine.tables import CLUSTERS, CLUSTERS_SCHEMA, RECORDS

PAIRS_AT_ONCE = 200_000
CHARACTERS = 300


def write_clusters(folder: Folder, index: Index, found: Duplicates, of: str) -> int:
    """How many pairs were written. `of`: which text is shown; the instruction where both are compared."""
    dropped = np.flatnonzero(found.kept >= 0)
    dropped = dropped[np.lexsort((dropped, found.kept[dropped]))]
    column = "response" if of == "response" else "instruction"
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, CLUSTERS_SCHEMA, compression="zstd") as writer:
        for begin in range(0, len(dropped), PAIRS_AT_ONCE):
            writer.write_table(_table(folder, index, found, dropped[begin : begin + PAIRS_AT_ONCE], column))
    folder.write(CLUSTERS, sink.getvalue())
    return len(dropped)


def record_ids(index: Index, rows: Rows) -> list[str]:
    generations = index.generations[rows].tolist()
    return [
        record_id(f"{root:016x}", generation)
        for root, generation in zip(index.roots[rows].tolist(), generations, strict=True)
    ]


def _table(folder: Folder, index: Index, found: Duplicates, dropped: Rows, column: str) -> pa.Table:
    kept = found.kept[dropped]
    texts = _texts(folder, index, np.unique(np.concatenate([kept, dropped])), column)
    columns = {
        "kept": record_ids(index, kept),
        "kept_source": [index.names[source] for source in index.sources[kept]],
        "dropped": record_ids(index, dropped),
        "dropped_source": [index.names[source] for source in index.sources[dropped]],
        "kind": [REASONS[kind] for kind in found.kind[dropped]],
        "similarity": found.similarity[dropped],
        "kept_text": [texts[row] for row in kept.tolist()],
        "dropped_text": [texts[row] for row in dropped.tolist()],
    }
    return pa.table(columns, schema=CLUSTERS_SCHEMA)


def _texts(folder: Folder, index: Index, rows: Rows, column: str) -> dict[int, str]:
    return {row: text for shard_rows, texts in _beginnings(folder, index, rows, column)
            for row, text in zip(shard_rows.tolist(), texts, strict=True)}  # fmt: skip


def _beginnings(folder: Folder, index: Index, rows: Rows, column: str) -> Iterator[tuple[Rows, list[str]]]:
    """`rows` in their order, shard by shard."""
    limits = np.searchsorted(rows, index.offsets)
    for at in np.flatnonzero(np.diff(limits)):
        wanted = rows[limits[at] : limits[at + 1]]
        texts = read_table(folder, shard_name(RECORDS, index.shards[at]), [column])[column]
        texts = pc.utf8_slice_codeunits(texts.take(pa.array(wanted - index.offsets[at])), 0, CHARACTERS)
        yield wanted, texts.to_pylist()
