"""Diversity by MinHash: how many records that come earlier say much the same.

A hash table files each record under four values of its signature. Two records whose shingles have the Jaccard
similarity J meet in a table with a probability of about J^4, so the mean number of those met, over all tables, is an
estimate of how densely the place is settled where a record lands (Coleman et al., One-Pass Diversified Sampling,
ICML 2022). Records that come earlier in the seeded random order count alone: the first of many that resemble each
other is as good as new, the hundredth is redundant.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evolray.pool.layout import Folder
from evolray.refine.duplicates.files import read_signatures
from evolray.refine.index import Index

VALUES = 4  # signature bytes per table: one uint32
BATCH_ROWS = 100_000
_RANK_BITS = np.uint64(32)
_RANK = np.uint64(2**32 - 1)


def redundancy(
    folder: Folder, index: Index, rows: npt.NDArray[np.int64], ranks: npt.NDArray[np.int64], memory_mb: int
) -> npt.NDArray[np.float64]:
    """For each of the rows, ascending, the mean number of others per table that it meets and that rank before it.

    `ranks`: each row's place in the order, from 0. Signatures are read as many times as their tables make `memory_mb`.
    """
    met, done, num_tables = np.zeros(len(rows), np.int64), 0, 1
    while done < num_tables and len(rows):
        at_once = max(1, memory_mb * 2**20 // (VALUES * len(rows) + 1))
        tables, num_tables = _read_tables(folder, index, rows, done, at_once)
        for table in tables:
            met += earlier_in_bucket(table, ranks)
        done += len(tables)
    return met / num_tables


def earlier_in_bucket(buckets: npt.NDArray[np.uint32], ranks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each record how many with the same bucket rank before it."""
    # Bucket and rank in one number: sorting those is some ten times as fast as sorting places by two keys.
    both = np.sort((buckets.astype(np.uint64) << _RANK_BITS) | ranks.astype(np.uint64))
    starts = np.flatnonzero(np.diff(both >> _RANK_BITS, prepend=np.uint64(2**63)))
    lengths = np.diff(np.append(starts, len(both)))
    by_rank = np.empty(len(both), np.int64)
    by_rank[both & _RANK] = np.arange(len(both)) - np.repeat(starts, lengths)
    return by_rank[ranks]


def _read_tables(
    folder: Folder, index: Index, rows: npt.NDArray[np.int64], first: int, at_once: int
) -> tuple[npt.NDArray[np.uint32], int]:
    """(tables from `first` on, rows), and how many tables the signatures have in all."""
    found: npt.NDArray[np.uint32] | None = None
    num_tables = 1
    for start, signatures in _batches(folder, index, rows):
        # Signatures of fewer values than a table wants are filled up: one table, of all there are.
        missing = max(0, VALUES - signatures.shape[1])
        values = np.pad(signatures, ((0, 0), (0, missing)))
        num_tables = values.shape[1] // VALUES
        tables = np.ascontiguousarray(values[:, VALUES * first : VALUES * min(first + at_once, num_tables)])
        buckets = tables.view("<u4").T
        if found is None:
            found = np.empty((len(buckets), len(rows)), np.uint32)
        found[:, start : start + len(signatures)] = buckets
    assert found is not None  # there are rows
    return found, num_tables


def _batches(folder: Folder, index: Index, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Signatures of the rows, some shards at a time, and where among the rows they begin."""
    limits = np.searchsorted(rows, index.offsets)
    start = 0
    for end in limits[1:]:
        if end - start >= BATCH_ROWS or (end == len(rows) and end > start):
            yield start, read_signatures(folder, index, rows[start:end])
            start = int(end)
