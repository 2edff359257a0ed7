"""Configuration: a dataclass per stage, YAML files and `key=value` on top, everything checked before anything starts.

    load(EvolveConfig, ["conf/evolve/wizardlm.yaml", "run=runs/a", "teacher.model=gpt-4o-mini"])

Later arguments win. Unknown keys are refused with the nearest known one. Secrets are never part of a config: it names
the environment variable that holds the key (`api_key_env`).
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from evolray.errors import UserError

T = TypeVar("T")

AUTO = "auto"


@dataclass
class ModelConfig:
    """Who answers. Sampling defaults are WizardLM's (arXiv 2304.12244, section 4).

    A sampling field set to null is not sent; some reasoning models refuse them.
    """

    kind: str = "endpoint"
    """endpoint (any OpenAI-compatible server), simulated (offline, by rule) or scripted (a Python function)."""
    base_url: str | None = None
    """For example http://localhost:8000/v1. null: the OpenAI client's default."""
    model: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. Endpoints on this machine need none."""
    system: str | None = "You are a helpful assistant."
    temperature: float | None = 1.0
    top_p: float | None = 0.9
    max_tokens: int | None = 2048
    max_tokens_field: str = "max_tokens"
    """The request's name for the limit; reasoning models of OpenAI want max_completion_tokens."""
    frequency_penalty: float | None = 0.0
    presence_penalty: float | None = 0.0
    extra_body: dict[str, Any] = field(default_factory=dict)
    """More fields of the request, as they are, for example {seed: 1} or {chat_template_kwargs: {...}}."""
    timeout_seconds: float = 300.0
    max_retries: int = 8
    give_up_seconds: float = 120.0
    """The endpoint counts as gone, and the run stops, when nothing was answered for so long."""
    max_in_flight: Any = 64
    """Calls in flight in the whole cluster: a number, or auto to find what the endpoint can carry."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price_per_million_prompt_tokens: float = 0.0
    price_per_million_completion_tokens: float = 0.0
    script: str | None = None
    """kind=scripted: `package.module:function`, called with each Call, returning the text."""
    flaws: float = 0.1
    """kind=simulated: the share of answers with a flaw that a rule must catch."""


@dataclass
class SeedsConfig:
    path: str = MISSING
    """A file (Alpaca JSON, JSONL, self-instruct, ShareGPT, Parquet; .gz too), a URL, or hf:NAME[:SPLIT]."""
    respond: str = "keep"
    """keep: a seed's own response stays, one without is answered; anew: the teacher answers every seed."""
    turn: str = "last"
    """ShareGPT: which human turn evolves: first, last or its number from 0."""
    limit: int | None = None
    """Take only the first so many entries."""


@dataclass
class BudgetConfig:
    """The most a run directory may ever cost, over all its reruns. null: no limit."""

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None
    """In the currency of the prices."""


@dataclass
class EngineConfig:
    shard_size: int = 256
    """Roots per shard: what is written, skipped and retried as a whole."""
    actors: int = 1
    """One carries about 700 calls per second; more calls need more actors."""
    cpus_per_actor: float = 0.0
    """What Ray sets aside for each actor. On a cluster 1 brings actors to the worker nodes and lets it scale up."""
    shards_in_flight: int | None = None
    """Open shards per actor. null: computed so that the last calls of a shard never leave the teacher idle."""
    log_seconds: float = 30.0
    """How often a log that is no terminal gets a line of progress."""


@dataclass
class EvolveConfig:
    """`evolray evolve`: seeds in, a pool out."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    domain: str = "open"
    """open, code, math, or your own as package.module:NAME."""
    generations: int = 4
    seed: int = 0
    operators: dict[str, float] = field(default_factory=dict)
    """Weights of operators; those not named have weight 1, and 0 leaves one out."""
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    teacher: ModelConfig = field(default_factory=ModelConfig)
    judge: dict[str, Any] = field(default_factory=dict)
    """What differs from the teacher for the equality verdicts, for example {model: ..., temperature: 0}."""
    responder: dict[str, Any] = field(default_factory=dict)
    """What differs from the teacher for the responses."""
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    retry_failed: bool = False
    """Ask again what failed in a finished run."""
    dry_run: bool = False
    """Print the calls, tokens and cost to expect, and stop."""


def load(schema: type[T], arguments: Sequence[Any], values: Mapping[str, Any] | None = None) -> T:
    """The config from YAML files, `key=value` arguments and finished configs in their order, then dotted `values`.

    Raises UserError for a missing file, an unknown key, a value of the wrong type or a missing mandatory key.
    """
    layers = []
    for argument in arguments:
        if not isinstance(argument, str):
            layers.append(("in the config", OmegaConf.structured(argument)))
        elif "=" in argument and not Path(argument).is_file():
            key, _, value = argument.partition("=")
            layers.append(("on the command line", _parse_override(schema, key, value)))
        else:
            layers.append((f"in {argument}", _read_yaml(argument)))
    if values:
        layers.append(("in the keywords", _nested(values)))
    return _merge(schema, layers)


def from_mapping(schema: type[T], values: Mapping[str, Any]) -> T:
    """The config from nested dictionaries; a dotted key ("teacher.model") reaches into a section."""
    return _merge(schema, [("in the keywords", _nested(values))])


def role(config: EvolveConfig, overrides: Mapping[str, Any], name: str) -> ModelConfig:
    """The teacher's settings with what `judge` or `responder` sets differently."""
    layers = [("in teacher", OmegaConf.structured(config.teacher)), (f"in {name}", OmegaConf.create(dict(overrides)))]
    return _merge(ModelConfig, layers, prefix=f"{name}.")


def to_yaml(config: object) -> str:
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _nested(values: Mapping[str, Any]) -> DictConfig:
    layer = OmegaConf.create()
    for key, value in values.items():
        try:
            OmegaConf.update(layer, str(key), value, merge=True, force_add=True)
        except OmegaConfBaseException as error:
            raise UserError(f"{key}: {_first_line(error)}") from None
    return layer


def _parse_override(schema: type, key: str, value: str) -> DictConfig:
    """A text field takes the value as it stands: as YAML, a run named 20241121_0936 or 3.10 would be a number."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    if _is_text(schema, key) and not quoted and value not in ("null", "~", "???"):
        return _nested({key: value})
    try:
        return OmegaConf.from_dotlist([f"{key}={value}"])
    except Exception as error:  # YAML inside a value can break in many ways
        raise UserError(f"{key}: the value is not YAML ({type(error).__name__}); quote it.") from None


def _is_text(schema: Any, key: str) -> bool:
    """Whether the dotted key names a field of type str or str | None."""
    name, _, rest = key.partition(".")
    found = next((one.type for one in dataclasses.fields(schema) if one.name == name), None)
    if rest:
        return dataclasses.is_dataclass(found) and _is_text(found, rest)
    return found in (str, str | None)


def _read_yaml(path: str) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such config file. Expected YAML files and key=value arguments, for example "
            "conf/evolve/wizardlm.yaml run=runs/first."
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; expected a YAML file.") from None
    except Exception as error:
        raise UserError(f"{path}: not valid YAML: {_first_line(error)}") from None
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{path}: expected keys and values at the top level, got a list or a scalar.")
    return loaded


def _merge(schema: type[T], layers: Sequence[tuple[str, DictConfig]], prefix: str = "") -> T:
    config = OmegaConf.structured(schema)
    for origin, layer in layers:
        try:
            config = OmegaConf.merge(config, layer)
        except ConfigKeyError as error:
            raise UserError(_unknown_key(schema, error, origin, prefix)) from None
        except OmegaConfBaseException as error:
            where = prefix + str(error.full_key) if error.full_key else "a section"
            raise UserError(f"{where} {origin}: {_first_line(error)}") from None
    try:
        loaded = OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise UserError(f"{prefix}{error.full_key} is missing; give it as {prefix}{error.full_key}=VALUE.") from None
    except OmegaConfBaseException as error:
        raise UserError(f"{prefix}{error.full_key}: {_first_line(error)}") from None
    assert isinstance(loaded, schema)
    return loaded


def _unknown_key(schema: type, error: ConfigKeyError, origin: str, prefix: str) -> str:
    """Names the nearest key among all of the schema's, dotted, so that `modle` finds `teacher.model`."""
    wrong = str(error.full_key)
    known = list(dict.fromkeys(_dotted_keys(schema)))
    section, _, name = wrong.rpartition(".")
    by_name = {key.rpartition(".")[2]: key for key in reversed(known)}
    near = [key for key in difflib.get_close_matches(wrong, known, 3) if not wrong.startswith(f"{key}.")]
    near += [by_name[close] for close in difflib.get_close_matches(name, by_name, 1)]
    if near:
        hint = f"did you mean {prefix}{near[0]}?"
    else:
        siblings = [key for key in known if key.rpartition(".")[0] == section]
        hint = f"known here: {', '.join(siblings or known)}."
    return f"{prefix}{wrong}: unknown key {origin}; {hint}"


def _dotted_keys(schema: type, prefix: str = "") -> list[str]:
    keys = []
    for one in dataclasses.fields(schema):
        keys.append(prefix + one.name)
        if isinstance(one.type, type) and dataclasses.is_dataclass(one.type):
            keys += _dotted_keys(one.type, f"{prefix}{one.name}.")
    return keys


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
