"""A step of refining that works through the shards, each by itself, wherever."""

from typing import Protocol

from evolray.pool.layout import Folder

Counts = dict[str, int]


class ShardStep(Protocol):
    """One object, pickled to every worker. What it writes for a shard depends on nothing but the shard and itself."""

    def run(self, folder: Folder, shard: int) -> Counts:
        """Work on one shard, write its files whole, and count what was found. An EvolrayError stops the run."""
        ...
