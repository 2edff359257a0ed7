"""Whose likelihoods are measured: a checkpoint that lm-eval loads, or an endpoint that gives log-probabilities."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolray.config.endpoint import AUTO, EndpointConfig
from evolray.config.judge import LmEvalConfig
from evolray.errors import UserError
from evolray.sampling.resolve import FoundModel

AUTO_IN_FLIGHT = 64
"""lm-eval wants a number: what endpoints are asked with where max_in_flight is auto."""


@dataclass(frozen=True)
class CheckpointSource:
    """`model` as `evolray.sampling.resolve` finds it; `precision`: auto, bf16, fp16, fp32."""

    model: FoundModel
    precision: str = "auto"

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def identity(self) -> Mapping[str, Any]:
        return {**self.model.identity, "precision": self.precision}


@dataclass(frozen=True)
class EndpointSource:
    """A completions endpoint with the log-probabilities of the prompt (`echo`), as vLLM's and SGLang's servers have it.

    `tokenizer`: a folder, or a name on the Hub; the model's own, since prompts are sent as tokens. The key stays in
    the environment variable `api_key_env`, here and in the one process that asks.
    """

    base_url: str
    model: str
    api_key_env: str
    tokenizer: str
    max_in_flight: int = AUTO_IN_FLIGHT
    retries: int = 8
    timeout_seconds: float = 300.0

    @property
    def name(self) -> str:
        return self.model

    @property
    def identity(self) -> Mapping[str, Any]:
        """As everywhere, where the model is served is not part of what it is."""
        return {"model": self.model, "tokenizer": self.tokenizer}


ModelSource = CheckpointSource | EndpointSource


def endpoint_source(endpoint: EndpointConfig, settings: LmEvalConfig) -> EndpointSource:
    """Raises UserError for an endpoint that lm-eval cannot ask."""
    if endpoint.kind != "endpoint":
        raise UserError(
            f"endpoint.kind={endpoint.kind}: knowledge benchmarks need the log-probabilities of the prompt, and this "
            "kind has none. Expected a checkpoint (model=), or a completions endpoint such as vLLM's."
        )
    if not endpoint.base_url or not endpoint.model:
        raise UserError(
            "endpoint.base_url and endpoint.model are needed for knowledge benchmarks, for example "
            "endpoint.base_url=http://localhost:8000/v1 endpoint.model=NAME."
        )
    tokenizer = settings.tokenizer or endpoint.model
    if Path(tokenizer).expanduser().is_dir():
        tokenizer = str(Path(tokenizer).expanduser().absolute())  # lm-eval works in a folder of its own
    in_flight = AUTO_IN_FLIGHT if endpoint.max_in_flight == AUTO else int(endpoint.max_in_flight)
    return EndpointSource(
        base_url=endpoint.base_url.rstrip("/"),
        model=endpoint.model,
        api_key_env=endpoint.api_key_env,
        tokenizer=tokenizer,
        max_in_flight=in_flight,
        retries=endpoint.max_retries,
        timeout_seconds=endpoint.timeout_seconds,
    )


def digest(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
