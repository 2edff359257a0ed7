"""`refine`: from pools to a training mix. Everything that can be wrong is found before the cluster starts."""

import logging
from dataclasses import asdict
from typing import Any

from rich.console import Console

from evolray.config import RefineConfig
from evolray.engine.roles import Script
from evolray.pool.layout import hold, open_folder
from evolray.pool.manifest import describe_run
from evolray.refine import manifest as manifests
from evolray.refine.intake.sources import shown_path
from evolray.refine.plan import Plan, make_plan
from evolray.refine.preview import preview
from evolray.refine.results import Refined
from evolray.refine.run import Run

logger = logging.getLogger("evolray")


def refine(config: RefineConfig, *, script: Script | None = None, console: Console | None = None) -> Refined:
    """Refine `config.data` into the mix of `config.run`, or go on where an earlier run of it ended.

    A step whose settings have changed since is done again, and those after it; the others are not, and no answer of a
    judge is paid for twice. `script` stands in for `judge.script`. Raises UserError, EndpointError, BudgetError,
    Interrupted or EvolrayError; what is finished stays, and the same call goes on.
    """
    plan = make_plan(config, script)
    folder = open_folder(config.run)
    with hold(folder):
        describe_run(folder, described(plan, folder.url), {}, {"stage": manifests.STAGE})
        run = Run(plan, folder)
        if run.is_complete():
            logger.info("%s: nothing to do, the mix is complete", folder.url)
        else:
            run.work(console)
    return Refined(config.run)


def dry_run(config: RefineConfig, *, script: Script | None = None) -> list[str]:
    """How many records there are, and what judging them would cost at most: lines for people. Nothing is written."""
    return preview(make_plan(config, script))


def described(plan: Plan, url: str) -> dict[str, Any]:
    """The full config as run.yaml may show it: URLs without credentials."""
    described = asdict(plan.config)
    described["run"] = url
    described["data"] = [
        {"name": source.name, "path": source.shown, "weight": source.weight, "columns": dict(source.columns)}
        for source in plan.sources
    ]
    named = plan.config.contamination.benchmarks.items()
    described["contamination"]["benchmarks"] = {name: shown_path(path) for name, path in named}
    if described["judge"].get("base_url"):
        described["judge"]["base_url"] = shown_path(described["judge"]["base_url"])
    return described
