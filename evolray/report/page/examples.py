"""A few examples of every reason why records were eliminated or dropped.

Which ones is decided by a seed alone, and in the same way as the sample of lineages, so theirs are in the page, too.
"""

import heapq
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from evolray.report.page.lineages import random_key
from evolray.report.page.outcomes import WHY, Fate, Outcome, Shard, roots_of, rows_of

EXCERPT_CHARS = 1200


@dataclass(frozen=True)
class Example:
    """`parent`: the instruction it was evolved from, where it has one."""

    outcome: Outcome
    parent: str = ""


class Examples:
    """`counts` of (fate, why) over all shards that were added, and at most `number` examples of each."""

    def __init__(self, seed: int, number: int) -> None:
        self._seed, self._number = seed, number
        self._chosen: dict[tuple[Fate, str], list[tuple[int, str, Example]]] = {}
        self.counts: Counter[tuple[Fate, str]] = Counter()

    def add(self, shard: Shard) -> None:
        for fate, table in shard.tables.items():
            if fate != "kept":
                self._add(fate, table, shard.tables.get("kept"))

    def of(self, fate: Fate, why: str) -> list[Example]:
        return [example for _, _, example in sorted(self._chosen.get((fate, why), []), key=lambda one: one[:2])]

    def _add(self, fate: Fate, table: pa.Table, kept: pa.Table | None) -> None:
        whys, roots, ids = table[WHY[fate][0]].to_pylist(), roots_of(table), table["id"].to_pylist()
        self.counts.update((fate, why) for why in whys)
        for why in sorted(set(whys)):
            own = [(random_key(self._seed, *roots[row]), ids[row], row) for row, one in enumerate(whys) if one == why]
            best = heapq.nsmallest(self._number, own)
            outcomes = rows_of(table, fate, [row for _, _, row in best])
            parents = _texts(kept, [one.parent_id for one in outcomes]) if fate == "eliminated" else {}
            found = [
                (key, id, Example(outcome, parents.get(outcome.parent_id, "")))
                for (key, id, _), outcome in zip(best, outcomes, strict=True)
            ]
            before = self._chosen.get((fate, why), [])
            self._chosen[fate, why] = sorted([*before, *found], key=lambda one: one[:2])[: self._number]


def _texts(table: pa.Table | None, ids: list[str]) -> dict[str, str]:
    """The instructions of some records."""
    if table is None:
        return {}
    wanted = set(ids)
    rows = [row for row, id in enumerate(table["id"].to_pylist()) if id in wanted]
    return {one.id: one.instruction for one in rows_of(table, "kept", rows)}
