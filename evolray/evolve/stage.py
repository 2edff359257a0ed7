"""`evolve`: from a config to a pool. Everything that can be wrong is found before the cluster starts."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from rich.console import Console

from evolray.config import EvolveConfig
from evolray.engine.checking import check_endpoints
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Snapshot, Stop
from evolray.engine.roles import Script
from evolray.engine.spending import READERS, add_up, spent, totals
from evolray.errors import EvolrayError
from evolray.evolve.estimate import SAMPLE, Estimate, estimate
from evolray.evolve.plan import make_plan
from evolray.evolve.progress import Progress
from evolray.evolve.work import ROLES, Plan
from evolray.method.domains import Domain
from evolray.pool.accounts import Accounts
from evolray.pool.intake import Intake, take_in
from evolray.pool.layout import Folder, hold, open_folder, shards_in
from evolray.pool.manifest import Manifest, Status, check_same_run, describe_run, read_manifest, write_manifest
from evolray.pool.pool import Pool
from evolray.pool.seed_formats import without_credentials
from evolray.pool.seeds import read_seeds
from evolray.pool.shards import POOL, read_accounts
from evolray.records import Seed

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
    plan = make_plan(config, domain, script)
    folder = open_folder(config.run)
    check_endpoints(plan)
    with hold(folder):
        run = Run(config, plan, folder)
        if not run.todo:
            logger.info("%s: nothing to do, every shard is finished", folder.url)
            run.write("complete")
        else:
            run.work(console)
    return Pool(config.run)


def dry_run(config: EvolveConfig, *, domain: Domain | None = None, script: Script | None = None) -> Estimate:
    """What the run would cost; nothing is written, nobody is asked."""
    plan = make_plan(config, domain, script)
    roots, unanswered = set(), 0
    sample: list[Seed] = []
    for seed in _usable_seeds(config):
        if seed.root_id not in roots:
            roots.add(seed.root_id)
            unanswered += not seed.response.strip()
            if len(sample) < SAMPLE:
                sample.append(seed)
    return estimate(plan, sample, len(roots), unanswered)


class Run:
    """One invocation: what is there already, what is to be done, and the manifest about both."""

    def __init__(self, config: EvolveConfig, plan: Plan, folder: Folder) -> None:
        self._started = time.monotonic()
        self._config, self._plan, self._folder = config, plan, folder
        before = read_manifest(folder)
        self._seconds_before = before.seconds if before else 0.0
        prompts, identity = plan.method.domain.prompt_hashes(), plan.identity(config)
        check_same_run(folder, prompts, identity)
        self._intake: Intake = take_in(folder, config.seeds, config.engine.shard_size)
        describe_run(folder, _described(config, folder), prompts, identity)  # not before the seeds are known to be good
        self._finished = _finished(folder, plan)
        self.todo = [shard for shard in sorted(self._intake.shards) if shard not in self._finished]
        self._written = 0.0

    def work(self, console: Console | None) -> None:
        """Evolve what is to be done. Raises the error that stands for why the run stopped, if it did."""
        from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed
        from evolray.engine import on_ray

        method, engine = self._plan.method, self._config.engine
        title = f"evolving {self._intake.roots:,} roots, {method.generations} generations, into {self._folder.url}"
        logger.info("%s; %d of %d shards to do", title, len(self.todo), len(self._intake.shards))
        paid = spent(self._folder, self._finished.values(), self.todo)
        coordinator = Coordinator(self._plan, self._config.budget, add_up(self._finished.values()), paid)
        progress = Progress(title, self._intake.roots, method.generations, engine.log_seconds, console)
        self.write("running")

        def show(snapshot: Snapshot) -> None:
            progress.show(snapshot)
            if time.monotonic() - self._written > MANIFEST_SECONDS:
                self.write("running", live=snapshot)

        try:
            with cluster(), progress:
                finished, stop = on_ray.run_shards(self._plan, coordinator, self._folder, self.todo, engine, show)
        except EvolrayError as error:
            self.write("stopped", str(error))
            raise
        self._finished |= finished
        self._conclude(stop)

    def write(self, status: Status, message: str = "", live: Snapshot | None = None) -> Manifest:
        """Write the manifest. A complete run's accounts must balance (EvolrayError)."""
        accounts = add_up([self._intake.rejected, *self._finished.values()])
        accounts.check()
        calls, _ = totals(accounts.usage)
        manifest = Manifest(
            run=self._folder.url,
            status=status,
            domain=self._plan.method.domain.name,
            teacher=self._plan.roles["evolve"].model.model or self._plan.roles["evolve"].model.kind,
            generations=self._plan.method.generations,
            seeds={
                "path": without_credentials(self._config.seeds.path),
                "entries": self._intake.entries,
                "roots": self._intake.roots,
            },
            shards={"finished": len(self._finished), "all": len(self._intake.shards)},
            accounts=accounts.by_generation(),
            operators=accounts.by_operator(),
            kept=accounts.total("kept"),
            eliminated=accounts.total("eliminated"),
            failed=accounts.total("failed"),
            calls=calls,
            calls_by_purpose={purpose: usage.calls for purpose, usage in sorted(accounts.usage.items())},
            tokens={
                "prompt": sum(usage.prompt_tokens for usage in accounts.usage.values()),
                "completion": sum(usage.completion_tokens for usage in accounts.usage.values()),
            },
            cost=round(self._plan.cost(accounts.usage), 6),
            seconds=round(self._seconds_before + time.monotonic() - self._started, 1),
            digest=f"{accounts.digest:064x}",
            message=message,
            live=_live(live) if live else {},
        )
        write_manifest(self._folder, manifest)
        self._written = time.monotonic()
        return manifest

    def _conclude(self, stop: Stop | None) -> None:
        if stop is None:
            self.write("complete")
            return
        error = stop.as_error(f"{len(self._finished)} of {len(self._intake.shards)} shards are finished")
        self.write(STATUS.get(stop.kind, "stopped"), str(error))
        raise error


def _finished(folder: Folder, plan: Plan) -> dict[int, Accounts]:
    """The shards that need no more work, with their accounts."""
    shards = shards_in(folder, POOL)
    with ThreadPoolExecutor(READERS) as readers:
        read = list(readers.map(lambda shard: read_accounts(folder, shard), shards))
    return {
        shard: accounts
        for shard, (accounts, generations) in zip(shards, read, strict=True)
        if generations >= plan.method.generations and not (plan.retry_failed and accounts.total("failed"))
    }


def _usable_seeds(config: EvolveConfig) -> Iterator[Seed]:
    entries = read_seeds(config.seeds.path, turn=str(config.seeds.turn), limit=config.seeds.limit)
    return (entry for entry in entries if isinstance(entry, Seed))


def _described(config: EvolveConfig, folder: Folder) -> dict[str, Any]:
    """The full config as run.yaml may show it: URLs without credentials."""
    described = asdict(config)
    described["run"] = folder.url
    described["seeds"]["path"] = without_credentials(config.seeds.path)
    for role in ROLES.values():
        if described[role].get("base_url"):
            described[role]["base_url"] = without_credentials(described[role]["base_url"]).partition("?")[0]
    return described


def _live(snapshot: Snapshot) -> dict[str, Any]:
    shown = asdict(snapshot)
    del shown["accounts"]
    return {"outcomes": sum(snapshot.accounts.outcomes.values()), **shown}
