"""The stages as functions, for scripts and notebooks."""

from collections.abc import Mapping
from typing import Any, TypeVar

from evolray.checkpoints import Checkpoints
from evolray.config import EvolveConfig, TrainConfig, from_mapping, load
from evolray.errors import UserError
from evolray.evolve import stage as evolving
from evolray.evolve.plan import Script
from evolray.method.domains import Domain
from evolray.pool.pool import Pool
from evolray.train import stage as training

Config = TypeVar("Config", EvolveConfig, TrainConfig)


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
    values = _dotted(settings)
    if script is not None:
        values["teacher.kind"] = "scripted"
    if isinstance(domain, str):
        values["domain"] = domain
    elif domain is not None:
        values["domain"] = domain.name
    own = domain if isinstance(domain, Domain) else None
    loaded = _config(EvolveConfig, config, values)
    if loaded.dry_run:
        raise UserError(
            "dry_run: evolray.evolve() returns a pool; for an estimate, call evolray.evolve.stage.dry_run()."
        )
    return evolving.evolve(loaded, domain=own, script=script)


def train(config: TrainConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> Checkpoints:
    """Train a student on a pool or a file; the same as the command `evolray train`.

    `config` and keywords are as for `evolve`, and `data` may be the Pool itself:
    train("conf/train/tiny.yaml", data=pool, run="runs/tiny").best() is the checkpoint with the lowest held-out loss.
    Raises UserError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    values = _dotted(settings)
    if isinstance(values.get("data"), Pool):
        values["data"] = values["data"].folder.url
    return training.train(_config(TrainConfig, config, values))


def _dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("__", "."): value for key, value in settings.items()}


def _config(schema: type[Config], config: Config | Mapping[str, Any] | str | None, values: dict[str, Any]) -> Config:
    if isinstance(config, str | EvolveConfig | TrainConfig):
        return load(schema, [config], values)
    return from_mapping(schema, {**(config or {}), **values})
