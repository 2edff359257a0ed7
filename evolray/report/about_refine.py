"""What lies on disk of a refine run, as small tables for figures.

Column by column and shard by shard, as with an evolve run. The files are those that evolray/refine/tables.py
describes; what a step that was not asked for would have written is missing, and its numbers are empty.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder, shard_name, shards_in
from evolray.pool.shards import POOL, read_table
from evolray.report.readers import READERS, REFINE, counts_by, read_config, stage_of

RECORDS, FEATURES, JUDGED, DROPPED = "records", "features", "judged", "dropped"
LEAKS = ("leaks", "leaks-by-execution")
CLUSTERS = "clusters.parquet"
BY = ("generation", "operator", "domain", "source")
MEASURED = ("words", "constraints", "steps")
SIMILARITIES = 100  # bins from 0 to 1


@dataclass
class Refined:
    """A refine run in numbers.

    `before` and `after` count records by generation, operator, domain and source: all that came in, and the mix.
    `measured[feature][generation]` counts the values of words, constraints and steps among all that came in.
    `difficulty` and `difficulty_of_mix` have [generation][score], `difficulty_by_operator` [operator][score].
    `reasons` are those of the drops. `similarity` counts near-duplicates in hundredths, `sizes` clusters by the number
    of their records. `leaks[benchmark, kind]` counts records, `items[benchmark]` the items found.
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
    reasons: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    similarity: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    leaks: Counter[tuple[str, str]] = field(default_factory=Counter)
    items: dict[str, set[str]] = field(default_factory=dict)
    threshold: float | None = None
    """From which similarity on records were near-duplicates; None where they were not looked for."""
    benchmarks: tuple[str, ...] = ()
    """What leaks were looked for of."""

    def add(self, other: "Refined") -> None:
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


def read_refined(run: "str | Refined") -> Refined:
    """Raises UserError when there is no refine run at `run`."""
    if isinstance(run, Refined):
        return run
    if stage_of(run) != REFINE:
        raise UserError(f"run={run} is a run of evolve; this figure is one of a refine run.")
    folder = open_folder(run)
    found = Refined(folder.url)
    config = read_config(folder)
    near = config.get("near_duplicates") or {}
    found.threshold = float(near["threshold"]) if near.get("enabled", True) and "threshold" in near else None
    found.benchmarks = tuple((config.get("contamination") or {}).get("benchmarks") or ())
    shards = shards_in(folder, RECORDS)
    offsets = _offsets(folder, shards)
    with ThreadPoolExecutor(READERS) as readers:
        for part in readers.map(lambda at: _read_incoming(folder, shards[at], offsets[at]), range(len(shards))):
            found.add(part)
        for kind, read in ((POOL, _read_mix), (DROPPED, _read_dropped), *((kind, _read_leaks) for kind in LEAKS)):
            for part in readers.map(_reader(folder, kind, read), shards_in(folder, kind)):
                found.add(part)
    if folder.exists(CLUSTERS):
        _read_clusters(found, folder)
    return found


def _reader(folder: Folder, kind: str, read: Callable[[Folder, str], Refined]) -> Callable[[int], Refined]:
    return lambda shard: read(folder, shard_name(kind, shard))


def _offsets(folder: Folder, shards: list[int]) -> list[int]:
    """Each shard's first row in the run, from the footers."""

    def rows(shard: int) -> int:
        with folder.open(shard_name(RECORDS, shard)) as file:
            return int(pq.read_metadata(file).num_rows)

    with ThreadPoolExecutor(READERS) as readers:
        return np.cumsum([0, *readers.map(rows, shards)]).tolist()


def _read_incoming(folder: Folder, shard: int, offset: int) -> Refined:
    records = read_table(folder, shard_name(RECORDS, shard), list(BY))
    part = Refined(folder.url, records.num_rows, before=_composition(records))
    if folder.exists(shard_name(FEATURES, shard)):
        features = read_table(folder, shard_name(FEATURES, shard), list(MEASURED))
        part.measured = {name: counts_by(records["generation"], features[name]) for name in MEASURED}
    if folder.exists(shard_name(JUDGED, shard)):
        judged = read_table(folder, shard_name(JUDGED, shard), ["row", "difficulty", "skills"])
        theirs = records.take(pc.subtract(judged["row"], offset))
        part.difficulty = counts_by(theirs["generation"], judged["difficulty"])
        part.difficulty_by_operator = counts_by(theirs["operator"], judged["difficulty"])
        part.skills = {"judged": _skills(judged)}
    return part


def _read_mix(folder: Folder, name: str) -> Refined:
    mix = read_table(folder, name, [*BY, "difficulty", "skills"])
    difficulty = counts_by(mix["generation"], mix["difficulty"])
    skills = {"mix": _skills(mix)}
    return Refined(folder.url, mix=mix.num_rows, after=_composition(mix), difficulty_of_mix=difficulty, skills=skills)


def _read_dropped(folder: Folder, name: str) -> Refined:
    return Refined(folder.url, reasons=_counts(read_table(folder, name, ["reason"])["reason"]))


def _read_leaks(folder: Folder, name: str) -> Refined:
    """A record that was found twice for a benchmark in the same way counts once."""
    table = read_table(folder, name, ["row", "benchmark", "item", "kind"])
    part = Refined(folder.url)
    for row in table.group_by(["row", "benchmark", "kind"]).aggregate([]).to_pylist():
        part.leaks[row["benchmark"], row["kind"]] += 1
    for row in table.group_by(["benchmark", "item"]).aggregate([]).to_pylist():
        part.items.setdefault(row["benchmark"], set()).add(row["item"])
    return part


def _read_clusters(found: Refined, folder: Folder) -> None:
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
