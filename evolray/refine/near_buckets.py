"""Who resembles whom among records that share the hash of a band: arrays in, pairs out, no files.

In each bucket the first record, in the order in which records are kept, is compared with all others; those that
resemble it leave with a pair (leader, member), the rest go on without the leader until nobody is left. All buckets take
a turn at once. So a bucket of a million texts that resemble each other costs a million comparisons, not their square;
only records that share a band and do not resemble each other are all compared.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

PAIR = np.dtype([("pair", np.uint64), ("matches", np.uint16)])
"""`pair`: the member's rank in its upper, the leader's in its lower 32 bits, so that pairs sort by member."""
Pairs = npt.NDArray[np.void]

_AT_ONCE = 1 << 15  # pairs whose signatures are held for a comparison
_LOWER = np.uint64(0xFFFFFFFF)
_UPPER = np.uint64(32)


@dataclass(frozen=True)
class Members:
    """Records by the bucket they are in. All arrays have one entry per member, buckets one after the other.

    `ranks` grow within a bucket. `roots` is None when a lineage is compared within itself, too. `fresh`: where not
    None, pairs without a fresh member have been compared before.
    """

    ranks: Rows
    buckets: Rows
    signatures: Signatures
    roots: npt.NDArray[np.uint64] | None = None
    fresh: Mask | None = None


def find_pairs(members: Members, needed: int) -> tuple[Pairs, Mask]:
    """The pairs with at least `needed` equal values, and which members have no leader."""
    alone = np.ones(len(members.ranks), np.bool_)
    found: list[Pairs] = []
    at = np.arange(len(members.ranks))
    while len(at):
        firsts = np.flatnonzero(np.diff(members.buckets[at], prepend=-1))
        leaders = np.repeat(at[firsts], np.diff(firsts, append=len(at)))
        follows = leaders != at
        leaders, at = leaders[follows], at[follows]
        matches = _matches(members, leaders, members, at)
        alike = matches >= needed
        found.append(pairs_of(members.ranks[leaders[alike]], members.ranks[at[alike]], matches[alike]))
        alone[at[alike]] = False
        at = at[~alike]
    return join(found), alone


def find_followers(leaders: Members, members: Members, needed: int) -> tuple[Pairs, Mask]:
    """For one bucket that is too large to be held at once: what `find_pairs` does with leaders found before."""
    found: list[Pairs] = []
    at = np.arange(len(members.ranks))
    for leader in range(len(leaders.ranks)):
        matches = _matches(leaders, np.full(len(at), leader), members, at)
        alike = matches >= needed
        ranks = np.full(int(alike.sum()), leaders.ranks[leader])
        found.append(pairs_of(ranks, members.ranks[at[alike]], matches[alike]))
        at = at[~alike]
    alone = np.zeros(len(members.ranks), np.bool_)
    alone[at] = True
    return join(found), alone


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


def _matches(first: Members, firsts: Rows, second: Members, seconds: Rows) -> npt.NDArray[np.uint16]:
    """How many values are equal in the signatures of firsts[n] and seconds[n]; 0 for what may be no pair."""
    wanted = np.ones(len(firsts), np.bool_)
    if first.roots is not None and second.roots is not None:
        wanted &= first.roots[firsts] != second.roots[seconds]
    if first.fresh is not None and second.fresh is not None:
        wanted &= first.fresh[firsts] | second.fresh[seconds]
    counts = np.zeros(len(firsts), np.uint16)
    places = np.flatnonzero(wanted)
    for begin in range(0, len(places), _AT_ONCE):
        part = places[begin : begin + _AT_ONCE]
        equal = first.signatures.take(firsts[part], axis=0) == second.signatures.take(seconds[part], axis=0)
        counts[part] = np.einsum("pv->p", equal.view(np.uint8), dtype=np.uint16)  # faster than count_nonzero by rows
    return counts
