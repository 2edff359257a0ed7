"""Accounts: what went in equals what was kept, eliminated and failed, for every generation and operator.

`Accounts` counts one shard or, added up, a whole run. `incoming` comes from the number of roots and not from the
outcomes, so an outcome that got lost on the way makes `check` fail.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from evolray.errors import EvolrayError
from evolray.records import Eliminated, Outcome, Record

Fate = Literal["kept", "eliminated", "failed"]

DIGEST_RANGE = 2**256
RECORD_FIELDS = tuple(one.name for one in fields(Record))


@dataclass
class Usage:
    """Answered calls and their tokens, of one purpose."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, other: "Usage") -> None:
        self.calls += other.calls
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens


@dataclass
class Accounts:
    incoming: Counter[int] = field(default_factory=Counter)
    """generation -> how many went in"""
    outcomes: Counter[tuple[int, str, Fate, str]] = field(default_factory=Counter)
    """(generation, operator, fate, reason or cause) -> how many"""
    usage: dict[str, Usage] = field(default_factory=dict)
    """purpose -> calls and tokens of the answers that were used"""
    digest: int = 0
    """sum of the hashes of the kept rows, so that it does not depend on their order or on the shards"""

    def count(self, outcome: Outcome) -> None:
        self.tally(outcome)
        if isinstance(outcome, Record):
            self.digest = (self.digest + row_hash(outcome)) % DIGEST_RANGE

    def tally(self, outcome: Outcome) -> None:
        """Count without the digest: for progress."""
        fate: Fate
        if isinstance(outcome, Record):
            fate, why = "kept", ""
        elif isinstance(outcome, Eliminated):
            fate, why = "eliminated", outcome.reason
        else:
            fate, why = "failed", outcome.cause
        self.outcomes[outcome.generation, outcome.operator, fate, why] += 1

    def spend(self, purpose: str, usage: Usage) -> None:
        self.usage.setdefault(purpose, Usage()).add(usage)

    def add(self, other: "Accounts") -> None:
        self.incoming.update(other.incoming)
        self.outcomes.update(other.outcomes)
        for purpose, usage in other.usage.items():
            self.usage.setdefault(purpose, Usage()).add(usage)
        self.digest = (self.digest + other.digest) % DIGEST_RANGE

    def total(self, fate: Fate) -> int:
        return sum(number for (_, _, one, _), number in self.outcomes.items() if one == fate)

    def check(self) -> None:
        """Raises EvolrayError when a generation's outcomes are not as many as went into it."""
        counted: Counter[int] = Counter()
        for (generation, _, _, _), number in self.outcomes.items():
            counted[generation] += number
        for generation in sorted(self.incoming | counted):
            if self.incoming[generation] != counted[generation]:
                raise EvolrayError(
                    f"The accounts of generation {generation} do not balance: {self.incoming[generation]} went in, "
                    f"{counted[generation]} came out. This is a bug of evolray; the pool must not be used."
                )

    def by_generation(self) -> list[dict[str, Any]]:
        """Rows {generation, in, kept, eliminated: {reason: n}, failed: {cause: n}}, one per generation."""
        rows = _table(((generation, fate, why), n) for (generation, _, fate, why), n in self.outcomes.items())
        return [{"generation": key, "in": self.incoming[key], **rows.get(key, _row())} for key in sorted(self.incoming)]

    def by_operator(self) -> list[dict[str, Any]]:
        """The same rows by operator."""
        rows = _table(((operator, fate, why), n) for (_, operator, fate, why), n in self.outcomes.items())
        return [{"operator": key, "in": _sum(row), **row} for key, row in sorted(rows.items())]

    def to_json(self) -> dict[str, Any]:
        return {
            "incoming": sorted(self.incoming.items()),
            "outcomes": sorted([*key, number] for key, number in self.outcomes.items()),
            "usage": {purpose: vars(usage) for purpose, usage in sorted(self.usage.items())},
            "digest": f"{self.digest:064x}",
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Accounts":
        return cls(
            Counter({generation: number for generation, number in data["incoming"]}),
            Counter({(g, operator, fate, why): number for g, operator, fate, why, number in data["outcomes"]}),
            {purpose: Usage(**usage) for purpose, usage in data["usage"].items()},
            int(data["digest"], 16),
        )


def row_hash(record: Record) -> int:
    """SHA-256 over every field."""
    values = repr([getattr(record, name) for name in RECORD_FIELDS])
    return int.from_bytes(hashlib.sha256(values.encode("utf-8", "surrogatepass")).digest(), "big")


def _row() -> dict[str, Any]:
    return {"kept": 0, "eliminated": {}, "failed": {}}


def _table(counts: Iterable[tuple[tuple[Any, Fate, str], int]]) -> dict[Any, dict[str, Any]]:
    rows: dict[Any, dict[str, Any]] = {}
    for (key, fate, why), number in sorted(counts):
        row = rows.setdefault(key, _row())
        if fate == "kept":
            row["kept"] += number
        else:
            row[fate][why] = row[fate].get(why, 0) + number
    return rows


def _sum(row: dict[str, Any]) -> int:
    return int(row["kept"] + sum(row["eliminated"].values()) + sum(row["failed"].values()))
