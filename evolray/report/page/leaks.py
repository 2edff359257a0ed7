"""Benchmark items that were found in records: how many by benchmark and kind, and each with its evidence."""

import heapq
from collections import defaultdict
from typing import Any

from evolray.pool.layout import Folder, shards_in
from evolray.pool.shards import read_table
from evolray.report.page.blocks import Table, whole, words
from evolray.report.texts import cut, one_line

FOLDERS = ("leaks", "leaks-by-execution")
MOST_ROWS = 200
EVIDENCE_CHARS = 300
SUMMARY = ["benchmark", "path", "items", "leaks"]


def tables(folder: Folder, benchmarks: list[dict[str, Any]]) -> list[Table]:
    """`benchmarks` as the run's manifest lists what was looked for. Nothing when nothing was."""
    records: dict[tuple[str, str], set[int]] = defaultdict(set)
    items: dict[str, set[str]] = defaultdict(set)
    best: list[tuple[float, str, str, int, int, dict[str, Any]]] = []
    number = 0
    for name in FOLDERS:
        for shard in shards_in(folder, name):
            for row in read_table(folder, f"{name}/{shard:05d}.parquet").to_pylist():
                records[row["benchmark"], row["kind"]].add(row["row"])
                items[row["benchmark"]].add(row["item"])
                item = (row["score"] or 0.0, row["benchmark"], row["item"], -row["row"], -number, row)
                (heapq.heappush if len(best) < MOST_ROWS else heapq.heappushpop)(best, item)
                number += 1
    known = {str(one.get("name", "")): one for one in benchmarks}
    kinds = sorted({kind for _, kind in records})
    names = sorted(known.keys() | items.keys())
    if not names:
        return []
    rows = [
        [words(name), whole((known.get(name) or {}).get("items", 0)) if name in known else "–", whole(len(items[name])),
         *(whole(len(records[name, kind])) for kind in kinds),
         whole(len(set().union(*(records[name, kind] for kind in kinds))))]
        for name in names
    ]  # fmt: skip
    columns = ["benchmark", "items", "items found", *(f"records by {words(kind)}" for kind in kinds), "records"]
    summary = Table("What was looked for, and found, by benchmark.", columns, rows, texts=columns[:1])
    return [summary, *([_evidence([one[-1] for one in sorted(best, reverse=True)], number)] if best else [])]


def _evidence(rows: list[dict[str, Any]], number: int) -> Table:
    rows.sort(key=lambda row: (row["benchmark"], -(row["score"] or 0.0), row["item"], row["row"]))
    cells = [
        [words(row["benchmark"]), one_line(row["item"], 60), row["kind"], row["where"], f"{row['score'] or 0.0:.2f}",
         cut(row["evidence"] or "", EVIDENCE_CHARS)[0], f"{row['source']} {row['id']}".strip()]
        for row in rows
    ]  # fmt: skip
    columns = ["benchmark", "item", "kind", "where", "score", "evidence", "record"]
    left = f" The {len(rows):,} surest of {number:,}; all of them are in leaks/." if number > len(rows) else ""
    return Table(f"Leaks, each with its evidence.{left}", columns, cells,
                 texts=["benchmark", "kind", "where"], long=["evidence"], ids=["item", "record"])  # fmt: skip
