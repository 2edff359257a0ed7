"""The next token of each row: the likeliest one, or one drawn at random.

A row draws from random numbers of its own, one per token, that depend on the seed, the question's id, the number of
its sample and the turn of its conversation alone. So what it says does not depend on the rows beside it, on their
order, or on who computes it; but for rounding, since a matrix product of another shape may differ in its last digits.
In fp32 that decides nothing but ties; in bf16 it may, now and then, decide between tokens that are nearly as likely.
"""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from evolray.config import SamplingConfig
from evolray.sampling.questions import Question

if TYPE_CHECKING:
    import torch


def stream_of(seed: int, question: Question, turn: int = 1) -> str:
    """The name of a row's random numbers. No id makes that of a later turn the name of a first one, which ends in the
    bare number of its sample."""
    return f"{seed}/{question.id}/{question.sample}{f', turn {turn}' if turn > 1 else ''}"


def random_of(seed: int, question: Question, turn: int = 1) -> Random:
    return Random(stream_of(seed, question, turn))


def draw(logits: "torch.Tensor", randoms: Sequence[Random], sampling: SamplingConfig) -> list[int]:
    """From logits (B, V), a token for each row, all at the temperature of `sampling` (none is 0)."""
    import torch

    if not sampling.temperature:
        chosen: list[int] = logits.argmax(dim=-1).tolist()
        return chosen
    weights = _kept(torch.softmax(logits.float() / sampling.temperature, dim=-1), sampling)
    sums = weights.double().cumsum(dim=-1)  # in the order of the vocabulary, which rounding cannot change
    places = torch.tensor([one.random() for one in randoms], dtype=torch.double, device=sums.device)
    # The first token whose sum is above the drawn place: never one of weight 0.
    found = torch.searchsorted(sums, (places * sums[:, -1])[:, None], right=True)[:, 0]
    drawn: list[int] = found.clamp(max=logits.shape[-1] - 1).tolist()
    return drawn


def _kept(weights: "torch.Tensor", sampling: SamplingConfig) -> "torch.Tensor":
    """Weights (B, V) with 0 for what top_k, and then top_p of what is left, cut off; equals share their fate."""
    import torch

    if 0 < sampling.top_k < weights.shape[-1]:
        least = weights.topk(sampling.top_k, dim=-1).values[:, -1:]
        weights = weights.where(weights >= least, 0.0)
    if sampling.top_p < 1:
        falling = weights.sort(dim=-1, descending=True).values
        before = falling.double().cumsum(dim=-1) - falling
        inside = before < sampling.top_p * weights.double().sum(dim=-1, keepdim=True)  # the likeliest always is
        least = falling.gather(-1, inside.sum(dim=-1, keepdim=True).clamp(min=1) - 1)
        weights = weights.where(weights >= least, torch.zeros_like(weights))
    return weights
