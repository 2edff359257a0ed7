"""Parts of the .npy files in signatures/ and bands/, read without their whole: one band of all records, some rows.

On an object store a few threads read ahead, so that its latency is waited for together; on a disk they would only be
in each other's way.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evolray.pool.layout import Folder
from evolray.refine.duplicates.buckets import Rows, Signatures
from evolray.refine.index import Index
from evolray.refine.tables import BANDS, SIGNATURES, array_name

READERS = 4
Found = TypeVar("Found")


def read_band(folder: Folder, index: Index, band: int) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    """For each shard its first row, and a hash for each of its records."""

    def read(at: int) -> tuple[int, npt.NDArray[np.uint64]]:
        with folder.open(array_name(BANDS, index.shards[at])) as file:
            (_, records), kind = _header(file)
            file.seek(file.tell() + band * records * kind.itemsize)
            return int(index.offsets[at]), np.frombuffer(file.read(records * kind.itemsize), kind)

    return _each(folder, read, range(len(index.shards)))


def read_signatures(folder: Folder, index: Index, rows: Rows, value: int | None = None) -> Signatures:
    """(rows, permutations), in the order of `rows`; (rows, 1) when only one value is wanted.

    Whole files are read, one at a time, even for few rows: they are small, and a mapped file would count as memory.
    """
    order = np.argsort(rows, kind="stable")
    limits = np.searchsorted(rows[order], index.offsets)
    found: Signatures | None = None

    def read(at: int) -> tuple[Rows, Signatures]:
        with folder.open(array_name(SIGNATURES, index.shards[at])) as file:
            (records, values), kind = _header(file)
            everything = np.frombuffer(file.read(), kind).reshape(records, values)
        wanted = order[limits[at] : limits[at + 1]]
        places = rows[wanted] - index.offsets[at]
        return wanted, everything[places] if value is None else everything[places, value : value + 1]

    for places, signatures in _each(folder, read, np.flatnonzero(np.diff(limits)).tolist()):
        if found is None:
            found = np.empty((len(rows), signatures.shape[1]), np.uint8)
        found[places] = signatures
    return np.empty((0, 1), np.uint8) if found is None else found


def _header(file: pa.NativeFile) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Shape and type of the array whose values come next."""
    np.lib.format.read_magic(file)
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
    return shape, kind  # type: ignore[return-value]  # every array here has two dimensions


def _each(folder: Folder, read: Callable[[int], Found], numbers: Sequence[int]) -> Iterator[Found]:
    """read(n) for each number, in order; at most a few files more than are used are in memory."""
    if folder.is_local:
        yield from map(read, numbers)
        return
    upcoming = iter(numbers)
    with ThreadPoolExecutor(READERS) as readers:
        waiting = [readers.submit(read, number) for number in islice(upcoming, 2 * READERS)]
        while waiting:
            found = waiting.pop(0).result()
            waiting += [readers.submit(read, number) for number in islice(upcoming, 1)]
            yield found
