"""The step that looks for benchmark items in the records of a run; `finder.py` says what counts as a leak."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evolray.config import ContaminationConfig
from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.refine.index import Index
from evolray.refine.leaks.finder import Leak, LeakFinder, check
from evolray.refine.leaks.items import Item
from evolray.refine.steps.step import Counts
from evolray.refine.tables import LEAKS, LEAKS_SCHEMA, RECORDS, write_rows
from evolray.refine.wanted import Wanted, pack, places

CHUNK_CHARS = 1_000_000  # looked at together: some 100 bytes of memory for each


@dataclass(frozen=True)
class FindLeaks:
    """Step: leaks/ from records/, of the rows that are `wanted`."""

    finder: LeakFinder
    wanted: Wanted

    def of(self, index: Index, mask: npt.NDArray[np.bool_]) -> "FindLeaks":
        """The same for the records whose rows are in the mask (N)."""
        return replace(self, wanted=pack(index, mask))

    def run(self, folder: Folder, shard: int) -> Counts:
        columns = ["id", "source", "instruction", "response", "context"]
        records = read_table(folder, shard_name(RECORDS, shard), columns).to_pylist()
        first, bits = self.wanted[shard]
        rows = places(bits, len(records)).tolist()
        leaks: list[dict[str, Any]] = []
        for chunk in _chunks(rows, records):
            instructions = [_instruction(records[row]) for row in chunk]
            responses = [records[row]["response"] or "" for row in chunk]
            for leak in self.finder.find(instructions, responses):
                row = chunk[leak.text]
                leaks.append(_leak_row(leak, first + row, records[row]))
        write_rows(folder, shard_name(LEAKS, shard), leaks, LEAKS_SCHEMA)
        leaking = Counter(benchmark for _, benchmark in {(leak["row"], leak["benchmark"]) for leak in leaks})
        counts = {"checked": len(rows), "leaks": len({leak["row"] for leak in leaks})}
        return counts | {f"leaks.{benchmark}": leaking[benchmark] for benchmark in sorted(leaking)}


def find_leaks(items: Sequence[Item], settings: ContaminationConfig) -> FindLeaks | None:
    """The step, about no record yet; None without items to look for. Raises UserError for settings out of range."""
    check(settings)
    return FindLeaks(LeakFinder(items, settings), {}) if items else None


def _instruction(record: dict[str, Any]) -> str:
    return "\n".join([*(turn["content"] or "" for turn in record["context"] or ()), record["instruction"]])


def _chunks(rows: Sequence[int], records: Sequence[dict[str, Any]]) -> Iterator[list[int]]:
    chunk: list[int] = []
    num_chars = 0
    for row in rows:
        chunk.append(row)
        num_chars += len(records[row]["instruction"]) + len(records[row]["response"] or "")
        if num_chars > CHUNK_CHARS:
            yield chunk
            chunk, num_chars = [], 0
    if chunk:
        yield chunk


def _leak_row(leak: Leak, row: int, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "row": row,
        "id": record["id"],
        "source": record["source"],
        "benchmark": leak.item.benchmark,
        "item": leak.item.id,
        "kind": leak.kind,
        "where": leak.where,
        "score": leak.score,
        "evidence": leak.evidence,
    }
