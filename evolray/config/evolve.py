"""The settings of `evolray evolve`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, OmegaConf

from evolray.config.loading import merge

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


def role(config: EvolveConfig, overrides: Mapping[str, Any], name: str) -> ModelConfig:
    """The teacher's settings with what `judge` or `responder` sets differently."""
    layers = [("in teacher", OmegaConf.structured(config.teacher)), (f"in {name}", OmegaConf.create(dict(overrides)))]
    return merge(ModelConfig, layers, prefix=f"{name}.")
