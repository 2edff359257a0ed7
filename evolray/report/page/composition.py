"""Who is in a refine run's mix: counts before and after, by generation, operator, domain, source, difficulty, skill."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evolray.report.page.blocks import Table, percent, whole, words
from evolray.report.page.outcomes import Shard

COLUMNS = ("source", "generation", "operator", "domain", "difficulty", "skills")
MOST_ROWS = 40  # of one table; the rest is one row


class Composition:
    """Counts only; nothing grows with the number of records. `before` is what came in, `after` what is in the mix."""

    def __init__(self) -> None:
        self.before: dict[str, Counter[Any]] = {name: Counter() for name in COLUMNS}
        self.after: dict[str, Counter[Any]] = {name: Counter() for name in COLUMNS}

    def add(self, shard: Shard) -> None:
        for fate, table in shard.tables.items():
            for name in COLUMNS:
                counts = _counts(table, name)
                self.before[name].update(counts)
                if fate == "kept":
                    self.after[name].update(counts)

    @property
    def records(self) -> int:
        return self.before["generation"].total()

    @property
    def in_mix(self) -> int:
        return self.after["generation"].total()

    def table(self, name: str) -> Table | None:
        """None where there is nothing to compare: no value, or a single one."""
        before, after = self.before[name], self.after[name]
        if not before or (len(before) == 1 and name not in ("difficulty", "skills")):
            return None
        numeric = name in ("generation", "difficulty")
        values = sorted(before, key=lambda value: value if numeric else (-before[value], value))
        shown, rest = values[:MOST_ROWS], values[MOST_ROWS:]
        rows = [_row(_name(value, numeric), before[value], after[value], self) for value in shown]
        if rest:
            others = sum(before[one] for one in rest), sum(after[one] for one in rest)
            rows.append(_row(f"{len(rest):,} others", *others, self))
        note = " A record has up to three skills." if name == "skills" else ""
        columns = [name.removesuffix("s"), "came in", "share", "in the mix", "share of the mix", "kept %"]
        caption = f"Records by {name.removesuffix('s')}, before and after.{note}"
        return Table(caption, columns, rows, texts=columns[:1], is_folded=True)


def _row(name: str, before: int, after: int, whole_run: Composition) -> list[str]:
    shares = percent(before, whole_run.records), percent(after, whole_run.in_mix)
    return [name, whole(before), shares[0], whole(after), shares[1], percent(after, before)]


def _name(value: Any, numeric: bool) -> str:
    return str(value) if numeric else words(str(value)) or "(none)"


def _counts(table: pa.Table, name: str) -> Counter[Any]:
    if name not in table.column_names:
        return Counter()
    column = table[name]
    if pa.types.is_list(column.type):
        column = pc.list_flatten(column)
    pairs = pc.value_counts(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).to_pylist()
    return Counter({one["values"]: one["counts"] for one in pairs if one["values"] is not None})
