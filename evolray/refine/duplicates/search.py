"""Which records are dropped because they repeat another one, and which one that is.

Records are decided in one order for the whole run: the older generation first, then the id, then the source. A record
is dropped if one that stays, that comes before it and is of another lineage resembles it. That sentence has exactly one
solution, so the result is a function of the records alone: not of shards, workers, memory or who came first.

The search finds it in turns. The first compares all; within a bucket it leaves out what follows a leader. Where a
leader turns out to be dropped itself, those that followed it are fresh: unless another one that stays drops them, too,
they are compared with the rest of their buckets in the next turn. Pairs found once are remembered, so the turns end:
each but the last finds a new one. After them no two records that stay and share a band resemble each other.

Of records made from a template so many share a band that not all are compared (`near_buckets`). Then every turn is
like the first, among those that stay so far, until one finds nothing. The result is still the same for any shards,
workers and memory; a search among fewer records, which are less crowded, may find more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import Folder
from evolray.refine.duplicates import exact
from evolray.refine.duplicates.buckets import PAIR, SPLIT, Mask, Pairs, Rows, join, leaders_of, members_of
from evolray.refine.duplicates.pairs import FindPairs
from evolray.refine.duplicates.signatures import similarity
from evolray.refine.index import Index
from evolray.refine.reasons import code
from evolray.refine.steps.step import ShardStep
from evolray.refine.tables import array_name

RunUnits = Callable[[ShardStep, Iterable[int]], None]
"""Runs a step for all these numbers, wherever, and returns when all are done.

A step that is the same as in an earlier call may be left out where its files still lie: they do not depend on who was
asked. What a number stands for depends on the records, the settings and the memory allowed.
"""

_MERGED_AT_ONCE = 8  # files of pairs
_LOOP = 1 << 20  # pairs turned into Python's numbers at once


@dataclass(frozen=True, eq=False)
class Duplicates:
    """By row. `kept`: the row that stays for it, -1 for a row that stays. `kind`: the code of the reason, 0 for none.

    `similarity`: the estimate to the row that stays, 1 for exact copies, 0 for rows that stay.
    """

    kept: Rows
    similarity: npt.NDArray[np.float32]
    kind: npt.NDArray[np.uint8]
    turns: int = 0

    def stays(self) -> Mask:
        return self.kept < 0


def find_duplicates(
    folder: Folder, index: Index, config: NearDuplicatesConfig, memory_mb: int, run_units: RunUnits
) -> Duplicates:
    """From hashes/, and, if near-duplicates are wanted, signatures/ and bands/ of all shards."""
    order = index.order()
    kept = exact.find(folder, index, order)
    found = Duplicates(
        kept,
        similarity=(kept >= 0).astype(np.float32),
        kind=np.where(kept >= 0, code("exact_duplicate"), 0).astype(np.uint8),
    )
    return _near(folder, index, order, found, config, memory_mb, run_units) if config.enabled else found


def resolve(pairs: Pairs, records: int) -> Mask:
    """By rank, who stays: everyone but those with a leader that stays. `pairs` come by member."""
    stays = np.ones(records, np.bool_)
    answers = stays.data  # Python reads and sets single entries faster than through numpy
    for begin in range(0, len(pairs), _LOOP):
        part = pairs[begin : begin + _LOOP]
        for member, leader in zip(members_of(part).tolist(), leaders_of(part).tolist(), strict=True):
            if answers[leader]:  # it comes before the member, so it has been decided
                answers[member] = False
    return stays


def _near(
    folder: Folder,
    index: Index,
    order: Rows,
    found: Duplicates,
    config: NearDuplicatesConfig,
    memory_mb: int,
    run_units: RunUnits,
) -> Duplicates:
    by_rank = order.astype(np.int32)
    ranks = np.empty_like(by_rank)
    ranks[by_rank] = np.arange(len(by_rank), dtype=np.int32)
    candidates, fresh, pairs, turn = found.stays(), None, np.empty(0, PAIR), 0
    crowded = False
    while True:
        step = FindPairs(config, index, by_rank, ranks, candidates, fresh, turn, memory_mb)
        run_units(step, step.units)
        turn += 1
        known = len(pairs)
        pairs, were_split = _collect(folder, step, pairs)
        crowded |= were_split
        stays = resolve(pairs, len(index))
        follows = np.zeros(len(index), np.bool_)
        follows[members_of(pairs)] = True
        if len(pairs) == known or not (crowded or (stays & follows).any()):
            break
        candidates = found.stays() & stays[ranks]
        fresh = None if crowded else (stays & follows)[ranks]
    return _decided(found, pairs, stays, order, config.permutations, turn)


def _collect(folder: Folder, step: FindPairs, pairs: Pairs) -> tuple[Pairs, bool]:
    """What was known, and what the units found; and whether a bucket was split."""
    units = list(step.units)
    for begin in range(0, len(units), _MERGED_AT_ONCE):
        parts = [pairs]
        for unit in units[begin : begin + _MERGED_AT_ONCE]:
            with folder.open(array_name(step.files, unit)) as file:
                parts.append(np.lib.format.read_array(file, allow_pickle=False))
        pairs = join(parts)
    real = pairs["pair"] != SPLIT["pair"][0]
    return pairs[real], not real.all()


def _decided(found: Duplicates, pairs: Pairs, stays: Mask, order: Rows, permutations: int, turns: int) -> Duplicates:
    """Each dropped record goes with the one, of those that stay, that it resembles most; of equals, the first."""
    pairs = pairs[stays[leaders_of(pairs)]]
    best = np.lexsort((leaders_of(pairs), -pairs["matches"].astype(np.int64), members_of(pairs)))
    pairs = pairs[best]
    pairs = pairs[np.diff(members_of(pairs), prepend=-1) != 0]
    members = order[members_of(pairs)]
    kept, similar, kind = found.kept.copy(), found.similarity.copy(), found.kind.copy()
    kept[members] = order[leaders_of(pairs)]
    similar[members] = similarity(pairs["matches"], permutations)
    kind[members] = code("near_duplicate")
    # Copies of a record that was dropped now resemble the one that stays for it.
    copies = np.flatnonzero(found.kept >= 0)
    copies = copies[kept[found.kept[copies]] >= 0]
    originals = found.kept[copies]
    kept[copies], similar[copies], kind[copies] = kept[originals], similar[originals], code("near_duplicate")
    return Duplicates(kept, similar, kind, turns)
