"""Who answers: any OpenAI-compatible endpoint, with its limits, prices and faults; and what a run may cost."""

from dataclasses import dataclass, field
from typing import Any

AUTO = "auto"


@dataclass
class EndpointConfig:
    """Who is asked, and how much at once."""

    kind: str = "endpoint"
    """endpoint (any OpenAI-compatible server), simulated (offline, by rule) or scripted (a Python function)."""
    base_url: str | None = None
    """For example http://localhost:8000/v1. null: the OpenAI client's default."""
    model: str | None = None
    """As the server calls it."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. Endpoints on this machine need none."""
    system: str | None = None
    """Sent before conversations that have no system message of their own. null: none."""
    max_tokens_field: str = "max_tokens"
    """The request's name for the limit; reasoning models of OpenAI want max_completion_tokens."""
    extra_body: dict[str, Any] = field(default_factory=dict)
    """More fields of the request, as they are, for example {seed: 1} or {chat_template_kwargs: {...}}."""
    timeout_seconds: float = 300.0
    """Per request, from sending it to its last byte."""
    max_retries: int = 8
    """How often a call is tried again before it counts as failed."""
    give_up_seconds: float = 120.0
    """The endpoint counts as gone, and the run stops, when nothing was answered for so long."""
    max_in_flight: Any = 64
    """Calls in flight in the whole cluster: a number, or auto to find what the endpoint can carry."""
    requests_per_minute: float | None = None
    """The endpoint's limit, kept over the whole cluster. null: none but what its answers say."""
    tokens_per_minute: float | None = None
    """The same for tokens, prompts and answers together."""
    price_per_million_prompt_tokens: float = 0.0
    """In any currency; 0: costs are not counted."""
    price_per_million_completion_tokens: float = 0.0
    """In the same currency."""
    script: str | None = None
    """kind=scripted: `package.module:function`, called with each Call, returning the text."""
    flaws: float = 0.1
    """kind=simulated: the share of answers with a flaw that a rule must catch."""


@dataclass
class BudgetConfig:
    """The most a run directory may ever cost, over all its reruns. null: no limit."""

    calls: int | None = None
    """Calls that were made, retries among them."""
    tokens: int | None = None
    """Of prompts and answers together."""
    money: float | None = None
    """In the currency of the prices."""


@dataclass
class EngineConfig:
    """How questions to an endpoint are spread over the cluster."""

    shard_size: int = 256
    """Roots or questions per shard: what is written, skipped and retried as a whole."""
    actors: int = 1
    """One carries about 700 calls per second; more calls need more actors."""
    cpus_per_actor: float = 0.0
    """What Ray sets aside for each actor. On a cluster 1 brings actors to the worker nodes and lets it scale up."""
    shards_in_flight: int | None = None
    """Open shards per actor. null: computed so that the last calls of a shard never leave the teacher idle."""
    log_seconds: float = 30.0
    """How often a log that is no terminal gets a line of progress."""
