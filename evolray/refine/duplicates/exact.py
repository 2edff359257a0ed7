"""Exact duplicates: records whose normalised texts have the same 128-bit digest.

The driver groups all digests at once: 16 bytes per record, and as much again while they are sorted.
"""

import numpy as np
import numpy.typing as npt

from evolray.pool.layout import Folder
from evolray.refine.duplicates.buckets import Rows
from evolray.refine.duplicates.signatures import HASHES
from evolray.refine.index import Index
from evolray.refine.tables import array_name


def find(folder: Folder, index: Index, order: Rows) -> Rows:
    """For each row the row that is kept of its copies, -1 where it is that row itself.

    `order`: all rows, the first to be kept of several copies first. Copies within a lineage count: an evolution that
    changed nothing is no gain. Records without text repeat nobody.
    """
    digests = _read(folder, index)[order]  # by rank
    kept = np.full(len(index), -1, np.int64)
    shared = _may_be_shared(digests[:, 0])
    shared = shared[(digests[shared] != 0).any(axis=1)]
    digests = digests[shared]
    by_digest = np.lexsort((shared, digests[:, 1], digests[:, 0]))
    shared, digests = shared[by_digest], digests[by_digest]
    is_first = np.append(True, (digests[1:] != digests[:-1]).any(axis=1))[: len(shared)]
    firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(shared)), 0))
    kept[order[shared[~is_first]]] = order[shared[firsts[~is_first]]]
    return kept


def _read(folder: Folder, index: Index) -> npt.NDArray[np.uint64]:
    found = np.empty((len(index), 2), np.uint64)
    for at, shard in enumerate(index.shards):
        with folder.open(array_name(HASHES, shard)) as file:
            found[index.offsets[at] : index.offsets[at + 1]] = np.lib.format.read_array(file, allow_pickle=False)
    return found


def _may_be_shared(halves: npt.NDArray[np.uint64]) -> Rows:
    """The places of values that occur more than once, in their order: few, so that the rest is cheap."""
    values = np.sort(halves)
    repeated = np.unique(values[1:][values[1:] == values[:-1]])
    if not len(repeated):
        return np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(repeated, halves), len(repeated) - 1)
    return np.flatnonzero(repeated[at] == halves)
