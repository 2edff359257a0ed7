"""`evolve`: from a config to a pool. Everything that can be wrong is found before the cluster starts."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from typing import Any

from rich.console import Console

from evolray.config import EvolveConfig
from evolray.errors import EvolrayError, UserError
from evolray.evolve.coordinator import Coordinator
from evolray.evolve.estimate import Estimate, estimate
from evolray.evolve.plan import Plan, Script, make_plan, shards_in_flight
from evolray.evolve.progress import Progress, Snapshot
from evolray.evolve.worker import ERRORS, Stop
from evolray.method.domains import Domain
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.intake import Intake, take_in
from evolray.pool.layout import Folder, hold, open_folder, shards_in, without_credentials
from evolray.pool.ledger import read_ledger
from evolray.pool.manifest import Manifest, Status, describe_run, read_manifest, write_manifest
from evolray.pool.pool import Pool
from evolray.pool.seeds import read_seeds
from evolray.pool.shards import POOL, read_accounts
from evolray.records import Seed
from evolray.teachers.endpoint import preflight

logger = logging.getLogger("evolray")

MANIFEST_SECONDS = 5.0
STATUS: dict[str, Status] = {"interrupted": "interrupted", "out_of_budget": "out_of_budget"}


def evolve(
    config: EvolveConfig,
    *,
    domain: Domain | None = None,
    script: Script | None = None,
    console: Console | None = None,
) -> Pool:
    """Evolve the seeds into the pool of `config.run`, or go on where an earlier run of it ended.

    `domain` and `script` stand in for `config.domain` and `teacher.script`. Raises UserError, EndpointError,
    BudgetError, Interrupted or EvolrayError; in all cases what was answered is kept and the same call goes on.
    """
    started = time.monotonic()
    plan = make_plan(config, domain, script)
    folder = open_folder(config.run)
    _check_endpoints(plan)
    with hold(folder):
        describe_run(folder, _described(config, folder), plan.method.domain.prompt_hashes(), plan.identity(config))
        intake = take_in(folder, config.seeds, config.engine.shard_size)
        finished, partly = _finished(folder, plan)
        todo = [shard for shard in sorted(intake.shards) if shard not in finished]
        run = Run(config, plan, folder, intake, finished, started)
        if not todo:
            logger.info("%s: nothing to do, every shard is finished", folder.url)
            run.write("complete")
            return Pool(config.run)
        coordinator = run.coordinator([*todo, *partly])
        stop = run.work(coordinator, todo, console)
        run.conclude(stop)
    return Pool(config.run)


def dry_run(config: EvolveConfig, *, domain: Domain | None = None, script: Script | None = None) -> Estimate:
    """What the run would cost; nothing is written, nobody is asked."""
    plan = make_plan(config, domain, script)
    roots, unanswered = set(), 0
    sample: list[Seed] = []
    for seed in _usable(config):
        if seed.root_id not in roots:
            roots.add(seed.root_id)
            unanswered += not seed.response.strip()
            if len(sample) < 200:
                sample.append(seed)
    if not sample:
        raise UserError(f"seeds.path={config.seeds.path}: no usable seed in it.")
    return estimate(plan, sample, len(roots), unanswered)
