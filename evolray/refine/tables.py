"""The files of a refine run and their columns.

    run.yaml                   the full config and versions
    records/00017.parquet      what came in, one row per record: the columns of a pool, and its source
    rejected/00017.parquet     entries of source files that are no records, with their reason
    features/00017.parquet     what is measured of each record without asking anybody
    signatures/00017.npy       MinHash signatures, (records, permutations) uint8
    bands/00017.npy            hashes of their bands, (bands, records) uint64
    hashes/00017.npy           digests for exact comparison, (records, 2) uint64
    work/pairs-0/00003.npy     pairs of similar records, found by a unit in a turn; what a rerun goes on from
    embeddings/00017.npy       of the records that select.order=embedding compares, (records, dimensions) float32
    judged/00017.parquet       difficulty and skills, of the records that were asked about; ledger/ as in evolve runs
    leaks/00017.parquet        benchmark items found in records
    leaks-by-execution/00017.parquet    the same, found by running programs
    clusters.parquet           duplicates: who was dropped for whom
    dropped/00017.parquet      every record that is not in the mix, with its reason
    pool/00017.parquet         the mix: the columns of a pool, and source, difficulty, skills
    training/                  the mix in other formats
    card.md                    the data card
    manifest.json              counts, hashes, status
    steps/                     what each step has finished, and for which settings

Rows of records/, features/, signatures/, hashes/ and bands/ correspond one to one. A row's number in the whole run
counts the shards before it, too (`Index.offsets`).
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import POOL, SCHEMAS

RECORDS, REJECTED, FEATURES, SIGNATURES, BANDS = "records", "rejected", "features", "signatures", "bands"
JUDGED, LEAKS, DROPPED = "judged", "leaks", "dropped"
LEAKS_BY_EXECUTION = "leaks-by-execution"
CLUSTERS = "clusters.parquet"

_TEXT, _WHOLE, _SHARE = pa.string(), pa.int32(), pa.float32()


def _schema(*columns: tuple[str, pa.DataType, str], after: pa.Schema | None = None) -> pa.Schema:
    fields = [pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in columns]
    return pa.schema([*(after or ()), *fields])


_SOURCE = ("source", _TEXT, "the name of the pool or file it came from")

RECORDS_SCHEMA = _schema(_SOURCE, after=SCHEMAS[POOL])
REJECTED_SCHEMA = _schema(
    _SOURCE,
    ("line", pa.int64(), "1-based, where the entry begins in its file"),
    ("reason", _TEXT, "why it is no record"),
    ("message", _TEXT, "the same for people"),
)
FEATURES_SCHEMA = _schema(
    ("words", _WHOLE, "of the instruction"),
    ("response_words", _WHOLE, "of the response"),
    ("tokens", _WHOLE, "of instruction, context and response; four characters count as one"),
    ("constraints", _WHOLE, "requirements that the instruction states"),
    ("steps", _WHOLE, "numbered or successive steps in the response"),
)
JUDGED_SCHEMA = _schema(
    ("row", pa.int64(), "the record's number in the run"),
    ("id", _TEXT, ""),
    ("difficulty", pa.int8(), "1 to 10; null when the judge gave none or was not asked"),
    ("skills", pa.list_(_TEXT), "null when the judge gave none or was not asked"),
    ("cause", _TEXT, "why a call was given up; empty if none was"),
    ("message", _TEXT, "the same for people"),
)
LEAKS_SCHEMA = _schema(
    ("row", pa.int64(), "the record's number in the run"),
    ("id", _TEXT, "the record"),
    ("source", _TEXT, ""),
    ("benchmark", _TEXT, ""),
    ("item", _TEXT, "its id in the benchmark, or its line"),
    ("kind", _TEXT, "ngram, similarity or execution"),
    ("where", _TEXT, "which text of the item was found in which text of the record, such as question in instruction"),
    ("score", _SHARE, "share of the item found, or similarity; 1 for execution"),
    ("evidence", _TEXT, "the longest passage found, or what passed; at most 300 characters"),
)
CLUSTERS_SCHEMA = _schema(
    ("kept", _TEXT, "the record that stays"),
    ("kept_source", _TEXT, ""),
    ("dropped", _TEXT, "the record dropped for it"),
    ("dropped_source", _TEXT, ""),
    ("kind", _TEXT, "exact_duplicate or near_duplicate"),
    ("similarity", _SHARE, "estimated Jaccard similarity; 1 for exact ones"),
    ("kept_text", _TEXT, "its first 300 characters"),
    ("dropped_text", _TEXT, "its first 300 characters"),
)
_SCORES = (
    ("difficulty", pa.int8(), "1 to 10 by the judge; null if not judged"),
    ("skills", pa.list_(_TEXT), "by the judge; null if not judged"),
)
MIX_SCHEMA = _schema(*_SCORES, after=RECORDS_SCHEMA)
DROPPED_SCHEMA = _schema(
    ("reason", _TEXT, "why it is not in the mix"),
    ("detail", _TEXT, "the same for people: the record it repeats, the benchmark item it holds, ..."),
    after=MIX_SCHEMA,
)


def write_table(folder: Folder, name: str, table: pa.Table) -> None:
    """Whole or not at all; the same bytes for the same table."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    folder.write(name, sink.getvalue())


def write_rows(folder: Folder, name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    write_table(folder, name, pa.Table.from_pylist(list(rows), schema=schema))


def write_array(folder: Folder, kind: str, shard: int, array: "np.ndarray[Any, Any]") -> None:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    folder.write(array_name(kind, shard), sink.getvalue())


def array_name(kind: str, shard: int) -> str:
    return shard_name(kind, shard).removesuffix(".parquet") + ".npy"
