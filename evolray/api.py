"""The stages as functions, for scripts and notebooks."""

from collections.abc import Mapping
from typing import Any

from evolray.config import EvolveConfig, from_mapping, load
from evolray.errors import UserError
from evolray.evolve import stage
from evolray.evolve.plan import Script
from evolray.method.domains import Domain
from evolray.pool.pool import Pool


def evolve(
    config: EvolveConfig | Mapping[str, Any] | str | None = None,
    *,
    domain: Domain | str | None = None,
    script: Script | None = None,
    **settings: Any,
) -> Pool:
    """Evolve seeds into a pool; the same as the command `evolray evolve`.

    `config` is an EvolveConfig, the path of a YAML file or a mapping whose keys may be dotted; keywords come on top,
    with two underscores for a dot: evolve("conf/evolve/wizardlm.yaml", run="runs/a", seeds__path="seeds.json").
    `domain` may be a Domain of your own. `script` is a function from a Call to its answer that plays all the roles.
    Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    values = {key.replace("__", "."): value for key, value in settings.items()}
    if script is not None:
        values["teacher.kind"] = "scripted"
    if isinstance(domain, str):
        values["domain"] = domain
    elif domain is not None:
        values["domain"] = domain.name
    own = domain if isinstance(domain, Domain) else None
    loaded = _config(config, values)
    if loaded.dry_run:
        raise UserError(
            "dry_run: evolray.evolve() returns a pool; for an estimate, call evolray.evolve.stage.dry_run()."
        )
    return stage.evolve(loaded, domain=own, script=script)


def _config(config: EvolveConfig | Mapping[str, Any] | str | None, values: dict[str, Any]) -> EvolveConfig:
    if isinstance(config, str):
        return load(EvolveConfig, [config], values)
    if isinstance(config, EvolveConfig):
        return load(EvolveConfig, [config], values)
    return from_mapping(EvolveConfig, {**(config or {}), **values})
