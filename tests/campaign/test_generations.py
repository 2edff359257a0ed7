"""How the operators fared is read from a pool's own accounts."""

from pathlib import Path

from evolray.campaign.generations import Fared, read
from evolray.pool.accounts import Accounts
from evolray.pool.layout import open_folder
from evolray.pool.shards import write_shard
from evolray.records import SEED, Eliminated, Failed, Outcome, Record


def kept(root: str, generation: int, operator: str) -> Record:
    return Record(root, generation, f"{root}.g0", "open", operator, "", "New.", "Yes.", (), "t", 1, 1, 1)


def eliminated(root: str, generation: int, operator: str) -> Eliminated:
    return Eliminated(
        root, generation, f"{root}.g0", "open", operator, "", "refusal", "respond", "New.", "No.", (), "t", 1, 1
    )


def write(folder: Path, shard: int, outcomes: list[Outcome]) -> None:
    accounts = Accounts()
    for outcome in outcomes:
        accounts.count(outcome)
        accounts.incoming[outcome.generation] += 1
    write_shard(open_folder(str(folder)), shard, outcomes, accounts, 2)


def test_counts_by_generation_and_operator_over_all_shards(tmp_path: Path) -> None:
    seeds: list[Outcome] = [Record(root, 0, None, "open", SEED, "", "Old.", "Yes.", (), "", 0, 0, 0) for root in "ab"]
    write(tmp_path, 0, [seeds[0], kept("a", 1, "deepen"), eliminated("a", 2, "mutate")])
    write(tmp_path, 1, [seeds[1], eliminated("b", 1, "deepen"), Failed("b", 2, "deepen", "timeout", "no answer")])
    found = read(open_folder(str(tmp_path)))
    assert found.keys() == {1, 2}
    assert (found[1].asked, found[1].kept) == ({"deepen": 2}, {"deepen": 1})
    assert (found[2].asked, +found[2].kept) == ({"mutate": 1}, {})


def test_no_pool_yet(tmp_path: Path) -> None:
    assert read(open_folder(str(tmp_path))) == {}
    assert Fared().asked == {}
