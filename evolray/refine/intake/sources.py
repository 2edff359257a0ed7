"""What is refined: runs of evolve or refine and files of instructions, each under a name and perhaps with a weight."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from evolray.config import RefineConfig
from evolray.errors import UserError
from evolray.pool.columns import check_columns
from evolray.pool.layout import SHARD_FILE, open_folder, shard_name
from evolray.pool.pool import Pool, check_whole, is_run
from evolray.pool.seed_formats import without_credentials
from evolray.pool.shards import SEEDS, num_rows

logger = logging.getLogger(__name__)

EXPECTED = "a path, a list of them, or name: {path, weight, columns}"
KEYS = ("path", "weight", "columns")


@dataclass(frozen=True)
class Source:
    """`path` is a run directory or a file; `columns` are a file's, as (ours, theirs). `weight`: of all or of none."""

    name: str
    path: str
    weight: float | None = None
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> str:
        """The path without what may be secret."""
        return shown_path(self.path)


def find_sources(config: RefineConfig) -> tuple[Source, ...]:
    """The sources of a config, in its order, with unique names.

    Raises UserError, before anything starts, for what cannot be refined: a path where nothing is, a file without
    entries or without the named columns, a run with nothing finished, weights that some have and some lack.
    """
    if config.limit is not None and config.limit < 1:
        raise UserError(f"limit is {config.limit}; expected a number from 1 on, or null for all records.")
    sources = tuple(_named(_entries(config.data)))
    if not sources:
        raise UserError(f"data is empty; expected {EXPECTED}.")
    _check_weights(sources)
    for source in sources:
        _check(source, config.run)
    return sources


def shown_path(path: str) -> str:
    """As it may be logged and stored: a URL without its credentials and its query, which may hold some, too."""
    return without_credentials(path).partition("?")[0] if "://" in path else path


@contextmanager
def readable(source: Source) -> Iterator[None]:
    """What goes wrong in here with a source's files is a UserError that names it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].replace(source.path, source.shown)[:300]
        raise UserError(f"data: {source.shown} cannot be read: {why}. Was it changed or removed?") from None


def _entries(data: Any) -> list[tuple[str, Any]]:
    """(name or "", path or settings) of each source, as the config holds them."""
    if isinstance(data, Mapping) and not ("path" in data and data.keys() <= {*KEYS}):
        return [(str(name), value) for name, value in data.items()]
    return [("", value) for value in (data if isinstance(data, Sequence) and not isinstance(data, str) else [data])]


def _named(entries: Sequence[tuple[str, Any]]) -> list[Source]:
    """A name that is not given is the path's last part; the second of the same gets "-2" appended."""
    taken = {name for name, _ in entries if name}
    named = []
    for name, value in entries:
        source = _source(value)
        if not name:
            plain = name_of(source.path)
            tries = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(entries) + 2))
            name = next(one for one in tries if one not in taken)
            taken.add(name)
        named.append(replace(source, name=name))
    return named


def _source(value: Any) -> Source:
    settings = value if isinstance(value, Mapping) else {"path": value}
    if unknown := [str(key) for key in settings if key not in KEYS]:
        raise UserError(f"data: a source has the keys {', '.join(unknown)}; expected some of {', '.join(KEYS)}.")
    path, weight, columns = (settings.get(key) for key in KEYS)
    if not isinstance(path, str) or not path.strip():
        raise UserError(f"data: a source has path={path!r}; expected {EXPECTED}.")
    if columns is not None and not isinstance(columns, Mapping):
        raise UserError(f"data: {shown_path(path)} has columns={columns!r}; expected {{ours: theirs}}.")
    pairs = sorted((str(ours), str(theirs)) for ours, theirs in (columns or {}).items())
    return Source("", path, _weight(weight, path), tuple(pairs))


def _weight(weight: Any, path: str) -> float | None:
    if weight is None:
        return None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise UserError(f"data: {shown_path(path)} has weight={weight!r}; expected a number above 0.")
    return float(weight)


def _check_weights(sources: Sequence[Source]) -> None:
    without = [source.name for source in sources if source.weight is None]
    if 0 < len(without) < len(sources):
        raise UserError(f"data: {', '.join(without)} have no weight and others do; give it to all sources or to none.")


def name_of(path: str) -> str:
    """runs/code -> code, s3://bucket/alpaca.json.gz -> alpaca, hf:org/name:train -> name."""
    address = path.removeprefix("hf:").partition(":")[0] if path.startswith("hf:") else path
    address = urlsplit(address).path if "://" in address else address
    last = PurePosixPath(address).name or "data"
    return PurePosixPath(last.removesuffix(".gz")).stem if "." in last.strip(".") else last


def _check(source: Source, run: str) -> None:
    if not is_run(source.path):
        check_columns(source.path, dict(source.columns))
        return
    if source.columns:
        raise UserError(f"data: {source.shown} has columns; it is a run, whose columns are known.")
    pool = Pool(source.path)
    if pool.folder.url == open_folder(run).url:
        raise UserError(f"data: {source.shown} is run= itself; choose another run directory for what is refined.")
    check_whole(pool)
    if not any(num_rows(pool.folder, shard_name("pool", shard)) for shard in pool.shards):
        raise UserError(f"data: {source.shown}: the pool is empty; no shard of this run is finished yet.")
    seeds = [name for name in pool.folder.names(SEEDS) if SHARD_FILE.match(name)]
    if len(seeds) > len(pool.shards):
        waiting = len(seeds) - len(pool.shards)
        logger.warning("%s: %d shards are not finished; what they will hold is left out", source.shown, waiting)
