"""What a stage implements to have its calls made: what a shard holds, what is asked about it, what is written."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from evolray.config import AUTO, EngineConfig
from evolray.engine.roles import Limits, Role
from evolray.method.teacher import Purpose, Teacher
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder
from evolray.pool.ledger import Entry, read_ledger
from evolray.teachers.endpoint import Endpoint

LARGEST_FOUND_LIMIT = 1024  # what max_in_flight=auto may find; as many items must be at hand
ITEMS_PER_SLOT = 8  # open items per call in flight, so that the end of a shard never leaves the teacher idle

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Work(ABC, Generic[Item, Outcome]):
    """Items are worked on independently of each other, each in a coroutine; what becomes of them are outcomes.

    One object, pickled to every actor. `read`, `known` and `write` may block: each shard has a thread of its own.
    """

    roles: dict[Purpose, Role]
    groups: dict[str, Limits]

    @abstractmethod
    def read(self, folder: Folder, shard: int) -> Sequence[Item]:
        """What there is to work on."""

    @abstractmethod
    async def run(self, item: Item, teacher: Teacher, ended: Callable[[Outcome], None]) -> None:
        """Ask what there is to ask about one item, and tell `ended` of each outcome as soon as it is known.

        A TeacherError must become an outcome. An EndpointError that passes through stops the whole run.
        """

    @abstractmethod
    def tally(self, accounts: Accounts, outcome: Outcome) -> None:
        """Count the outcome, for progress."""

    @abstractmethod
    def write(
        self, folder: Folder, shard: int, items: Sequence[Item], outcomes: Sequence[Outcome], usage: dict[str, Usage]
    ) -> Accounts:
        """Write a finished shard; its accounts. `outcomes` are in the items' order; `usage` is of all answers used."""

    def known(self, folder: Folder, shard: int) -> dict[str, Entry]:
        """Which answers of earlier attempts are taken as they are. Failed calls are in no ledger and asked again."""
        return read_ledger(folder, shard)

    def cost(self, usage: Mapping[str, Usage]) -> float:
        return sum(role.cost(usage.get(purpose, Usage())) for purpose, role in self.roles.items())

    @property
    def endpoints(self) -> list[Endpoint]:
        """The distinct ones."""
        found = [role.endpoint for role in self.roles.values() if role.endpoint]
        return [endpoint for n, endpoint in enumerate(found) if endpoint not in found[:n]]

    def shards_in_flight(self, engine: EngineConfig) -> int:
        """How many shards an actor keeps open, unless the config says."""
        if engine.shards_in_flight is not None:
            return engine.shards_in_flight
        limits = [limits.max_in_flight for limits in self.groups.values()]
        most = sum(LARGEST_FOUND_LIMIT if limit == AUTO else int(limit) for limit in limits)
        return max(2, min(64, math.ceil(ITEMS_PER_SLOT * most / engine.shard_size)))
