"""What evolution asks and writes, shard by shard. Items are seeds, outcomes what became of their generations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.config import EvolveConfig
from evolray.engine.work import Work
from evolray.method.domains import Domain
from evolray.method.elimination import parse_verdict
from evolray.method.evolution import Method, evolve_lineage
from evolray.method.teacher import Purpose, Teacher
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder
from evolray.pool.ledger import Entry, read_ledger
from evolray.pool.manifest import OPERATORS_BY_GENERATION
from evolray.pool.shards import read_seed_shard, write_shard
from evolray.records import Outcome, Seed

ROLES: dict[Purpose, str] = {"evolve": "teacher", "judge": "judge", "respond": "responder"}


@dataclass(frozen=True)
class Plan(Work[Seed, Outcome]):
    """The config of a run, checked and turned into what the actors need."""

    method: Method
    retry_failed: bool

    def read(self, folder: Folder, shard: int) -> Sequence[Seed]:
        return read_seed_shard(folder, shard)

    async def run(self, item: Seed, teacher: Teacher, ended: Callable[[Outcome], None]) -> None:
        await evolve_lineage(item, self.method, teacher, ended)

    def tally(self, accounts: Accounts, outcome: Outcome) -> None:
        accounts.tally(outcome)

    def write(
        self, folder: Folder, shard: int, items: Sequence[Seed], outcomes: Sequence[Outcome], usage: dict[str, Usage]
    ) -> Accounts:
        """What went in is known from the seeds alone, so that a lost outcome is noticed."""
        accounts = Accounts(usage=usage)
        for generation in range(self.method.generations + 1):
            accounts.incoming[generation] = len(items)
        for outcome in outcomes:
            accounts.count(outcome)
        write_shard(folder, shard, outcomes, accounts, self.method.generations)
        return accounts

    def known(self, folder: Folder, shard: int) -> dict[str, Entry]:
        known = read_ledger(folder, shard, is_usable)
        return without_failures(known) if self.retry_failed else known

    def identity(self, config: EvolveConfig) -> dict[str, Any]:
        """The settings that decide what the pool is."""
        weights = _odds(self.method.domain)
        by_generation = {
            generation: odds
            for generation in range(1, self.method.generations + 1)
            if (odds := _odds(self.method.domain_in(generation))) != weights
        }
        return {
            "domain": self.method.domain.name,
            "generations": self.method.generations,
            "seed": self.method.seed,
            "operators": weights,
            **({OPERATORS_BY_GENERATION: by_generation} if by_generation else {}),
            "seeds": {"respond": config.seeds.respond, "turn": str(config.seeds.turn)},
            **{ROLES[purpose]: role.identity for purpose, role in self.roles.items()},
        }


def _odds(domain: Domain) -> dict[str, float]:
    return dict(zip(domain.operator_names, domain.weights, strict=True))


def without_failures(known: dict[str, Entry]) -> dict[str, Entry]:
    """What a retry of failed calls takes as it is: all but the answers of judges that never came to a verdict."""
    settled = {entry.record_id for entry in known.values() if entry.purpose == "judge" and is_usable(entry)}
    return {key: entry for key, entry in known.items() if is_usable(entry) or entry.record_id in settled}


def is_usable(entry: Entry) -> bool:
    """Whether the answer is one: what a judge says may be no verdict."""
    return entry.purpose != "judge" or parse_verdict(entry.text) is not None
