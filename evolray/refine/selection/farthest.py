"""Diversity by distance: always the record next that is least similar to all that are chosen.

Greedy k-center (Sener and Savarese, Active Learning for Convolutional Neural Networks, 2018, §4): no candidate is left
farther from the chosen ones than about twice what the best choice of as many would leave. Its price is up to one
comparison per candidate and chosen record.

Exact, not sampled, and yet seldom a pass over all: similarities to the chosen only grow, so a candidate whose old one
is already higher than another's current one needs no update. A working set of the least similar is kept up to date,
and the others when that set holds no answer any more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

WORKING_SET = 2_048  # candidates
CHUNK = 8_192  # candidates, or chosen ones, compared at once


def farthest_first(
    vectors: Vectors,
    order: npt.NDArray[np.int64],
    turns: Sequence[int] | npt.NDArray[np.integer],
    groups: npt.NDArray[np.integer],
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[int]:
    """Positions, one per turn: of the group whose turn it is, the one least similar to all that came before.

    `vectors`: (M, dimensions), of length 1. `order`: all M positions; the first of those equally far is taken, and
    so the very first. `turns`: numbers of groups, none more often than it has members. `groups`: (M).
    """
    by_group = order[np.argsort(groups[order], kind="stable")]
    limits = np.searchsorted(groups[by_group], np.arange(int(groups.max(initial=-1)) + 2))
    members = [_Group(vectors, by_group[start:end]) for start, end in pairwise(limits)]
    chosen: list[int] = []
    for turn in turns:
        at = members[int(turn)].take(chosen)
        chosen.append(at)
        progress(len(chosen))
        yield at


@dataclass
class _Group:
    """Candidates of a group, and for each the highest similarity to the first `seen` of those chosen.

    Those of the working set, places among the members, are up to date with the first `seen_here`. No candidate
    outside of it is less similar than `floor`.
    """

    vectors: Vectors
    members: npt.NDArray[np.int64]
    seen: int = 0
    seen_here: int = 0
    floor: float = -np.inf
    working: npt.NDArray[np.int64] = field(default_factory=lambda: np.array([], np.int64))

    def __post_init__(self) -> None:
        self.nearest = np.full(len(self.members), -np.inf, np.float32)
        self.taken = np.zeros(len(self.members), np.bool_)
        self.here = self.nearest[self.working]
        self.vectors_here = self.vectors[self.members[self.working]]

    def take(self, chosen: list[int]) -> int:
        """The position of the least similar member, which is no candidate from now on."""
        self._raise(self.here, self.vectors_here, chosen[self.seen_here :])
        self.seen_here = len(chosen)
        if not self.here.min(initial=np.inf) < self.floor:
            self._refill(chosen)
        best = int(np.argmin(self.here))
        place = int(self.working[best])
        self.taken[place] = True
        self.here[best] = np.inf
        return int(self.members[place])

    def _refill(self, chosen: list[int]) -> None:
        """Bring all up to date, and make the least similar ones the new working set."""
        left = np.flatnonzero(~self.taken)
        for start in range(0, len(left), CHUNK):
            places = left[start : start + CHUNK]
            nearest = self.nearest[places]
            self._raise(nearest, self.vectors[self.members[places]], chosen[self.seen :])
            self.nearest[places] = nearest
        self.seen = len(chosen)
        order = left[np.argsort(self.nearest[left], kind="stable")]
        # In the members' order, so that the first of several minima is the first of them.
        self.working = np.sort(order[:WORKING_SET])
        self.here = self.nearest[self.working]
        self.vectors_here = self.vectors[self.members[self.working]]
        outside = order[WORKING_SET:]
        self.floor = float(self.nearest[outside[0]]) if len(outside) else np.inf

    def _raise(self, nearest: Vectors, mine: Vectors, new: list[int]) -> None:
        """The similarities of some candidates, in place, by those newly chosen."""
        for start in range(0, len(new) if len(mine) else 0, CHUNK):
            similar = mine @ self.vectors[new[start : start + CHUNK]].T
            np.maximum(nearest, similar.max(axis=1), out=nearest)
