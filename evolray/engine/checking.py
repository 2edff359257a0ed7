"""What is asked before a run starts: do the settings make sense, is everyone there who is to answer?"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evolray.config import BudgetConfig, EngineConfig
from evolray.engine.work import Work
from evolray.errors import UserError
from evolray.teachers.endpoint import preflight


def check_settings(engine: EngineConfig, budget: BudgetConfig) -> None:
    """Raises UserError for a value that cannot work."""
    check_least(
        {
            "engine.shard_size": (engine.shard_size, 1),
            "engine.actors": (engine.actors, 1),
            "engine.cpus_per_actor": (engine.cpus_per_actor, 0),
            "engine.shards_in_flight": (engine.shards_in_flight, 1),
            "engine.log_seconds": (engine.log_seconds, 0.1),
            "budget.calls": (budget.calls, 1),
            "budget.tokens": (budget.tokens, 1),
            "budget.money": (budget.money, 0),
        }
    )


def check_least(settings: dict[str, tuple[float | None, float]]) -> None:
    """`settings`: key -> its value and the least that it may be; None is no value."""
    for key, (value, minimum) in settings.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{key}={value}: expected {minimum} or more.")


def check_endpoints(work: Work[Any, Any]) -> None:
    """Ask every endpoint for its models. In a thread, since a notebook has a running event loop of its own.

    Raises UserError for a missing key, EndpointError for an endpoint that cannot answer.
    """
    for endpoint in work.endpoints:
        endpoint.read_key()
    with ThreadPoolExecutor(1) as thread:
        for endpoint in work.endpoints:
            thread.submit(asyncio.run, preflight(endpoint)).result()
