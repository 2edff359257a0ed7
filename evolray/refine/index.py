"""What is known of every record of a run at once: some 20 bytes each, the order among copies, and where it lies."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.shards import read_table
from evolray.refine.tables import RECORDS
from evolray.refine.text.hashing import Hashes, mix

READERS = 16


@dataclass(frozen=True)
class Index:
    """Columns of all N records, by row: a record's number, counted through the shards in their order.

    `offsets` (shards + 1): a shard's first row; its last entry is N. `roots` are root ids as numbers. `names`: the
    sources in the order of the config, `sources` numbers into it.
    """

    shards: tuple[int, ...]
    offsets: npt.NDArray[np.int64]
    roots: npt.NDArray[np.uint64]
    generations: npt.NDArray[np.int16]
    sources: npt.NDArray[np.int16]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.roots)

    def rows(self, shard: int) -> range:
        """The rows of a shard, by its number."""
        at = self.shards.index(shard)
        return range(int(self.offsets[at]), int(self.offsets[at + 1]))

    def order(self) -> npt.NDArray[np.int64]:
        """All rows, from the first to be kept of several copies to the last: older generation, id, source."""
        return np.lexsort((self.sources, self.roots, self.generations))


def read_index(folder: Folder, names: tuple[str, ...]) -> Index:
    """From the shards in records/."""
    shards = tuple(shards_in(folder, RECORDS))
    columns = ["root_id", "generation", "source"]
    with ThreadPoolExecutor(READERS) as readers:
        tables = list(readers.map(lambda shard: read_table(folder, shard_name(RECORDS, shard), columns), shards))
    number = {name: at for at, name in enumerate(names)}
    parts = [
        (
            np.array([int(root, 16) for root in table["root_id"].to_pylist()], np.uint64),
            table["generation"].to_numpy().astype(np.int16),
            np.array([number[source] for source in table["source"].to_pylist()], np.int16),
        )
        for table in tables
    ]
    roots, generations, sources = (
        np.concatenate([part[at] for part in parts]) if parts else np.array([], kind)
        for at, kind in enumerate((np.uint64, np.int16, np.int16))
    )
    offsets = np.cumsum([0, *(len(part[0]) for part in parts)])
    return Index(shards, offsets.astype(np.int64), roots, generations, sources, names)


def random_keys(
    seed: int | str,
    names: tuple[str, ...],
    sources: npt.NDArray[np.int16],
    roots: npt.NDArray[np.uint64],
    generations: npt.NDArray[np.int16],
) -> Hashes:
    """A random number per record from the seed, the source's name and the id alone.

    So that records that come or go elsewhere move nobody. (The id is made of root and generation.)
    """
    named = [f"{seed}/{name}".encode("utf-8", "surrogatepass") for name in names]
    salt = np.array([int.from_bytes(hashlib.blake2b(one, digest_size=8).digest(), "big") for one in named], np.uint64)
    return mix(mix(salt[sources] ^ roots) + generations.astype(np.uint64))
