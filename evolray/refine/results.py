"""Reading what a refine run left, from Python and notebooks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.layout import shard_name, shards_in
from evolray.pool.manifest import stage_of
from evolray.pool.pool import Pool
from evolray.pool.shards import read_table
from evolray.refine import manifest as manifests
from evolray.refine.manifest import RefineManifest
from evolray.refine.tables import (
    CLUSTERS,
    CLUSTERS_SCHEMA,
    DROPPED,
    DROPPED_SCHEMA,
    LEAKS,
    LEAKS_BY_EXECUTION,
    LEAKS_SCHEMA,
)

if TYPE_CHECKING:
    import pandas


class Refined(Pool):
    """The mix of a refine run, a pool like any other; beside it, what was dropped and why.

    A frame holds all of its rows at once; `columns` leaves out what is not needed, such as the texts.
    """

    def __init__(self, run: str) -> None:
        """Raises UserError when there is no refine run at `run`."""
        super().__init__(run)
        if stage_of(self.folder) != manifests.STAGE:
            raise UserError(f"{self.folder.url}: no refine run here. For an evolve run: evolray.Pool({run!r}).")

    @property
    def manifest(self) -> RefineManifest:  # type: ignore[override]
        """A refine run's own: what came in, what each step dropped, the mix, and hashes of all."""
        found = manifests.read(self.folder)
        assert found is not None
        return found

    def dropped(self, reason: str | None = None, columns: Sequence[str] | None = None) -> "pandas.DataFrame":
        """Every record that came in and is not in the mix, with its `reason` and `detail`."""
        filters = [("reason", "=", reason)] if reason else None
        return self._all([DROPPED], DROPPED_SCHEMA, columns, filters).to_pandas()

    def leaks(self) -> "pandas.DataFrame":
        """Benchmark items found in records; one record may hold several."""
        return self._all([LEAKS, LEAKS_BY_EXECUTION], LEAKS_SCHEMA).to_pandas()

    def clusters(self) -> "pandas.DataFrame":
        """Duplicates, one row for each record that was dropped: for whom, and how alike the two are."""
        return self._clusters().to_pandas()

    def dropped_for(self, id: str) -> "pandas.DataFrame":
        """The rows of `clusters` of the records that were dropped for this one."""
        return self._clusters([("kept", "=", id)]).to_pandas()

    def _clusters(self, filters: list[Any] | None = None) -> pa.Table:
        if not self.folder.exists(CLUSTERS):
            return CLUSTERS_SCHEMA.empty_table()
        with self.folder.open(CLUSTERS) as file:
            return pq.read_table(file, filters=filters).cast(CLUSTERS_SCHEMA)

    def _all(
        self,
        kinds: Sequence[str],
        schema: pa.Schema,
        columns: Sequence[str] | None = None,
        filters: list[Any] | None = None,
    ) -> pa.Table:
        """All shards of the kinds as one table; an empty one where the run did not look for such things."""
        schema = pa.schema([schema.field(name) for name in columns]) if columns else schema
        tables = [schema.empty_table()]
        for kind in kinds:
            for shard in shards_in(self.folder, kind):
                if filters:
                    with self.folder.open(shard_name(kind, shard)) as file:
                        table = pq.read_table(file, columns=schema.names, filters=filters)
                else:
                    table = read_table(self.folder, shard_name(kind, shard), schema.names)
                tables.append(table.cast(schema))
        return pa.concat_tables(tables)

    def __repr__(self) -> str:
        one = self.manifest
        drops = ", ".join(f"{reason} {number:,}" for reason, number in one.dropped.items() if number)
        return (
            f"Refined({self.folder.url}: {one.mix.get('records', 0):,} of {one.records:,} records, {one.status}; "
            f"dropped: {drops or 'none'})"
        )
