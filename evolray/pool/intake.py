"""Intake: the seed file becomes seed shards in the run directory, the same ones however often it is read.

A root that is already in a seed shard stays where it is, so a longer seed file adds shards and changes none. Entries
with one `root_id` are one root: which of them is taken follows from their text and not from their order, the others
are stored as eliminated (`duplicate_seed`). Entries that cannot be used are stored as failed (`bad_seed`) with their
line.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from evolray.config import SeedsConfig
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.seeds import content_key, read_seeds
from evolray.pool.shards import ELIMINATED, FAILED, SEEDS, encode, num_rows, read_seed_shard
from evolray.records import SEED, Eliminated, Failed, Seed

REJECTED = "seeds"  # eliminated/seeds.parquet and failed/seeds.parquet belong to the seed file, not to a shard

_TAKEN = b""


@dataclass
class Intake:
    """`entries` of the seed file; `shards` maps each seed shard to its number of roots."""

    entries: int
    shards: dict[int, int]
    rejected: Accounts

    @property
    def roots(self) -> int:
        return sum(self.shards.values())


def take_in(folder: Folder, config: SeedsConfig, shard_size: int) -> Intake:
    """Read the seed file and write what is new.

    Raises UserError for a file that cannot be read or has no usable seed. Memory: some 200 bytes per root.
    """
    shards = {shard: num_rows(folder, shard_name(SEEDS, shard)) for shard in shards_in(folder, SEEDS)}
    known = {int(seed.root_id, 16): content_key(seed) for shard in shards for seed in read_seed_shard(folder, shard)}
    winners = _winners(_read(config), known)
    intake = Intake(0, shards, Accounts())
    new: list[Seed] = []
    rejected: list[Eliminated | Failed] = []
    for entry in _read(config):
        intake.entries += 1
        if isinstance(entry, Failed):
            rejected.append(entry)
            continue
        root = int(entry.root_id, 16)
        winner = winners[root]
        if winner is _TAKEN or content_key(entry) != winner:
            rejected.append(_duplicate(entry))
            continue
        winners[root] = _TAKEN
        if root not in known:
            new.append(entry)
        if len(new) == shard_size:
            _write(folder, intake, new)
            new = []
    if new:
        _write(folder, intake, new)
    _write_rejected(folder, intake, rejected)
    return intake


def _read(config: SeedsConfig) -> Iterator[Seed | Failed]:
    return read_seeds(config.path, turn=str(config.turn), limit=config.limit)


def _winners(entries: Iterator[Seed | Failed], known: dict[int, bytes]) -> dict[int, bytes]:
    """root -> content key of the entry that stands for it: the one in a seed shard, else the smallest."""
    winners = dict(known)
    for entry in entries:
        if isinstance(entry, Seed):
            root = int(entry.root_id, 16)
            if root not in known:
                key = content_key(entry)
                winners[root] = min(key, winners.get(root, key))
    return winners


def _write(folder: Folder, intake: Intake, seeds: list[Seed]) -> None:
    shard = max(intake.shards, default=-1) + 1
    folder.write(shard_name(SEEDS, shard), encode(SEEDS, seeds))
    intake.shards[shard] = len(seeds)


def _write_rejected(folder: Folder, intake: Intake, rejected: list[Eliminated | Failed]) -> None:
    for kind, type_ in ((ELIMINATED, Eliminated), (FAILED, Failed)):
        rows = [row for row in rejected if isinstance(row, type_)]
        folder.write(f"{kind}/{REJECTED}.parquet", encode(kind, rows))
    for row in rejected:
        intake.rejected.count(row)
    intake.rejected.incoming[0] = len(rejected)


def _duplicate(seed: Seed) -> Eliminated:
    return Eliminated(
        seed.root_id, 0, None, "", SEED, "", "duplicate_seed", "", seed.text, seed.response, seed.context
    )  # fmt: skip
