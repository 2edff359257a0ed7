"""How the operators fared in each generation of a pool, from the accounts of its shards."""

from collections import Counter
from dataclasses import dataclass, field

from evolray.pool.layout import Folder, shards_in
from evolray.pool.shards import POOL, read_accounts
from evolray.records import SEED


@dataclass
class Fared:
    """Of one generation, by operator. Failed calls are in neither."""

    asked: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


def read(pool: Folder) -> dict[int, Fared]:
    """By generation, from 1; of the shards that are finished."""
    found: dict[int, Fared] = {}
    for shard in shards_in(pool, POOL):
        accounts, _ = read_accounts(pool, shard)
        for (generation, operator, fate, _), number in accounts.outcomes.items():
            if operator != SEED and fate != "failed":
                fared = found.setdefault(generation, Fared())
                fared.asked[operator] += number
                fared.kept[operator] += number if fate == "kept" else 0
    return dict(sorted(found.items()))
