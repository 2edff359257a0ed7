"""The lineages that a page holds: all of a small run, a seeded sample of a large one.

Every lineage has a random key of its own, from the seed and its root. Those with the smallest keys are taken as long as
their texts fit, so which ones they are depends neither on the order of the shards nor on their size. Memory holds what
is taken and one shard.
"""

import hashlib
import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from evolray.report.page.outcomes import Outcome, Shard, roots_of, rows_of
from evolray.report.texts import cut, one_line, visible

TITLE_CHARS = 110
OVERHEAD_CHARS = 120  # of an outcome beside its texts

Root = tuple[str, str]


def random_key(seed: int, *parts: str) -> int:
    """64 random bits that belong to the parts."""
    text = "\0".join([str(seed), *parts])
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@dataclass
class Lineage:
    """`outcomes` as they are written into the page: texts are visible and cut. `size` is in characters."""

    source: str
    root_id: str
    title: str = ""
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0

    def add(self, outcome: Outcome) -> None:
        row = to_row(outcome)
        if not self.title or outcome.generation < self.outcomes[0]["g"]:
            self.title = one_line(outcome.instruction or outcome.message, TITLE_CHARS)
        self.outcomes.append(row)
        self.outcomes.sort(key=lambda one: (one["g"], one["f"] != "kept"))
        self.size += len(row.get("i", "")) + len(row.get("r", "")) + len(row.get("m", "")) + OVERHEAD_CHARS

    def to_json(self) -> str:
        content = {"root": self.root_id, "source": self.source, "outcomes": self.outcomes}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def to_row(outcome: Outcome) -> dict[str, Any]:
    """Short names, and nothing that is empty: this is written many thousand times.

    g generation, p the parent's (-1: none), f fate, o operator, v variant, w why, m message, i instruction, r response,
    il and rl their lengths in characters where they were cut, c earlier turns, t teacher, d difficulty, s skills.
    """
    instruction, instruction_chars = cut(outcome.instruction)
    response, response_chars = cut(outcome.response)
    parent = outcome.parent_id.rpartition(".g")[2]
    row = {
        "o": visible(outcome.operator), "v": visible(outcome.variant), "w": visible(outcome.why),
        "m": cut(outcome.message)[0], "i": instruction, "il": instruction_chars, "r": response, "rl": response_chars,
        "c": [[visible(role), *cut(content)] for role, content in outcome.context], "t": visible(outcome.teacher),
        "d": outcome.difficulty, "s": [visible(skill) for skill in outcome.skills],
    }  # fmt: skip
    head = {"g": outcome.generation, "p": int(parent) if parent.isdecimal() else -1, "f": outcome.fate}
    return head | {name: value for name, value in row.items() if value}


class Sample:
    """Lineages with the smallest keys, `most_chars` of them at most."""

    def __init__(self, seed: int, most_chars: int) -> None:
        self._seed, self._most_chars = seed, most_chars
        self._taken: dict[Root, Lineage] = {}
        self._largest: list[tuple[int, Root]] = []  # a heap of negated keys
        self._chars = 0
        self._limit = 2**64  # keys from here on do not fit
        self._keys: list[npt.NDArray[np.uint64]] = []  # of all roots, 8 bytes each

    def add(self, shard: Shard) -> None:
        keys: dict[Root, int] = {}
        for fate, table in shard.tables.items():
            roots = roots_of(table)
            for root in roots:
                if root not in keys:
                    keys[root] = random_key(self._seed, *root)
            wanted = [row for row, root in enumerate(roots) if root[1] and keys[root] < self._limit]
            for outcome in rows_of(table, fate, wanted):
                root = (outcome.source, outcome.root_id)
                self._add(outcome, root, keys[root])
        self._keys.append(np.array([key for root, key in keys.items() if root[1]], np.uint64))

    def _add(self, outcome: Outcome, root: Root, key: int) -> None:
        if key >= self._limit:
            return
        if root not in self._taken:
            self._taken[root] = Lineage(visible(root[0]), visible(root[1]))
            heapq.heappush(self._largest, (-key, root))
        lineage = self._taken[root]
        before = lineage.size
        lineage.add(outcome)
        self._chars += lineage.size - before
        while self._chars > self._most_chars and len(self._taken) > 1:
            negated, dropped = heapq.heappop(self._largest)
            self._limit = -negated
            self._chars -= self._taken.pop(dropped).size

    def seen(self) -> int:
        """How many lineages there are in all; the records of one may lie in several shards."""
        return len(np.unique(np.concatenate(self._keys))) if self._keys else 0

    def lineages(self) -> Iterator[Lineage]:
        """From the smallest key on, so that the first so many are a sample, too."""
        for _, root in sorted(self._largest, reverse=True):
            yield self._taken[root]
