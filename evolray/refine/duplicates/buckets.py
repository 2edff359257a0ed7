"""Who resembles whom among records that share the hash of a band: arrays in, pairs out, no files.

In each bucket the first record, in the order in which records are kept, is compared with all others; those that
resemble it leave with a pair (leader, member), the rest go on without the leader until nobody is left. All buckets take
a turn at once. So a bucket of a million texts that resemble each other costs a million comparisons, not their square.

Records that share a band and do not resemble each other would all be compared, and texts made from one template fill
such buckets by the thousand. A bucket that is still crowded after `PATIENCE` leaders is therefore split by one more
value of the signatures, again and again, as a longer band would: pairs close to the threshold are missed there more
often, those well above it hardly ever. Whether a bucket was split is said by `SPLIT` among the pairs.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

PAIR = np.dtype([("pair", np.uint64), ("matches", np.uint16)])
"""`pair`: the member's rank in its upper, the leader's in its lower 32 bits, so that pairs sort by member."""
Pairs = npt.NDArray[np.void]

PATIENCE = 32  # leaders
CROWDED = 512  # members
_AT_ONCE = 1 << 15  # pairs whose signatures are held for a comparison
_LOWER = np.uint64(0xFFFFFFFF)
_UPPER = np.uint64(32)


@dataclass(frozen=True)
class Members:
    """Records by the bucket they are in. All arrays have one entry per member, buckets one after the other.

    `ranks` grow within a bucket. `roots` is None when a lineage is compared within itself, too. `fresh`: where not
    None, pairs without a fresh member have been compared before. `next_value`: of the signatures, the one by which a
    crowded bucket is split first.
    """

    ranks: Rows
    buckets: Rows
    signatures: Signatures
    roots: npt.NDArray[np.uint64] | None = None
    fresh: Mask | None = None
    next_value: int = 0


def find_pairs(members: Members, needed: int) -> Pairs:
    """The pairs with at least `needed` equal values."""
    found: list[Pairs] = []
    at, buckets = np.arange(len(members.ranks)), members.buckets
    splits = 0
    for turn in count(1):
        firsts = np.flatnonzero(np.diff(buckets, prepend=-1))
        leaders = np.repeat(at[firsts], np.diff(firsts, append=len(at)))
        follows = leaders != at
        leaders, at, buckets = leaders[follows], at[follows], buckets[follows]
        if not len(at):
            return join(found)
        matches = _matches(members, leaders, at)
        alike = matches >= needed
        if members.roots is not None:
            alike[alike] = members.roots[leaders[alike]] != members.roots[at[alike]]
        found.append(pairs_of(members.ranks[leaders[alike]], members.ranks[at[alike]], matches[alike]))
        at, buckets = at[~alike], buckets[~alike]
        if turn % PATIENCE == 0 and splits < members.signatures.shape[1] and is_crowded(buckets).any():
            value = (members.next_value + splits) % members.signatures.shape[1]
            order, buckets = split(buckets, is_crowded(buckets), members.signatures[at, value])
            at, splits = at[order], splits + 1
            found.append(SPLIT)
    raise AssertionError("unreachable")


def is_crowded(buckets: Rows) -> Mask:
    """For each member whether its bucket has too many."""
    firsts = np.flatnonzero(np.diff(buckets, prepend=-1))
    sizes = np.diff(firsts, append=len(buckets))
    return np.repeat(sizes > CROWDED, sizes)


def split(buckets: Rows, wanted: Mask, values: npt.NDArray[np.uint8]) -> tuple[Rows, Rows]:
    """An order of the members that puts equal values of a wanted bucket together, and the buckets in that order."""
    keys = buckets * 256 + np.where(wanted, values, 0)
    order = np.argsort(keys, kind="stable")  # within a bucket, ranks go on growing
    return order, np.cumsum(np.diff(keys[order], prepend=-1) != 0)


def pairs_of(leaders: Rows, members: Rows, matches: npt.NDArray[np.uint16]) -> Pairs:
    found = np.empty(len(leaders), PAIR)
    found["pair"] = members.astype(np.uint64) << _UPPER | leaders.astype(np.uint64)
    found["matches"] = matches
    return found


def leaders_of(pairs: Pairs) -> Rows:
    return (pairs["pair"] & _LOWER).astype(np.int64)


def members_of(pairs: Pairs) -> Rows:
    return (pairs["pair"] >> _UPPER).astype(np.int64)


def join(found: list[Pairs]) -> Pairs:
    """All pairs once, by member and leader."""
    together = np.concatenate([np.empty(0, PAIR), *found])
    _, firsts = np.unique(together["pair"], return_index=True)
    return together[firsts]


def _matches(members: Members, firsts: Rows, seconds: Rows) -> npt.NDArray[np.uint16]:
    """How many values are equal in the signatures of firsts[n] and seconds[n]; 0 for pairs compared before."""
    counts = np.zeros(len(firsts), np.uint16)
    fresh = members.fresh
    places = np.arange(len(firsts)) if fresh is None else np.flatnonzero(fresh[firsts] | fresh[seconds])
    for begin in range(0, len(places), _AT_ONCE):
        part = places[begin : begin + _AT_ONCE]
        equal = members.signatures.take(firsts[part], axis=0) == members.signatures.take(seconds[part], axis=0)
        counts[part] = np.einsum("pv->p", equal.view(np.uint8), dtype=np.uint16)  # faster than count_nonzero by rows
    return counts


SPLIT = pairs_of(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.uint16))
"""No pair: says that a bucket was split."""
