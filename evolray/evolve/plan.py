"""The plan of a run: the config, checked and turned into what the actors need. Everything in it can be pickled."""

import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from evolray import config as configuration
from evolray.config import AUTO, EvolveConfig, ModelConfig
from evolray.errors import UserError
from evolray.method.domains import DOMAINS, Domain
from evolray.method.evolution import Method
from evolray.method.teacher import Call, Purpose
from evolray.pool.accounts import Usage
from evolray.teachers.endpoint import Endpoint
from evolray.teachers.scripted import Answer

ROLES: dict[Purpose, str] = {"evolve": "teacher", "judge": "judge", "respond": "responder"}
KINDS = ("endpoint", "simulated", "scripted")
LARGEST_FOUND_LIMIT = 1024  # what max_in_flight=auto may find; as many roots must be at hand
ROOTS_PER_SLOT = 8  # open roots per call in flight, so that the end of a shard never leaves the teacher idle

# What a model's settings share with every rerun of a run: another value would make another pool.
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
    def fingerprint(self) -> str:
        """What of the settings makes a call another call, for the ledger."""
        return repr([(name, getattr(self.model, name)) for name in IDENTITY])

    def cost(self, usage: Usage) -> float:
        prompt = usage.prompt_tokens * self.model.price_per_million_prompt_tokens
        return (prompt + usage.completion_tokens * self.model.price_per_million_completion_tokens) / 1e6


@dataclass(frozen=True)
class Plan:
    method: Method
    roles: dict[Purpose, Role]
    groups: dict[str, Limits]
    retry_failed: bool

    def cost(self, usage: Mapping[str, Usage]) -> float:
        return sum(role.cost(usage.get(purpose, Usage())) for purpose, role in self.roles.items())

    @property
    def endpoints(self) -> list[Endpoint]:
        """The distinct ones."""
        found = [role.endpoint for role in self.roles.values() if role.endpoint]
        return [endpoint for n, endpoint in enumerate(found) if endpoint not in found[:n]]

    def identity(self, config: EvolveConfig) -> dict[str, Any]:
        """The settings that decide what the pool is."""
        settings = {
            ROLES[purpose]: {name: getattr(role.model, name) for name in IDENTITY}
            for purpose, role in self.roles.items()
        }
        weights = dict(zip(self.method.domain.operator_names, self.method.domain.weights, strict=True))
        return {
            "domain": self.method.domain.name,
            "generations": self.method.generations,
            "seed": self.method.seed,
            "operators": weights,
            "seeds": {"respond": config.seeds.respond, "turn": str(config.seeds.turn)},
            **settings,
        }


def make_plan(config: EvolveConfig, domain: Domain | None = None, script: Script | None = None) -> Plan:
    """Check the config and resolve what it names. `domain` and `script` replace the config's, for notebooks.

    Raises UserError for a value that cannot work, before anything is started.
    """
    _check(config)
    found = (domain or find_domain(config.domain)).weighted(config.operators)
    answer_anew = config.seeds.respond == "anew"
    method = Method(found, config.generations, config.seed, answer_anew)
    roles: dict[Purpose, Role] = {}
    groups: dict[str, Limits] = {}
    keys: dict[tuple[Any, ...], str] = {}
    overrides: dict[Purpose, dict[str, Any]] = {"evolve": {}, "judge": config.judge, "respond": config.responder}
    for purpose in get_args(Purpose):
        name = ROLES[purpose]
        model = configuration.role(config, overrides[purpose], name)
        limits = _limits(model, name)
        group = keys.setdefault((model.kind, model.base_url, model.model, limits), name)
        groups[group] = limits
        roles[purpose] = _role(model, name, group, script)
    return Plan(method, roles, groups, config.retry_failed)


def shards_in_flight(config: EvolveConfig, plan: Plan) -> int:
    """How many shards an actor keeps open, unless the config says."""
    if config.engine.shards_in_flight is not None:
        return config.engine.shards_in_flight
    limits = [limits.max_in_flight for limits in plan.groups.values()]
    most = sum(LARGEST_FOUND_LIMIT if limit == AUTO else int(limit) for limit in limits)
    return max(2, min(64, math.ceil(ROOTS_PER_SLOT * most / config.engine.shard_size)))


def find_domain(name: str) -> Domain:
    """A built-in domain, or the one that `package.module:NAME` names, looked for in the working directory too."""
    if name in DOMAINS:
        return DOMAINS[name]
    if ":" not in name:
        raise UserError(f"domain={name}: expected {', '.join(DOMAINS)}, or your own as package.module:NAME.")
    found = _import(name, "domain")
    if not isinstance(found, Domain):
        raise UserError(f"domain={name}: it is a {type(found).__name__}; expected an evolray.Domain.")
    return found


def _role(model: ModelConfig, name: str, group: str, script: Script | None) -> Role:
    if model.kind == "endpoint":
        names = {one.name for one in fields(Endpoint)}
        settings = {key: value for key, value in asdict(model).items() if key in names}
        settings["system"] = model.system or ""
        settings["base_url"] = model.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        if not model.model:
            raise UserError(f"{name}.model is missing; name the model that the endpoint serves.")
        return Role(model, group, endpoint=Endpoint(**settings))
    if model.kind == "scripted":
        if script is None and not model.script:
            raise UserError(f"{name}.kind=scripted needs {name}.script=package.module:function.")
        found = script or _import(str(model.script), f"{name}.script")
        if not callable(found):
            raise UserError(f"{name}.script={model.script}: it is a {type(found).__name__}; expected a function.")
        return Role(model, group, script=found)
    return Role(model, group)


def _limits(model: ModelConfig, name: str) -> Limits:
    if model.kind not in KINDS:
        raise UserError(f"{name}.kind={model.kind}: expected {', '.join(KINDS)}.")
    limit = model.max_in_flight
    if limit != AUTO and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise UserError(f"{name}.max_in_flight={limit}: expected a number from 1, or auto.")
    for setting, minimum in LEAST.items():
        if not getattr(model, setting) >= minimum:
            raise UserError(f"{name}.{setting}={getattr(model, setting)}: expected {minimum} or more.")
    for setting in ("requests_per_minute", "tokens_per_minute"):
        value = getattr(model, setting)
        if value is not None and not value > 0:
            raise UserError(f"{name}.{setting}={value}: expected a number above 0, or null for no limit.")
    if not 0 <= model.flaws <= 1:
        raise UserError(f"{name}.flaws={model.flaws}: expected a share from 0 to 1.")
    return Limits(**{one.name: getattr(model, one.name) for one in fields(Limits)})


def _check(config: EvolveConfig) -> None:
    if config.seeds.respond not in ("keep", "anew"):
        raise UserError(f"seeds.respond={config.seeds.respond}: expected keep or anew.")
    least = {
        "generations": (config.generations, 1),
        "engine.shard_size": (config.engine.shard_size, 1),
        "engine.actors": (config.engine.actors, 1),
        "engine.cpus_per_actor": (config.engine.cpus_per_actor, 0),
        "engine.shards_in_flight": (config.engine.shards_in_flight, 1),
        "engine.log_seconds": (config.engine.log_seconds, 0.1),
        "seeds.limit": (config.seeds.limit, 1),
        "budget.calls": (config.budget.calls, 1),
        "budget.tokens": (config.budget.tokens, 1),
        "budget.money": (config.budget.money, 0),
    }
    for key, (value, minimum) in least.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{key}={value}: expected {minimum} or more.")


def _import(name: str, setting: str) -> Any:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may break in any way
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{setting}={name}: cannot be imported ({why}); expected package.module:NAME.") from None
