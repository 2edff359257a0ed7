"""Who was dropped as a duplicate of whom: the largest groups and the least similar pairs of clusters.parquet.

The file has a row per dropped record and may be large, so names are read first, and the texts of chosen rows after.
"""

import heapq
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.layout import Folder
from evolray.report.page.blocks import Table, whole
from evolray.report.texts import one_line

CLUSTERS = "clusters.parquet"
LARGEST, LEAST_SIMILAR = 10, 10
TEXT_CHARS = 220
BATCH_ROWS = 20_000


def tables(folder: Folder) -> list[Table]:
    """Nothing when the run has no duplicates."""
    if not folder.exists(CLUSTERS):
        return []
    with folder.open(CLUSTERS) as file:
        names = pq.read_table(file, columns=["kept_source", "kept", "kind"])
    if not names.num_rows:
        return []
    counts = names.group_by(["kept_source", "kept"], use_threads=False).aggregate([([], "count_all")])
    order = counts.sort_by([("count_all", "descending"), ("kept_source", "ascending"), ("kept", "ascending")])
    largest = {(one["kept_source"], one["kept"]): one["count_all"] for one in order.slice(0, LARGEST).to_pylist()}
    members: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in largest}
    nearest: list[tuple[float, int, dict[str, Any]]] = []
    for number, row in enumerate(_rows(folder)):
        key = row["kept_source"], row["kept"]
        if key in members and len(members[key]) < 2:
            members[key].append(row)
        if row["kind"] == "near_duplicate":
            item = (-row["similarity"], -number, row)
            (heapq.heappush if len(nearest) < LEAST_SIMILAR else heapq.heappushpop)(nearest, item)
    pairs = [row for _, _, row in sorted(nearest, key=lambda one: (-one[0], -one[1]))]
    return [_largest(largest, members, counts.num_rows), *([_least(pairs)] if pairs else [])]


def _rows(folder: Folder) -> Iterator[dict[str, Any]]:
    with folder.open(CLUSTERS) as file:
        for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
            yield from pa.Table.from_batches([batch]).to_pylist()


def _largest(
    largest: dict[tuple[str, str], int], members: dict[tuple[str, str], list[dict[str, Any]]], groups: int
) -> Table:
    rows = [
        [whole(number), one_line(members[key][0]["kept_text"], TEXT_CHARS),
         " / ".join(one_line(row["dropped_text"], TEXT_CHARS) for row in members[key][:1]),
         f"{members[key][0]['similarity']:.2f}", _named(key)]
        for key, number in largest.items()
    ]  # fmt: skip
    columns = ["dropped", "the record that stays", "one of those dropped for it", "similarity", "id"]
    caption = f"The largest of {groups:,} groups: how many records were dropped for the one that stays."
    return Table(caption, columns, rows, ids=columns[4:], long=columns[1:3])


def _least(pairs: list[dict[str, Any]]) -> Table:
    rows = [
        [f"{row['similarity']:.2f}", one_line(row["kept_text"], TEXT_CHARS), one_line(row["dropped_text"], TEXT_CHARS),
         _named((row["dropped_source"], row["dropped"]))]
        for row in pairs
    ]  # fmt: skip
    columns = ["similarity", "stays", "dropped", "id of the dropped"]
    caption = "The least similar pairs that still count as near-duplicates: would you have dropped these?"
    return Table(caption, columns, rows, ids=columns[3:], long=columns[1:3])


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]} {key[1]}".strip()
