"""One unit of the search for near-duplicates: the records whose hash of one band lies in one range.

Units are worked on anywhere and in any order. What a worker holds is bounded by `memory_mb`: the more records, the more
ranges each band is cut into, and signatures are fetched for as many members of buckets as there is room for (those of
`_LARGEST` at least, 40 MB with 128 permutations). Beside that, the workers of a node share what `FindPairs` itself
carries, some 25 bytes per record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import Folder
from evolray.refine.duplicates.buckets import SPLIT, Mask, Members, Pairs, Rows, find_pairs, join, split
from evolray.refine.duplicates.files import read_band, read_signatures
from evolray.refine.duplicates.signatures import matches_needed, rows_per_band
from evolray.refine.index import Index
from evolray.refine.steps.step import Counts
from evolray.refine.tables import write_array

_MEGABYTE = 1_000_000
_BYTES_PER_RECORD = 100  # of a unit that finds all its records in buckets: keys, ranks, buckets, pairs
_LARGEST = 200_000  # members of a bucket
_TABLE_BITS = np.uint64(22)


@dataclass(frozen=True, eq=False)
class FindPairs:
    """A step whose shards are units. It writes the pairs that it finds to work/pairs-<turn>/<unit>.npy.

    `order`: rows by rank, the first to be kept of several first; `ranks`: its inverse. `candidates` (by row): who is
    compared at all. `fresh` (by row): when not None, only pairs with at least one of these are wanted.
    """

    config: NearDuplicatesConfig
    index: Index
    order: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.int32]
    candidates: Mask
    fresh: Mask | None
    turn: int
    memory_mb: int

    @property
    def ranges(self) -> int:
        """Into how many parts each band is cut."""
        return -(-len(self.index) * _BYTES_PER_RECORD // (self.memory_mb * _MEGABYTE // 2))

    @property
    def units(self) -> range:
        return range(self.config.permutations // self._rows * self.ranges)

    @property
    def files(self) -> str:
        return f"work/pairs-{self.turn}"

    def run(self, folder: Folder, shard: int) -> Counts:
        band, part = divmod(shard, self.ranges)
        ranks, buckets = self._buckets(folder, band, part)
        needed = matches_needed(self.config.threshold, self.config.permutations)
        found: list[Pairs] = []
        ranks, buckets, were_split = self._split_largest(folder, band, ranks, buckets)
        if were_split:
            found.append(SPLIT)
        for chunk in chunks(buckets, self._most_members):
            found.append(find_pairs(self._members(folder, band, ranks[chunk], buckets[chunk]), needed))
        pairs = join(found)
        write_array(folder, self.files, shard, pairs)
        return {"members": len(ranks), "pairs": len(pairs)}

    @property
    def _rows(self) -> int:
        return rows_per_band(self.config.threshold, self.config.permutations)

    @property
    def _most_members(self) -> int:
        """Whose signatures are held at once."""
        return max(_LARGEST, self.memory_mb * _MEGABYTE // 4 // (self.config.permutations + 64))

    def _buckets(self, folder: Folder, band: int, part: int) -> tuple[Rows, Rows]:
        """Ranks and bucket numbers of all records that share their hash with another, by bucket and rank.

        A hash and a rank are sorted as one number, the rank in as many low bits as ranks need. That costs the hash
        those bits: a few records meet that share no band, and are compared in vain.
        """
        bits = np.uint64(max(1, (len(self.index) - 1).bit_length()))
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys(folder, band, part, bits)])
        keys.sort()
        same = keys[1:] >> bits == keys[:-1] >> bits
        keys = keys[np.append(same, False) | np.append(False, same)[: len(keys)]]
        ranks = (keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
        buckets = np.cumsum(np.diff(keys >> bits, prepend=np.uint64(0)) != 0)
        if self.fresh is None or not len(ranks):
            return ranks, buckets
        wanted = np.zeros(int(buckets[-1]) + 1, np.bool_)
        wanted[buckets[self.fresh[self.order[ranks]]]] = True
        return ranks[wanted[buckets]], buckets[wanted[buckets]]

    def _keys(self, folder: Folder, band: int, part: int, bits: np.uint64) -> Iterator[npt.NDArray[np.uint64]]:
        near_fresh = None if self.fresh is None else self._near_fresh(folder, band)
        for begin, hashes in read_band(folder, self.index, band):
            rows = slice(begin, begin + len(hashes))
            wanted = self.candidates[rows] & (hashes != 0)
            if self.ranges > 1:
                wanted &= (hashes >> np.uint64(32)) * np.uint64(self.ranges) >> np.uint64(32) == part
            if near_fresh is not None:
                wanted &= near_fresh[hashes >> (np.uint64(64) - _TABLE_BITS)]
            yield hashes[wanted] >> bits << bits | self.ranks[rows][wanted].astype(np.uint64)

    def _near_fresh(self, folder: Folder, band: int) -> Mask:
        """By the first bits of a hash: whether a fresh record may have it. Most others need not be sorted, then."""
        assert self.fresh is not None
        table = np.zeros(1 << int(_TABLE_BITS), np.bool_)
        for begin, hashes in read_band(folder, self.index, band):
            table[hashes[self.fresh[begin : begin + len(hashes)]] >> (np.uint64(64) - _TABLE_BITS)] = True
        return table

    def _split_largest(self, folder: Folder, band: int, ranks: Rows, buckets: Rows) -> tuple[Rows, Rows, bool]:
        """Buckets that cannot be held at once are split by values before this band's, which are read for it alone.

        How large a bucket may be is a constant, since what is found must not depend on memory.
        """
        for splits in range(1, self.config.permutations):
            sizes = np.bincount(buckets) if len(buckets) else np.zeros(1, np.int64)
            if sizes.max() <= _LARGEST:
                return ranks, buckets, splits > 1
            wanted, value = sizes[buckets] > _LARGEST, (band * self._rows - splits) % self.config.permutations
            values = np.zeros(len(ranks), np.uint8)
            rows = self.order[ranks[wanted]].astype(np.int64)
            values[wanted] = read_signatures(folder, self.index, rows, value)[:, 0]
            order, buckets = split(buckets, wanted, values)
            ranks = ranks[order]
        return ranks, buckets, True

    def _members(self, folder: Folder, band: int, ranks: Rows, buckets: Rows) -> Members:
        rows = self.order[ranks].astype(np.int64)
        roots = None if self.config.within_lineage else self.index.roots[rows]
        fresh = None if self.fresh is None else self.fresh[rows]
        signatures = read_signatures(folder, self.index, rows)
        return Members(ranks, buckets, signatures, roots, fresh, next_value=(band + 1) * self._rows)


def chunks(buckets: Rows, most: int) -> Iterator[slice]:
    """Whole buckets, as many as hold at most `most` members; a larger one by itself."""
    ends = np.append(np.flatnonzero(np.diff(buckets)) + 1, len(buckets)) if len(buckets) else np.empty(0, np.int64)
    begin = 0
    while begin < len(buckets):
        fitting = np.searchsorted(ends, begin + most, side="right") - 1
        end = int(ends[max(fitting, np.searchsorted(ends, begin, side="right"))])
        yield slice(begin, end)
        begin = end
