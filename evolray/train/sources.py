"""Where examples come from: the shards of an evolve run, or one file of instructions or conversations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from evolray.config import TrainConfig
from evolray.errors import UserError
from evolray.pool.layout import open_folder
from evolray.pool.pool import Pool
from evolray.pool.seed_formats import read_entries, without_credentials
from evolray.pool.shards import read_records
from evolray.train.examples import Example, Rejected, entry_keys, example_of_entry, example_of_record

LOOKED_AT = 100  # entries, before the cluster starts


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
        _check_columns(source)
        return [source]
    if config.columns:
        raise UserError(f"columns={config.columns}: {config.data} is an evolve run, whose columns are known.")
    pool = Pool(config.data)
    if not pool.shards:
        raise UserError(f"data={pool.folder.url}: the pool is empty: no shard of this evolve run is finished yet.")
    known = pool.manifest.generations
    if wrong := [generation for generation in config.generations if not 0 <= generation <= known]:
        raise UserError(f"generations: the pool has 0 to {known}, not {', '.join(map(str, wrong))}.")
    shards = [tuple(pool.shards)] if config.limit else [(shard,) for shard in pool.shards]
    return [Source(config.data, some, tuple(config.generations), limit=config.limit) for some in shards]


def _check_columns(source: Source) -> None:
    """Raises UserError when the first entries hold nothing that is asked for; a single bad one is rejected later."""
    shown, columns = without_credentials(source.path), dict(source.columns)
    keys = entry_keys(columns)
    some = [entry for _, entry in islice(read_entries(source.path, keys), LOOKED_AT)]
    if not some:
        raise UserError(f"data={shown}: holds no entry.")
    there = dict.fromkeys(key for entry in some if isinstance(entry, dict) for key in entry)
    if missing := [f"{ours}: {theirs}" for ours, theirs in columns.items() if theirs not in there]:
        raise UserError(f"columns={{{', '.join(missing)}}}: {shown} has {', '.join(there) or 'no columns'}.")
    if there and not there.keys() & {*keys}:
        raise UserError(
            f"data={shown}: has {', '.join(there)}; expected some of {', '.join(keys)}. Say which is which with "
            "columns={instruction: ..., response: ...}."
        )


def is_run(path: str) -> bool:
    """Whether an evolve run lies there, or lay there before its first shard was finished."""
    if path.startswith("hf:") or PurePosixPath(path).suffix in (".json", ".jsonl", ".parquet", ".gz"):
        return False
    folder = open_folder(path)
    return folder.exists("run.yaml") or folder.exists("seeds")


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
