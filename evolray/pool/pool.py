"""Reading a run's pool, from Python and notebooks.

A refine run has a pool, too: its mix, with columns of its own beside those of a record.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.accounts import DIGEST_RANGE, row_hash
from evolray.pool.intake import REJECTED
from evolray.pool.layout import Folder, open_folder, shard_name, shards_in
from evolray.pool.manifest import Manifest, read_any, stage_of
from evolray.pool.shards import (
    ELIMINATED,
    FAILED,
    POOL,
    SCHEMAS,
    SEEDS,
    read_records,
    read_rows,
    read_seed_shard,
    read_table,
)
from evolray.records import Record

if TYPE_CHECKING:
    import pandas
    import ray.data

FILE_SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet", ".gz")


class Pool:
    """The kept records of a run directory. Reading goes shard by shard; only `to_pandas` holds a whole pool."""

    def __init__(self, run: str) -> None:
        """Raises UserError when there is no run at `run`."""
        self.folder: Folder = open_folder(run)
        if not self.folder.exists("run.yaml"):
            raise UserError(f"{self.folder.url}: no evolray run here (it has no run.yaml). Expected what run= named.")

    @property
    def shards(self) -> list[int]:
        return shards_in(self.folder, POOL)

    @property
    def manifest(self) -> Manifest:
        """A refine run's has what both have in common: status, generations, records kept, calls, tokens, cost."""
        return read_any(self.folder) or Manifest(self.folder.url, "interrupted")

    def records(self) -> Iterator[Record]:
        """All kept records, shard by shard, each root's generations in order."""
        for shard in self.shards:
            yield from read_records(self.folder, shard)

    def tables(self, kind: str = POOL) -> Iterator[pa.Table]:
        """The Arrow tables of pool, eliminated or failed, shard by shard."""
        if kind != POOL:
            self._must_be_evolved()
        for shard in self.shards:
            yield read_table(self.folder, shard_name(kind, shard))
        if kind in (ELIMINATED, FAILED) and self.folder.exists(f"{kind}/{REJECTED}.parquet"):
            yield read_table(self.folder, f"{kind}/{REJECTED}.parquet")

    def schema(self, kind: str = POOL) -> pa.Schema:
        """The columns of a record, and those that all shards have besides."""
        known = SCHEMAS[kind]
        found = [self._schema(kind, shard) for shard in self.shards] if kind == POOL else []
        more = [field for field in (found[0] if found else ()) if field.name not in known.names]
        return pa.schema([*known, *(field for field in more if all(_holds(schema, field) for schema in found))])

    def to_arrow(self, kind: str = POOL) -> pa.Table:
        schema = self.schema(kind)
        tables = (table.select(schema.names).cast(schema) for table in self.tables(kind))
        return pa.concat_tables([schema.empty_table(), *tables])

    def to_pandas(self, kind: str = POOL) -> "pandas.DataFrame":
        return self.to_arrow(kind).to_pandas()

    def dataset(self) -> "ray.data.Dataset":
        """The pool as a Ray Dataset, read where it lies."""
        import ray.data  # the one place in pool/ that knows Ray, and only when asked

        folder = self.folder
        if folder.is_local:
            return ray.data.read_parquet([f"{folder.url}/{shard_name(POOL, shard)}" for shard in self.shards])
        return ray.data.from_arrow(list(self.tables()))

    def lineage(self, id: str) -> list[dict[str, Any]]:
        """Every outcome of a root, by generation: rows with `fate` kept, eliminated or failed.

        `id` is a root's or a record's, or the beginning of one. Raises UserError when it names no root or several.
        """
        self._must_be_evolved()
        root, shard = self._find(id.partition(".")[0].lower())
        rows = []
        for kind, fate in ((POOL, "kept"), (ELIMINATED, "eliminated"), (FAILED, "failed")):
            found = read_rows(self.folder, shard_name(kind, shard))
            rows += [{"fate": fate, **row} for row in found if row["root_id"] == root]
        return sorted(rows, key=lambda row: row["generation"])

    def longest_lineage(self) -> str:
        """Of the first finished shard: the root with the most kept records, those with an elimination first.

        Raises UserError when no shard is finished.
        """
        self._must_be_evolved()
        if not self.shards:
            raise UserError(f"{self.folder.url}: no shard is finished yet.")
        kept, eliminated = (
            Counter(str(row["root_id"]) for row in read_rows(self.folder, shard_name(kind, self.shards[0])))
            for kind in (POOL, ELIMINATED)
        )
        return max(sorted(kept | eliminated), key=lambda root: (min(eliminated[root], 1), kept[root]))

    def digest(self) -> str:
        """64 hex digits over all rows, in whatever order and shards: equal pools, equal digests."""
        return f"{sum(row_hash(record) for record in self.records()) % DIGEST_RANGE:064x}"

    def _schema(self, kind: str, shard: int) -> pa.Schema:
        with self.folder.open(shard_name(kind, shard)) as file:
            return pq.read_schema(file)

    def _must_be_evolved(self) -> None:
        """Raises UserError when this is no evolve run: another has no lineages, and nothing eliminated."""
        if (stage := stage_of(self.folder)) not in ("", "evolve"):
            raise UserError(
                f"{self.folder.url} is a run of {stage}: only evolve runs have lineages and what was eliminated. See "
                "the runs that it was made from."
            )

    def _find(self, prefix: str) -> tuple[str, int]:
        found = []
        for shard in self.shards:
            for seed in read_seed_shard(self.folder, shard):
                if prefix and seed.root_id.startswith(prefix):
                    found.append((seed.root_id, shard))
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{prefix!r} begins {len(found)} roots: {', '.join(root for root, _ in found[:5])} ...")
        waiting = len(shards_in(self.folder, SEEDS)) - len(self.shards)
        hint = f" {waiting} shards are not finished yet." if waiting else ""
        raise UserError(f"{self.folder.url} has no finished root {prefix!r}.{hint}")

    def __repr__(self) -> str:
        one = self.manifest
        records = one.kept if one.accounts else sum(table.num_rows for table in self.tables())
        if stage := stage_of(self.folder):
            return f"Pool({self.folder.url}: {records:,} records, {one.generations} generations; {stage}, {one.status})"
        return (
            f"Pool({self.folder.url}: {records:,} records of {one.seeds.get('roots', 0):,} roots, "
            f"{one.generations} generations, {one.status}; {one.eliminated:,} eliminated, {one.failed:,} failed)"
        )


def is_run(path: str) -> bool:
    """Whether a run lies there, or lay there before its first shard was finished. What it is of, its pool says."""
    if path.startswith("hf:") or PurePosixPath(path).suffix in FILE_SUFFIXES:
        return False
    folder = open_folder(path)
    return folder.exists("run.yaml") or folder.exists("seeds")


def check_whole(pool: Pool) -> None:
    """Raises UserError for a refine run that has not ended: half of a mix is another mix.

    The finished shards of an evolve run that goes on are a pool like any other.
    """
    if stage_of(pool.folder) == "refine" and (status := pool.manifest.status) != "complete":
        raise UserError(f"{pool.folder.url}: this refine run is {status}; finish it first, with the same command.")


def _holds(schema: pa.Schema, field: pa.Field) -> bool:
    return field.name in schema.names and schema.field(field.name).type == field.type
