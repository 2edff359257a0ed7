"""What became of every record of a run, read shard by shard: the rows behind lineages and examples.

A run of evolve keeps its outcomes in pool/, eliminated/ and failed/; a refine run has the records of its mix in pool/
and all others in dropped/. Both are read as Arrow tables, one shard at a time; rows become objects only where someone
wants to show them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.shards import ELIMINATED, FAILED, POOL, read_table

Stage = Literal["evolve", "refine"]
Fate = Literal["kept", "eliminated", "failed", "dropped"]

KINDS: dict[Stage, dict[str, Fate]] = {
    "evolve": {POOL: "kept", ELIMINATED: "eliminated", FAILED: "failed"},
    "refine": {POOL: "kept", "dropped": "dropped"},
}
WHY: dict[Fate, tuple[str, str]] = {
    "kept": ("", ""), "eliminated": ("reason", ""), "failed": ("cause", "message"), "dropped": ("reason", "detail"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt of a lineage. `source` is "" but in refine runs; `why` a reason, `message` the same for people."""

    source: str
    root_id: str
    id: str
    parent_id: str
    generation: int
    fate: Fate
    operator: str
    variant: str = ""
    why: str = ""
    message: str = ""
    instruction: str = ""
    response: str = ""
    context: tuple[tuple[str, str], ...] = ()
    teacher: str = ""
    difficulty: int | None = None
    skills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shard:
    number: int
    tables: dict[Fate, pa.Table]


def read_shards(folder: Folder, stage: Stage) -> Iterator[Shard]:
    """The finished shards, one at a time."""
    for number in shards_in(folder, POOL):
        names = {fate: shard_name(kind, number) for kind, fate in KINDS[stage].items()}
        yield Shard(number, {fate: read_table(folder, name) for fate, name in names.items() if folder.exists(name)})


def roots_of(table: pa.Table) -> Sequence[tuple[str, str]]:
    """(source, root id) of every row: what names a lineage."""
    roots = table["root_id"].to_pylist()
    return list(zip(table["source"].to_pylist() if _has_sources(table) else [""] * len(roots), roots, strict=True))


def rows_of(table: pa.Table, fate: Fate, rows: Sequence[int]) -> list[Outcome]:
    """Some of a table's rows, as objects."""
    chosen = table.take(pa.array(rows, pa.int64())).to_pylist()
    with_source = _has_sources(table)
    return [_outcome(row, fate, with_source) for row in chosen]


def _has_sources(table: pa.Table) -> bool:
    """A refine run's tables say which pool a record came from; in failed/ the column names a seed file instead."""
    return "source" in table.column_names and "line" not in table.column_names


def _outcome(row: dict[str, Any], fate: Fate, with_source: bool) -> Outcome:
    why, message = WHY[fate]
    return Outcome(
        source=row["source"] if with_source else "",
        root_id=row["root_id"],
        id=row["id"],
        parent_id=row["parent_id"] or "",
        generation=row["generation"],
        fate=fate,
        operator=row["operator"],
        variant=row.get("variant") or "",
        why=row.get(why) or "",
        message=row.get(message) or "",
        instruction=row.get("instruction") or "",
        response=row.get("response") or "",
        context=tuple((turn["role"], turn["content"]) for turn in row.get("context") or ()),
        teacher=row.get("teacher") or "",
        difficulty=row.get("difficulty"),
        skills=tuple(row.get("skills") or ()),
    )
