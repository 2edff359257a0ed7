"""What workers, coordinator and driver tell each other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted
from evolray.pool.accounts import Accounts
from evolray.teachers.throttle import Grant, Usage

StopKind = Literal["interrupted", "out_of_budget", "endpoint", "error"]
ERRORS: dict[StopKind, type[EvolrayError]] = {
    "interrupted": Interrupted,
    "out_of_budget": BudgetError,
    "endpoint": EndpointError,
    "error": EvolrayError,
}


@dataclass(frozen=True)
class Stop:
    """Why the whole run stops."""

    kind: StopKind
    message: str

    def as_error(self, done: str) -> EvolrayError:
        """What a stage raises for it. `done`: how far it got."""
        return ERRORS[self.kind](
            f"{self.message} ({done}; every answer is in the ledger, and the same command goes on from here)"
        )


@dataclass
class Report:
    """What a worker did since its last report. `number` tells a report from one that arrives a second time."""

    worker: str
    usage: dict[str, Usage]
    """group -> what its gate saw"""
    accounts: Accounts = field(default_factory=Accounts)
    """New outcomes; `usage` holds what was paid, not what was replayed."""
    shards_open: int = 0
    shards_finished: int = 0
    stop: Stop | None = None
    number: int | None = None


@dataclass
class Orders:
    """What a worker may do until the next exchange."""

    grants: dict[str, Grant]
    stop: Stop | None = None


@dataclass
class ShardResult:
    """`accounts` of a shard that was finished, None of one that the run's stop left open."""

    shard: int
    accounts: Accounts | None


@dataclass
class Snapshot:
    """Where a run stands. `accounts` counts all outcomes, those of finished shards included."""

    accounts: Accounts = field(default_factory=Accounts)
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    refused: int = 0
    in_flight: int = 0
    limit: int = 0
    shards_open: int = 0
    shards_finished: int = 0
    """In this run; those of earlier ones are not among them."""


def stop_kind(error: EvolrayError) -> StopKind:
    return next((kind for kind, type_ in ERRORS.items() if kind != "error" and isinstance(error, type_)), "error")


def why_unfinished(shards: Iterable[int], finished: Iterable[int], stop: Stop | None) -> Stop | None:
    """None when every shard is finished: a stop that came too late to stop anything is none."""
    missing = sorted({*shards} - {*finished})
    if not missing:
        return None
    return stop or Stop("error", f"{len(missing)} shards ended without a result, shard {missing[0]} first.")
