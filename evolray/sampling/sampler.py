"""What `evaluate` and `generate` need of whoever answers: an endpoint or a checkpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evolray.pool.layout import Folder


@dataclass(frozen=True, slots=True)
class Sampling:
    """How far sampling is. `sampled` and `failed` include what earlier invocations did."""

    sampled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    detail: str = ""
    """For people, what only this kind of sampler knows: "61 of 64 in flight", "batches of 32 on 2 workers"."""


class Sampler(Protocol):
    name: str
    """What is sampled, as it is shown and stored; without credentials."""
    has_chat_template: bool
    """Whether conversations can be put to it; else only prompts to be continued."""
    identity: Mapping[str, Any]
    """What makes other samples: model, hash of its weights' sizes, temperature, seed, ...; not workers or batches."""

    def check(self) -> None:
        """That it answers at all, before anything is started. Raises UserError or EndpointError."""

    def run(
        self, folder: Folder, shards: Sequence[int], show: Callable[[Sampling], None], beside: Sequence[Folder] = ()
    ) -> None:
        """Answer the questions of these shards; write each shard's samples when it is done.

        `beside`: other folders that were sampled under the same budget; what they cost counts against it.

        Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; what was answered by then is kept,
        and another call goes on from there. A question that got no answer is a Sample with a cause.
        """
