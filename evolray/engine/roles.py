"""Who answers the calls of a run: settings, checked and turned into what the actors need. All of it can be pickled."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from evolray.config import AUTO, ModelConfig
from evolray.engine.importing import import_named
from evolray.errors import UserError
from evolray.method.teacher import Call, Purpose
from evolray.pool.accounts import Usage
from evolray.teachers.endpoint import Endpoint
from evolray.teachers.scripted import Answer

KINDS = ("endpoint", "simulated", "scripted")

# What a model's settings share with every rerun of a run: another value would bring other answers.
IDENTITY = (
    "kind", "model", "system", "temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty",
    "extra_body", "script", "flaws",
)  # fmt: skip

LEAST = {
    "timeout_seconds": 0.001,
    "max_retries": 0,
    "give_up_seconds": 0,
    "price_per_million_prompt_tokens": 0,
    "price_per_million_completion_tokens": 0,
}

Script = Callable[[Call], Answer]


@dataclass(frozen=True)
class Limits:
    """Of one model at one endpoint, for the whole cluster, with its prices."""

    max_in_flight: int | Literal["auto"]
    requests_per_minute: float | None
    tokens_per_minute: float | None
    price_per_million_prompt_tokens: float
    price_per_million_completion_tokens: float


@dataclass(frozen=True)
class Role:
    """Who answers the calls of one purpose. Roles with one model share its limits, as their `group`."""

    model: ModelConfig
    group: str
    endpoint: Endpoint | None = None
    script: Script | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide what it answers."""
        return {name: getattr(self.model, name) for name in IDENTITY}

    @property
    def fingerprint(self) -> str:
        """What of the settings makes a call another call, for the ledger."""
        return repr([*self.identity.items()])

    def cost(self, usage: Usage) -> float:
        prompt = usage.prompt_tokens * self.model.price_per_million_prompt_tokens
        return (prompt + usage.completion_tokens * self.model.price_per_million_completion_tokens) / 1e6


def make_roles(
    models: Mapping[Purpose, tuple[str, ModelConfig]], script: Script | None = None
) -> tuple[dict[Purpose, Role], dict[str, Limits]]:
    """The roles, and the limits of their groups. `models`: purpose -> the config's section and what it says.

    `script` replaces the scripts that the config names, for notebooks. Raises UserError for a value that cannot work.
    """
    roles: dict[Purpose, Role] = {}
    groups: dict[str, Limits] = {}
    keys: dict[tuple[Any, ...], str] = {}
    for purpose, (section, model) in models.items():
        limits = _limits(model, section)
        group = keys.setdefault((model.kind, model.base_url, model.model, limits), section)
        groups[group] = limits
        roles[purpose] = _role(model, section, group, script)
    return roles, groups


def _role(model: ModelConfig, section: str, group: str, script: Script | None) -> Role:
    if model.kind == "endpoint":
        names = {one.name for one in fields(Endpoint)}
        settings = {key: value for key, value in asdict(model).items() if key in names}
        settings["system"] = model.system or ""
        settings["base_url"] = model.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        if not model.model:
            raise UserError(f"{section}.model is missing; name the model that the endpoint serves.")
        return Role(model, group, endpoint=Endpoint(**settings))
    if model.kind == "scripted":
        if script is None and not model.script:
            raise UserError(f"{section}.kind=scripted needs {section}.script=package.module:function.")
        found = script or import_named(str(model.script), f"{section}.script")
        if not callable(found):
            raise UserError(f"{section}.script={model.script}: it is a {type(found).__name__}; expected a function.")
        return Role(model, group, script=found)
    return Role(model, group)


def _limits(model: ModelConfig, section: str) -> Limits:
    if model.kind not in KINDS:
        raise UserError(f"{section}.kind={model.kind}: expected {', '.join(KINDS)}.")
    limit = model.max_in_flight
    if limit != AUTO and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise UserError(f"{section}.max_in_flight={limit}: expected a number from 1, or auto.")
    for setting, minimum in LEAST.items():
        if not getattr(model, setting) >= minimum:
            raise UserError(f"{section}.{setting}={getattr(model, setting)}: expected {minimum} or more.")
    for setting in ("requests_per_minute", "tokens_per_minute"):
        value = getattr(model, setting)
        if value is not None and not value > 0:
            raise UserError(f"{section}.{setting}={value}: expected a number above 0, or null for no limit.")
    if not 0 <= model.flaws <= 1:
        raise UserError(f"{section}.flaws={model.flaws}: expected a share from 0 to 1.")
    return Limits(**{one.name: getattr(model, one.name) for one in fields(Limits)})
