"""What was paid before: finished shards by their accounts, open ones by their ledger."""

from pathlib import Path

from evolray.engine.spending import add_up, spent, totals
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import open_folder
from evolray.pool.ledger import Entry, open_ledger


def test_what_was_spent_is_of_finished_shards_and_of_ledgers_of_open_ones(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    for shard in (0, 1):
        ledger = open_ledger(folder, shard)
        ledger.append(Entry(f"{shard}", "r.g0", "judge", "Equal", "stop", 10, 1, "m"))
        ledger.close()
    finished = [Accounts(usage={"judge": Usage(1, 10, 1), "respond": Usage(2, 3, 4)})]  # of shard 0
    assert spent(folder, finished, [1, 2]) == {"judge": Usage(2, 20, 2), "respond": Usage(2, 3, 4)}
    assert finished[0].usage["judge"] == Usage(1, 10, 1)  # as it was


def test_totals_are_of_all_purposes() -> None:
    assert totals({"evolve": Usage(1, 10, 100), "judge": Usage(2, 20, 200)}) == (3, 330)
    assert totals({}) == (0, 0)


def test_accounts_of_nothing_are_empty() -> None:
    assert add_up([]) == Accounts()
