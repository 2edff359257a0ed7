"""What became of each sample, shard by shard, and all of it as one file.

graded/3f9c0a12/00017.parquet   verdicts under one set of rules; other rules have a folder of their own
samples.parquet                 every sample with its prompt and verdict, once all shards are graded
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.evaluate.benchmark import Outcome
from evolray.pool.layout import Folder, shard_name
from evolray.sampling.questions import Sample, read_samples

GRADED, SAMPLES = "graded", "samples.parquet"
MOST_MESSAGE_CHARACTERS = 1000
FAILED = "failed"
"""The outcome of a question that got no sample; its message begins with the cause."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One sample's verdict. `id` is <benchmark>/<the release's id>; `base` is "" but for the plus sets."""

    id: str
    sample: int
    extracted: str
    outcome: Outcome | str
    base: Outcome | str
    message: str


FIELDS = tuple(Graded.__dataclass_fields__)
GRADED_SCHEMA = pa.schema(
    [(name, pa.int32() if name == "sample" else pa.string()) for name in FIELDS]
)  # fmt: skip
SAMPLES_SCHEMA = pa.schema(
    [
        ("benchmark", pa.string()), ("problem", pa.string()), ("sample", pa.int32()), ("prompt", pa.string()),
        ("earlier", pa.list_(pa.string())), ("text", pa.string()), ("extracted", pa.string()),
        ("outcome", pa.string()), ("base", pa.string()), ("message", pa.string()), ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int32()), ("completion_tokens", pa.int32()), ("model", pa.string()),
    ]
)  # fmt: skip


def storable(text: str) -> str:
    """`text` with each lone surrogate replaced by U+FFFD, so that it can be stored as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def rules_key(rules: Mapping[str, Any]) -> str:
    """8 hex digits for everything that decides a verdict."""
    return hashlib.sha256(json.dumps(rules, sort_keys=True, default=str).encode()).hexdigest()[:8]


def write_graded(folder: Folder, key: str, shard: int, rows: Sequence[Graded]) -> None:
    table = pa.Table.from_pylist([{name: getattr(row, name) for name in FIELDS} for row in rows], schema=GRADED_SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    folder.write(shard_name(f"{GRADED}/{key}", shard), sink.getvalue())


def read_graded(folder: Folder, key: str, shard: int) -> list[Graded]:
    with folder.open(shard_name(f"{GRADED}/{key}", shard)) as file:
        return [Graded(**row) for row in pq.read_table(file).to_pylist()]


def write_all(folder: Folder, shards: Mapping[int, str]) -> None:
    """samples.parquet, one shard in memory at a time; `shards`: number -> the key of the rules it was graded by."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, SAMPLES_SCHEMA, compression="zstd") as writer:
        for shard, key in sorted(shards.items()):
            pairs = zip(read_samples(folder, shard), read_graded(folder, key, shard), strict=True)
            rows = [_row(sample, graded) for sample, graded in pairs]
            writer.write_table(pa.Table.from_pylist(rows, schema=SAMPLES_SCHEMA))
    folder.write(SAMPLES, sink.getvalue())


def read_all(folder: Folder) -> Iterator[dict[str, Any]]:
    """The rows of samples.parquet, a batch in memory at a time."""
    with folder.open(SAMPLES) as file:
        for batch in pq.ParquetFile(file).iter_batches(1024):
            yield from batch.to_pylist()


def _row(sample: Sample, graded: Graded) -> dict[str, Any]:
    benchmark, _, problem = graded.id.partition("/")
    return {
        "benchmark": benchmark, "problem": problem, "sample": graded.sample, "prompt": sample.prompt,
        "earlier": list(sample.earlier), "text": sample.text, "extracted": graded.extracted,
        "outcome": graded.outcome, "base": graded.base, "message": graded.message,
        "finish_reason": sample.finish_reason, "prompt_tokens": sample.prompt_tokens,
        "completion_tokens": sample.completion_tokens, "model": sample.model,
    }  # fmt: skip
