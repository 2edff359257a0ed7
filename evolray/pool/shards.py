"""Shards: the Parquet files of a run, their Arrow schemas, and how records become rows and rows records.

A shard's files are written in the order eliminated, failed, pool; the pool file comes last and is what says that the
shard is finished. Its metadata holds the shard's accounts and the number of generations, so that a run's totals are
read from the footers alone. Rows are ordered by root and generation and nothing in the files depends on when or where
they were made: with the same answers, the same bytes.
"""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.accounts import RECORD_FIELDS, Accounts
from evolray.pool.layout import Folder, shard_name
from evolray.records import Eliminated, Failed, Outcome, Record, Seed, Turn

POOL, ELIMINATED, FAILED, SEEDS = "pool", "eliminated", "failed", "seeds"

_CONTEXT = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))


def _schema(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in columns])


_LINEAGE = (
    ("id", pa.string(), "<root_id>.g<generation>"),
    ("root_id", pa.string(), "16 hex digits: hash of the seed's normalised instruction, input and context"),
    ("parent_id", pa.string(), "the record this one was evolved from; null for seeds"),
    ("generation", pa.int16(), "0 for seeds"),
    ("domain", pa.string(), "open, code, math or a user's own"),
    ("operator", pa.string(), "how the parent was rewritten; seed for generation 0"),
    ("variant", pa.string(), "the operator's variant, such as a data format; usually empty"),
)
_SPENT = (
    ("context", _CONTEXT, "the turns of a conversation before the instruction"),
    ("teacher", pa.string(), "the model that answered last; empty for a seed's own response"),
    ("prompt_tokens", pa.int32(), "of all calls for this record"),
    ("completion_tokens", pa.int32(), "of all calls for this record"),
)
SCHEMAS = {
    POOL: _schema(
        *_LINEAGE,
        ("instruction", pa.string(), "what is put to a model"),
        ("response", pa.string(), "what the student is trained to answer"),
        *_SPENT,
        ("attempts", pa.int16(), "evolutions tried on the parent until this one was kept; 0 for seeds"),
    ),
    ELIMINATED: _schema(
        *_LINEAGE,
        ("reason", pa.string(), "the rule that rejected it"),
        ("step", pa.string(), "the last question asked: evolve, judge or respond"),
        ("instruction", pa.string(), "the rejected instruction"),
        ("response", pa.string(), "the rejected response, if one was asked for"),
        *_SPENT,
    ),
    FAILED: _schema(
        *_LINEAGE[:4],
        ("operator", pa.string(), "seed for generation 0 and for lines of the seed file"),
        ("cause", pa.string(), "short name of what went wrong"),
        ("message", pa.string(), "what went wrong, for people"),
        ("source", pa.string(), "the seed file"),
        ("line", pa.int64(), "1-based, where the entry begins in it"),
    ),
    SEEDS: _schema(
        ("root_id", pa.string(), "hash of the normalised instruction, input and context"),
        ("instruction", pa.string(), ""),
        ("input", pa.string(), ""),
        ("response", pa.string(), "the seed file's own"),
        ("context", _CONTEXT, "the turns of a conversation before the instruction"),
        ("source", pa.string(), "the seed file"),
        ("line", pa.int64(), "1-based, where the entry begins in it"),
    ),
}
_KINDS: tuple[tuple[str, type], ...] = ((ELIMINATED, Eliminated), (FAILED, Failed), (POOL, Record))


def encode(kind: str, rows: Sequence[Outcome | Seed], metadata: dict[str, str] | None = None) -> bytes:
    """One Parquet file. Its bytes are a function of the rows and the metadata."""
    sink = io.BytesIO()
    pq.write_table(to_table(kind, rows).replace_schema_metadata(metadata or {}), sink, compression="zstd")
    return sink.getvalue()


def to_table(kind: str, rows: Sequence[Outcome | Seed]) -> pa.Table:
    schema = SCHEMAS[kind]
    columns = [pa.array(_column(rows, name), schema.field(name).type) for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def write_shard(folder: Folder, shard: int, outcomes: Iterable[Outcome], accounts: Accounts, generations: int) -> None:
    """Write what became of a shard. Raises EvolrayError when the accounts do not balance or nothing can be written."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.root_id, outcome.generation))
    accounts.check()
    for kind, type_ in _KINDS:
        rows = [outcome for outcome in ordered if isinstance(outcome, type_)]
        metadata = {"evolray.generations": str(generations), "evolray.accounts": json.dumps(accounts.to_json())}
        folder.write(shard_name(kind, shard), encode(kind, rows, metadata if kind == POOL else None))


def read_accounts(folder: Folder, shard: int) -> tuple[Accounts, int]:
    """A finished shard's accounts and its number of generations."""
    with folder.open(shard_name(POOL, shard)) as file:
        metadata = pq.read_metadata(file).metadata
    return Accounts.from_json(json.loads(metadata[b"evolray.accounts"])), int(metadata[b"evolray.generations"])


def num_rows(folder: Folder, name: str) -> int:
    """Of a Parquet file, from its footer."""
    with folder.open(name) as file:
        return int(pq.read_metadata(file).num_rows)


def read_table(folder: Folder, name: str, columns: list[str] | None = None) -> pa.Table:
    with folder.open(name) as file:
        return pq.read_table(file, columns=columns)


def read_rows(folder: Folder, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(folder, name).to_pylist()
    return rows


def read_seed_shard(folder: Folder, shard: int) -> list[Seed]:
    return [
        Seed(row["instruction"], row["input"], row["response"], _turns(row["context"]), row["source"], row["line"])
        for row in read_rows(folder, shard_name(SEEDS, shard))
    ]


def read_records(folder: Folder, shard: int) -> Iterator[Record]:
    """The records of a pool's shard; columns beside those of a record, as a refine run has them, are left out."""
    yield from records_of(read_table(folder, shard_name(POOL, shard), list(RECORD_FIELDS)))


def records_of(table: pa.Table) -> Iterator[Record]:
    """The rows of a table that has the columns of a record."""
    for row in table.select(list(RECORD_FIELDS)).to_pylist():
        yield Record(**{**row, "context": _turns(row["context"])})


def _turns(rows: Iterable[dict[str, Any]] | None) -> tuple[Turn, ...]:
    return tuple(Turn(row["role"], row["content"]) for row in rows or ())


def _column(rows: Sequence[Outcome | Seed], name: str) -> list[Any]:
    if name == "context":
        return [[{"role": turn.role, "content": turn.content} for turn in row.context] for row in rows]  # type: ignore[union-attr]
    return [getattr(row, name) for row in rows]
