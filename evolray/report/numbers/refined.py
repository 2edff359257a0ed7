"""What lies on disk of a refine run, as small tables for figures.

Column by column and shard by shard, as with an evolve run. The files are those that evolray/refine/tables.py
describes; what a step that was not asked for would have written is missing, and its numbers are empty.
"""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder, shard_name, shards_in
from evolray.pool.shards import POOL, read_table
from evolray.report.numbers.evolved import READERS, REFINE, counts_by, read_config, stage_of

RECORDS, FEATURES, JUDGED, DROPPED = "records", "features", "judged", "dropped"
LEAKS = ("leaks", "leaks-by-execution")
CLUSTERS, SEVERAL = "clusters.parquet", "several"
BY = ("generation", "operator", "domain", "source")
MEASURED = ("words", "constraints", "steps")
SIMILARITIES = 100  # bins from 0 to 1


@dataclass
class RefineNumbers:
    """A refine run in numbers.

    `before` and `after` count records by generation, operator, domain and source: all that came in, and the mix.
    `measured[feature][generation]` counts the values of words, constraints and steps among all that came in.
    `difficulty` and `difficulty_of_mix` have [generation][score], `difficulty_by_operator` [operator][score].
    `drops` counts by source and reason. `similarity` counts near-duplicates in hundredths, `sizes` clusters by the
    number of their records. `leaks[benchmark, kind]` counts records, each once per benchmark: where several kinds of
    search found it, the kind is "several". `items[benchmark]` are the items found.
    """

    run: str
    records: int = 0
    mix: int = 0
    before: dict[str, Counter[Any]] = field(default_factory=dict)
    after: dict[str, Counter[Any]] = field(default_factory=dict)
    measured: dict[str, dict[int, Counter[int]]] = field(default_factory=dict)
    difficulty: dict[int, Counter[int]] = field(default_factory=dict)
    difficulty_of_mix: dict[int, Counter[int]] = field(default_factory=dict)
    difficulty_by_operator: dict[str, Counter[int]] = field(default_factory=dict)
    skills: dict[str, Counter[str]] = field(default_factory=dict)
    """judged and mix: how many records each skill was named for"""
    drops: Counter[tuple[str, str]] = field(default_factory=Counter)
    exact: int = 0
    similarity: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    leaks: Counter[tuple[str, str]] = field(default_factory=Counter)
    items: dict[str, set[str]] = field(default_factory=dict)
    threshold: float | None = None
    """From which similarity on records were near-duplicates; None where they were not looked for."""
    is_simulated: bool = False
    """The judge."""
    benchmarks: tuple[str, ...] = ()
    """What leaks were looked for of."""

    def add(self, other: "RefineNumbers") -> None:
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Counter | dict):
                _add(mine, theirs)
            elif one.name in ("records", "mix", "exact"):
                setattr(self, one.name, mine + theirs)


def _add(mine: dict[Any, Any], theirs: dict[Any, Any]) -> None:
    for key, value in theirs.items():
        if isinstance(value, dict):
            _add(mine.setdefault(key, type(value)()), value)
        elif isinstance(value, set):
            mine.setdefault(key, set()).update(value)
        else:
            mine[key] = mine.get(key, 0) + value


def read_refined(run: "str | RefineNumbers") -> RefineNumbers:
    """Raises UserError when there is no refine run at `run`."""
    if isinstance(run, RefineNumbers):
        return run
    if stage_of(run) != REFINE:
        raise UserError(f"run={run} is a run of evolve; this figure is one of a refine run.")
    folder = open_folder(run)
    found = RefineNumbers(folder.url)
    config = read_config(folder)
    near = config.get("near_duplicates") or {}
    found.threshold = float(near["threshold"]) if near.get("enabled", True) and "threshold" in near else None
    found.benchmarks = tuple((config.get("contamination") or {}).get("benchmarks") or ())
    found.is_simulated = (config.get("judge") or {}).get("kind") == "simulated"
    shards = shards_in(folder, RECORDS)
    offsets = _offsets(folder, shards)
    with ThreadPoolExecutor(READERS) as readers:
        for part in readers.map(lambda at: _read_incoming(folder, shards[at], offsets[at]), range(len(shards))):
            found.add(part)
        for read in (_read_mix, _read_dropped, _read_leaks):
            for part in readers.map(partial(read, folder), shards):
                found.add(part)
    if folder.exists(CLUSTERS):
        _read_clusters(found, folder)
    return found


def _offsets(folder: Folder, shards: list[int]) -> list[int]:
    """Each shard's first row in the run, from the footers."""

    def rows(shard: int) -> int:
        with folder.open(shard_name(RECORDS, shard)) as file:
            return int(pq.read_metadata(file).num_rows)

    with ThreadPoolExecutor(READERS) as readers:
        return list(accumulate(readers.map(rows, shards), initial=0))


def _read_incoming(folder: Folder, shard: int, offset: int) -> RefineNumbers:
    records = read_table(folder, shard_name(RECORDS, shard), list(BY))
    part = RefineNumbers(folder.url, records.num_rows, before=_composition(records))
    if (features := _read(folder, FEATURES, shard, list(MEASURED))) is not None:
        part.measured = {name: counts_by(records["generation"], features[name]) for name in MEASURED}
    if (judged := _read(folder, JUDGED, shard, ["row", "difficulty", "skills"])) is not None:
        theirs = records.take(pc.subtract(judged["row"], offset))
        part.difficulty = counts_by(theirs["generation"], judged["difficulty"])
        part.difficulty_by_operator = counts_by(theirs["operator"], judged["difficulty"])
        part.skills = {"judged": _skills(judged)}
    return part


def _read_mix(folder: Folder, shard: int) -> RefineNumbers:
    mix = _read(folder, POOL, shard, [*BY, "difficulty", "skills"])
    if mix is None:
        return RefineNumbers(folder.url)
    difficulty = counts_by(mix["generation"], mix["difficulty"])
    return RefineNumbers(
        folder.url,
        mix=mix.num_rows,
        after=_composition(mix),
        difficulty_of_mix=difficulty,
        skills={"mix": _skills(mix)},
    )


def _read_dropped(folder: Folder, shard: int) -> RefineNumbers:
    part = RefineNumbers(folder.url)
    if (table := _read(folder, DROPPED, shard, ["source", "reason"])) is not None:
        for row in table.group_by(["source", "reason"]).aggregate([([], "count_all")]).to_pylist():
            part.drops[row["source"], row["reason"]] = row["count_all"]
    return part


def _read_leaks(folder: Folder, shard: int) -> RefineNumbers:
    part, kinds = RefineNumbers(folder.url), dict[tuple[int, str], set[str]]()
    for name in LEAKS:
        if (table := _read(folder, name, shard, ["row", "benchmark", "item", "kind"])) is not None:
            for row in table.group_by(["row", "benchmark", "item", "kind"]).aggregate([]).to_pylist():
                kinds.setdefault((row["row"], row["benchmark"]), set()).add(row["kind"])
                part.items.setdefault(row["benchmark"], set()).add(row["item"])
    for (_, benchmark), found in kinds.items():
        part.leaks[benchmark, found.pop() if len(found) == 1 else SEVERAL] += 1
    return part


def _read(folder: Folder, kind: str, shard: int, columns: list[str]) -> pa.Table | None:
    """None where the step has not been that far."""
    name = shard_name(kind, shard)
    return read_table(folder, name, columns) if folder.exists(name) else None


def _read_clusters(found: RefineNumbers, folder: Folder) -> None:
    """By row groups, since the file is of the whole run; sizes come from hashes of who was kept."""
    kept: list[npt.NDArray[np.uint64]] = []
    with folder.open(CLUSTERS) as file:
        columns = ["kept", "kept_source", "kind", "similarity"]
        for batch in pq.ParquetFile(file).iter_batches(columns=columns, batch_size=100_000):
            near = pc.equal(batch["kind"], "near_duplicate")
            values = batch["similarity"].filter(near).to_numpy(zero_copy_only=False)
            bins = np.clip((values.astype(np.float64) * SIMILARITIES + 1e-4).astype(np.int64), 0, SIMILARITIES - 1)
            found.similarity.update(
                dict(zip(*(one.tolist() for one in np.unique(bins, return_counts=True)), strict=True))
            )
            found.exact += len(batch) - len(values)
            names = pc.binary_join_element_wise(batch["kept_source"], batch["kept"], "\0")
            kept.append(_hashes(names))
    if kept:
        _, copies = np.unique(np.concatenate(kept), return_counts=True)
        sizes, numbers = np.unique(copies + 1, return_counts=True)
        found.sizes.update(dict(zip(sizes.tolist(), numbers.tolist(), strict=True)))


def _hashes(names: pa.Array) -> npt.NDArray[np.uint64]:
    """64 bits of each name; the same in every process."""
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names.to_pylist())
    return np.frombuffer(b"".join(digests), np.uint64)


def _composition(table: pa.Table) -> dict[str, Counter[Any]]:
    return {name: _counts(table[name]) for name in BY}


def _counts(column: pa.ChunkedArray) -> Counter[Any]:
    return Counter({row["values"]: row["counts"] for row in column.value_counts().to_pylist()})


def _skills(table: pa.Table) -> Counter[str]:
    return _counts(pc.list_flatten(table["skills"].drop_null()))
