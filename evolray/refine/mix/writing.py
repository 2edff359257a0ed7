"""The mix: for every shard of records, those that stay in pool/ and the others, each with its reason, in dropped/.

Rows keep the order in which they came in, so equal inputs give equal files. To shuffle them is the business of
whoever trains: `evolray train` does, from its own seed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import POOL, read_table
from evolray.records import record_id
from evolray.refine.duplicates.search import Duplicates
from evolray.refine.index import Index
from evolray.refine.reasons import REASONS, code
from evolray.refine.steps.step import Counts
from evolray.refine.tables import (
    DROPPED,
    DROPPED_SCHEMA,
    FEATURES,
    JUDGED,
    LEAKS,
    LEAKS_BY_EXECUTION,
    MIX_SCHEMA,
    RECORDS,
    RECORDS_SCHEMA,
    write_table,
)

COUNTED = ("source", "generation", "operator", "domain", "teacher", "difficulty")

# What is said of a record whose reason needs no more than its own columns; `{words}` is of the instruction.
DETAILS = {
    "generation": "generation {generation} was not selected",
    "operator": "operator {operator} was not selected",
    "domain": "domain {domain!r} was not selected",
    "no_response": "it has no response",
    "too_short": "its instruction has {words} words",
    "too_long": "its instruction has {words} words",
    "too_easy": "difficulty {difficulty}",
    "too_hard": "difficulty {difficulty}",
    "over_budget": "it fits, and the budget was spent on others",
}


@dataclass(frozen=True, eq=False)
class WriteMix:
    """Step over the shards of records. `firsts`: shard -> its first row.

    `reasons` (N,): the code of each row's reason, 0 in the mix. The other arrays have an entry for each copy: its row,
    ascending, and of the record that stays for it the root, generation and source; 24 bytes each.
    """

    firsts: dict[int, int]
    names: tuple[str, ...]
    reasons: npt.NDArray[np.uint8]
    copies: npt.NDArray[np.int64]
    roots: npt.NDArray[np.uint64]
    generations: npt.NDArray[np.int16]
    sources: npt.NDArray[np.int16]
    similarity: npt.NDArray[np.float32]

    def run(self, folder: Folder, shard: int) -> Counts:
        """pool/ comes last and says that the shard is done.

        Counts records, mix, dropped and tokens (of the mix), and by key: dropped:REASON, skill:NAME, and source:NAME,
        generation:2, operator:NAME, ... of the mix (COUNTED).
        """
        table = read_table(folder, shard_name(RECORDS, shard), RECORDS_SCHEMA.names)
        first = self.firsts[shard]
        codes = self.reasons[first : first + table.num_rows]
        judged = _by_row(folder, [JUDGED], shard)
        table = _with_scores(table, judged, first)
        features = read_table(folder, shard_name(FEATURES, shard), ["words", "tokens"])
        stays = codes == 0
        drops = np.flatnonzero(~stays)
        details = self._details(folder, shard, table.take(drops), features.take(drops), drops, judged)
        dropped = table.take(drops).append_column(DROPPED_SCHEMA.field("reason"), pa.array([*details[0]], pa.string()))
        dropped = dropped.append_column(DROPPED_SCHEMA.field("detail"), pa.array([*details[1]], pa.string()))
        mix = table.filter(pa.array(stays))
        write_table(folder, shard_name(DROPPED, shard), dropped.cast(DROPPED_SCHEMA))
        write_table(folder, shard_name(POOL, shard), mix)
        tokens = int(features["tokens"].to_numpy()[stays].sum())
        return _counts(mix, details[0]) | {"records": table.num_rows, "tokens": tokens}

    def _details(
        self,
        folder: Folder,
        shard: int,
        dropped: pa.Table,
        features: pa.Table,
        drops: npt.NDArray[np.int64],
        judged: dict[int, list[dict[str, Any]]],
    ) -> tuple[list[str], list[str]]:
        """Reason and detail of each dropped record."""
        first = self.firsts[shard]
        leaks = _by_row(folder, [LEAKS, LEAKS_BY_EXECUTION], shard)
        rows = dropped.select(["generation", "operator", "domain", "difficulty"]).to_pylist()
        reasons, details = [], []
        for row, own, words in zip((drops + first).tolist(), rows, features["words"].to_pylist(), strict=True):
            reason = REASONS[self.reasons[row]]
            reasons.append(reason)
            if reason in ("exact_duplicate", "near_duplicate"):
                details.append(self._copy(row))
            elif reason == "leak":
                details.append(_leak(leaks[row]))
            elif reason == "unjudged":
                details.append(_unjudged(judged[row]))
            else:
                details.append(DETAILS[reason].format(**own, words=words))
        return reasons, details

    def _copy(self, row: int) -> str:
        at = int(np.searchsorted(self.copies, row))
        kept = record_id(f"{int(self.roots[at]):016x}", int(self.generations[at]))
        of = self.names[self.sources[at]]
        if self.reasons[row] == code("exact_duplicate"):
            return f"the same as {kept} of {of}"
        return f"resembles {kept} of {of}: {self.similarity[at]:.2f}"


def write_mix(index: Index, reasons: npt.NDArray[np.uint8], duplicates: Duplicates) -> WriteMix:
    """The step, with as little of the index and the duplicates as it needs."""
    copies = np.flatnonzero(duplicates.kept >= 0)
    kept = duplicates.kept[copies]
    return WriteMix(
        dict(zip(index.shards, index.offsets[:-1].tolist(), strict=True)),
        index.names,
        reasons,
        copies,
        index.roots[kept],
        index.generations[kept],
        index.sources[kept],
        duplicates.similarity[copies],
    )


def by_key(counts: Counts) -> dict[str, dict[str, int]]:
    """{"operator": {"deepen": 7, ...}, ...} from the "operator:deepen" of `WriteMix.run`, the largest first."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for key, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        kind, colon, name = key.partition(":")
        if colon:
            found[kind][name] = number
    return dict(found)


def _with_scores(table: pa.Table, judged: dict[int, list[dict[str, Any]]], first: int) -> pa.Table:
    """The columns of the mix; null where the judge gave nothing."""
    empty = [{"difficulty": None, "skills": None}]
    scores = [judged.get(row, empty)[0] for row in range(first, first + table.num_rows)]
    for name in ("difficulty", "skills"):
        field = MIX_SCHEMA.field(name)
        table = table.append_column(field, pa.array([one[name] for one in scores], field.type))
    return table.cast(MIX_SCHEMA)


def _by_row(folder: Folder, kinds: Iterable[str], shard: int) -> dict[int, list[dict[str, Any]]]:
    """The rows of these files of a shard, as far as they are there, by the record they are about."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for kind in kinds:
        if folder.exists(shard_name(kind, shard)):
            for row in read_table(folder, shard_name(kind, shard)).to_pylist():
                found[row["row"]].append(row)
    return found


def _leak(leaks: list[dict[str, Any]]) -> str:
    """Names the item of which most was found."""
    worst = max(leaks, key=lambda leak: leak["score"])
    items = {(leak["benchmark"], leak["item"]) for leak in leaks}
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    how = f"{worst['kind']} {worst['score']:.2f}"
    return f"{worst['benchmark']} {worst['item']}{more}: {worst['where']}, {how}: {worst['evidence']}"


def _unjudged(judged: list[dict[str, Any]]) -> str:
    cause = next((f"{one['cause']}: {one['message']}" for one in judged if one["cause"]), "")
    return cause or "the judge was not asked about it"


def _counts(mix: pa.Table, reasons: list[str]) -> Counts:
    counts = Counter({"mix": mix.num_rows, "dropped": len(reasons)})
    counts.update(f"dropped:{reason}" for reason in reasons)
    for name in COUNTED:
        for entry in mix[name].value_counts().to_pylist():
            if entry["values"] is not None:
                counts[f"{name}:{entry['values']}"] += entry["counts"]
    counts.update(f"skill:{skill}" for skills in mix["skills"].to_pylist() for skill in skills or ())
    return dict(counts)
