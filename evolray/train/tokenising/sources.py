"""Where examples come from: the shards of a run of evolve or refine, or one file of instructions or conversations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from evolray.config import TrainConfig
from evolray.errors import UserError
from evolray.pool.columns import check_columns, entry_keys
from evolray.pool.layout import open_folder
from evolray.pool.pool import Pool, check_whole, is_run
from evolray.pool.seed_formats import read_entries, without_credentials
from evolray.pool.shards import read_records
from evolray.train.tokenising.examples import Example, Rejected, example_of_entry, example_of_record


@dataclass(frozen=True)
class Source:
    """What one reader reads, from its beginning to its end. No `shards`: `path` is a file."""

    path: str
    shards: tuple[int, ...] = ()
    generations: tuple[int, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    limit: int | None = None


def find_sources(config: TrainConfig) -> list[Source]:
    """The sources of a config, each to be read by one task.

    Raises UserError when there is nothing to train on: no such file, none of the columns, an empty pool, a generation
    that the pool does not have.
    """
    if not is_run(config.data):
        if config.generations:
            raise UserError(
                f"generations={config.generations}: {without_credentials(config.data)} is no evolve run, and only its "
                "records have generations."
            )
        source = Source(config.data, columns=tuple(sorted(config.columns.items())), limit=config.limit)
        check_columns(source.path, config.columns)
        return [source]
    if config.columns:
        raise UserError(f"columns={config.columns}: {config.data} is an evolve run, whose columns are known.")
    pool = Pool(config.data)
    check_whole(pool)
    if not pool.shards:
        raise UserError(f"data={pool.folder.url}: the pool is empty: no shard of this evolve run is finished yet.")
    known = pool.manifest.generations
    if wrong := [generation for generation in config.generations if not 0 <= generation <= known]:
        raise UserError(f"generations: the pool has 0 to {known}, not {', '.join(map(str, wrong))}.")
    shards = [tuple(pool.shards)] if config.limit else [(shard,) for shard in pool.shards]
    return [Source(config.data, some, tuple(config.generations), limit=config.limit) for some in shards]


def read(source: Source) -> Iterator[Example | Rejected]:
    """One outcome per record or entry, in order, one at a time in memory. Raises UserError as `read_entries` does."""
    outcomes = _records(source) if source.shards else _entries(source)
    return islice(outcomes, source.limit)


def _records(source: Source) -> Iterator[Example | Rejected]:
    folder = open_folder(source.path)
    for shard in source.shards:
        for record in read_records(folder, shard):
            if not source.generations or record.generation in source.generations:
                yield example_of_record(record)


def _entries(source: Source) -> Iterator[Example | Rejected]:
    columns = dict(source.columns)
    shown = without_credentials(source.path)
    for line, entry in read_entries(source.path, entry_keys(columns)):
        yield example_of_entry(entry, line, shown, columns)
