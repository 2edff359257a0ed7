"""The settings of `evolray evolve`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, OmegaConf

from evolray.config.endpoint import BudgetConfig, EndpointConfig, EngineConfig
from evolray.config.loading import merge


@dataclass
class ModelConfig(EndpointConfig):
    """A teacher. Sampling defaults are WizardLM's (arXiv 2304.12244, section 4).

    A sampling field set to null is not sent; some reasoning models refuse them.
    """

    system: str | None = "You are a helpful assistant."
    temperature: float | None = 1.0
    """null: not sent, as for the other sampling fields; some reasoning models refuse them."""
    top_p: float | None = 0.9
    """Nucleus sampling: of the likeliest tokens, as many as make up this share."""
    max_tokens: int | None = 2048
    """Tokens per answer."""
    frequency_penalty: float | None = 0.0
    """Against tokens in proportion to how often they came already."""
    presence_penalty: float | None = 0.0
    """Against tokens that came already."""


@dataclass
class SeedsConfig:
    """Where evolution begins."""

    path: str = MISSING
    """A file (Alpaca JSON, JSONL, self-instruct, ShareGPT, Parquet; .gz too, or s3://...), or hf:NAME[:SPLIT]."""
    respond: str = "keep"
    """keep: a seed's own response stays, one without is answered; anew: the teacher answers every seed."""
    turn: str = "last"
    """ShareGPT: which human turn evolves: first, last or its number from 0."""
    limit: int | None = None
    """Take only the first so many entries."""


@dataclass
class EvolveConfig:
    """`evolray evolve`: seeds in, a pool out."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    domain: str = "open"
    """open, code, math, or your own as package.module:NAME."""
    generations: int = 4
    """Rounds of evolution; the seeds are generation 0. More of them later go on with the same pool."""
    seed: int = 0
    """Of the choice of operators: the same for a root whatever else runs."""
    operators: dict[str, float] = field(default_factory=dict)
    """Weights of operators; those not named have weight 1, and 0 leaves one out."""
    operators_by_generation: dict[int, dict[str, float]] = field(default_factory=dict)
    """Other weights from a generation on, until the next one named here: {3: {deepen: 2}}. An operator that is not
    named has its weight of `operators`. A finished run that grows may get weights for its new generations only."""
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
