"""What a run directory has cost so far: of finished shards from their accounts, of others from the ledger."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder
from evolray.pool.ledger import read_ledger, shards_with_ledger

READERS = 16  # threads that read footers and ledgers; on object stores the waiting adds up


def spent(folder: Folder, finished: Iterable[Accounts], todo: Iterable[int]) -> dict[str, Usage]:
    """All that was ever paid, by purpose. `todo`: the shards that are open or not begun."""
    total = add_up(finished)
    opened = sorted({*todo} & {*shards_with_ledger(folder)})
    with ThreadPoolExecutor(READERS) as readers:
        for entries in readers.map(lambda shard: read_ledger(folder, shard), opened):
            for entry in entries.values():
                total.spend(entry.purpose, Usage(1, entry.prompt_tokens, entry.completion_tokens))
    return total.usage


def add_up(accounts: Iterable[Accounts]) -> Accounts:
    total = Accounts()
    for one in accounts:
        total.add(one)
    return total


def totals(usage: dict[str, Usage]) -> tuple[int, int]:
    """Calls and tokens of all purposes."""
    calls = sum(one.calls for one in usage.values())
    return calls, sum(one.prompt_tokens + one.completion_tokens for one in usage.values())
