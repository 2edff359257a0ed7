"""The plan of a run, from its config. Everything in it can be pickled."""

from collections.abc import Mapping
from typing import Any

from evolray import config as configuration
from evolray.config import EvolveConfig
from evolray.engine.checking import check_least, check_settings
from evolray.engine.importing import import_named
from evolray.engine.roles import Script, make_roles
from evolray.errors import UserError
from evolray.evolve.work import ROLES, Plan
from evolray.method.domains import DOMAINS, Domain
from evolray.method.evolution import Method
from evolray.method.teacher import Purpose


def make_plan(config: EvolveConfig, domain: Domain | None = None, script: Script | None = None) -> Plan:
    """Check the config and resolve what it names. `domain` and `script` replace the config's, for notebooks.

    Raises UserError for a value that cannot work, before anything is started.
    """
    _check(config)
    found = (domain or find_domain(config.domain)).weighted(config.operators)
    later = {
        first: found.weighted(weights, f"operators_by_generation.{first}")
        for first, weights in config.operators_by_generation.items()
    }
    method = Method(found, config.generations, config.seed, config.seeds.respond == "anew", later)
    overrides: dict[Purpose, Mapping[str, Any]] = {"evolve": {}, "judge": config.judge, "respond": config.responder}
    roles, groups = make_roles(
        {purpose: (name, configuration.role(config, overrides[purpose], name)) for purpose, name in ROLES.items()},
        script,
    )
    return Plan(roles, groups, method, config.retry_failed)


def find_domain(name: str) -> Domain:
    """A built-in domain, or the one that `package.module:NAME` names, looked for in the working directory too."""
    if name in DOMAINS:
        return DOMAINS[name]
    if ":" not in name:
        raise UserError(f"domain={name}: expected {', '.join(DOMAINS)}, or your own as package.module:NAME.")
    found = import_named(name, "domain")
    if not isinstance(found, Domain):
        raise UserError(f"domain={name}: it is a {type(found).__name__}; expected an evolray.Domain.")
    return found


def _check(config: EvolveConfig) -> None:
    if config.seeds.respond not in ("keep", "anew"):
        raise UserError(f"seeds.respond={config.seeds.respond}: expected keep or anew.")
    check_least({"generations": (config.generations, 1), "seeds.limit": (config.seeds.limit, 1)})
    for first in config.operators_by_generation:
        if first < 1:
            raise UserError(f"operators_by_generation.{first}: generation 0 are the seeds; expected 1 or more.")
    check_settings(config.engine, config.budget)
