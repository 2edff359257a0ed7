"""Tokenising, one batch of examples at a time: what fits goes to the store, what does not is stored with its reason."""

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evolray.config import TrainConfig
from evolray.pool.layout import Folder
from evolray.train.tokenising.examples import Encoded, Example, Rejected, encode
from evolray.train.tokenising.store import Index, file_name, is_held_out, write_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

REJECTED = "rejected"
SCHEMA = pa.schema([("id", pa.string()), ("reason", pa.string()), ("message", pa.string()), ("num_tokens", pa.int32())])


@dataclass(frozen=True)
class Batch:
    """What became of one batch: per kept example its length, its trained tokens and its side; the rest by reason."""

    source: int
    number: int
    tokens: list[int]
    trained: list[int]
    held_out: list[bool]
    rejected: dict[str, int] = field(default_factory=dict)
    cut: int = 0


def tokenise(
    folder: Folder,
    source: int,
    number: int,
    outcomes: Sequence[Example | Rejected],
    tokenizer: "PreTrainedTokenizerFast",
    config: TrainConfig,
) -> Batch:
    """Encode a batch and write it. Doing it again writes the same files."""
    examples = [one for one in outcomes if isinstance(one, Example)]
    encoded = encode(examples, tokenizer, max_length=config.max_length, over_long=config.over_long)
    kept = [one for one in encoded if isinstance(one, Encoded)]
    rejected = [one for one in (*outcomes, *encoded) if isinstance(one, Rejected)]
    if kept:
        write_examples(folder, file_name(source, number), kept)
    if rejected:
        _write_rejected(folder, f"{REJECTED}/{source:05d}-{number:05d}.parquet", rejected)
    return Batch(
        source,
        number,
        tokens=[len(one.input_ids) for one in kept],
        trained=[sum(one.trained) for one in kept],
        held_out=[is_held_out(one.id, config.held_out, config.seed) for one in kept],
        rejected=dict(Counter(one.reason for one in rejected)),
        cut=sum(one.cut for one in kept),
    )


def _write_rejected(folder: Folder, name: str, rejected: Iterable[Rejected]) -> None:
    rows = [{key: getattr(one, key) for key in SCHEMA.names} for one in rejected]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, compression="zstd")
    folder.write(name, sink.getvalue())


def index_of(batches: Iterable[Batch]) -> tuple[Index, dict[str, Any]]:
    """The index over all batches, in the order of the data whenever each was done, and the accounts."""
    ordered = sorted(batches, key=lambda batch: (batch.source, batch.number))
    filled = [batch for batch in ordered if batch.tokens]
    sizes = [len(batch.tokens) for batch in filled]
    rejected: Counter[str] = Counter()
    for batch in ordered:
        rejected.update(batch.rejected)
    index = Index(
        files=[file_name(batch.source, batch.number) for batch in filled],
        file=np.repeat(np.arange(len(filled), dtype=np.int32), sizes),
        row=np.concatenate([np.arange(size, dtype=np.int32) for size in sizes] or [np.empty(0, np.int32)]),
        tokens=np.array([tokens for batch in filled for tokens in batch.tokens], dtype=np.int32),
        trained=np.array([trained for batch in filled for trained in batch.trained], dtype=np.int32),
        held_out=np.array([side for batch in filled for side in batch.held_out], dtype=np.bool_),
    )
    accounts = {
        "entries": len(index) + sum(rejected.values()),
        "train": int((~index.held_out).sum()),
        "held_out": int(index.held_out.sum()),
        "rejected": dict(sorted(rejected.items())),
        "cut": sum(batch.cut for batch in ordered),
        "tokens": int(index.tokens[~index.held_out].sum()),
        "trained_tokens": int(index.trained[~index.held_out].sum()),
        "longest": int(index.tokens.max(initial=0)),
    }
    return index, accounts


def to_metadata(accounts: Mapping[str, Any], made_from: Mapping[str, Any]) -> dict[str, str]:
    return {"accounts": json.dumps(accounts), "made_from": json.dumps(made_from, sort_keys=True)}
