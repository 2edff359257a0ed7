"""Which rows of each shard a step is to work on, small enough to go to every worker: a bit per record."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from evolray.refine.index import Index

Wanted = Mapping[int, tuple[int, bytes]]
"""shard -> its first row in the run, and a bit for each of its rows."""


def pack(index: Index, mask: npt.NDArray[np.bool_]) -> dict[int, tuple[int, bytes]]:
    """From a mask over all rows (N)."""
    bounds = zip(index.shards, index.offsets[:-1].tolist(), index.offsets[1:].tolist(), strict=True)
    return {shard: (first, np.packbits(mask[first:end]).tobytes()) for shard, first, end in bounds}


def places(bits: bytes, rows: int) -> npt.NDArray[np.int64]:
    """The wanted rows of a shard of `rows`, counted from its first."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), count=rows)).astype(np.int64)


def number_of(wanted: Wanted) -> int:
    return sum(int.from_bytes(bits, "big").bit_count() for _, bits in wanted.values())
