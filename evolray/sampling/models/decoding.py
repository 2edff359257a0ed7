"""Token after token for a batch of prompts, padded on the left; a row that is done leaves the batch at once.

A loop of our own in place of transformers' `generate`: there a batch computes at its full size until its longest
answer ends, and settings that happen to lie in the model's folder (repetition_penalty, ...) change what is sampled.
A model is given what `generate` gives it: attention_mask, position_ids where it knows them, past_key_values.

Shapes: B rows, T tokens so far, V entries of the vocabulary.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from evolray.config import SamplingConfig
from evolray.sampling.models.drawing import draw
from evolray.sampling.models.reading import Reader

if TYPE_CHECKING:
    import torch

# What of transformers' caches can lose and repeat rows: keys and values by row, and nothing else. Others (states of
# recurrent layers) keep a batch at its full size.
DIVISIBLE = ("DynamicLayer", "DynamicSlidingWindowLayer")


@dataclass(slots=True)
class Row:
    """`finish_reason` is "" until the row is done. `new` includes the token that ended it."""

    prompt: Sequence[int]
    room: int
    stop: Sequence[str]
    random: Random
    new: list[int] = field(default_factory=list)
    finish_reason: str = ""


def decode(
    model: Any, rows: Sequence[Row], sampling: SamplingConfig, reader: Reader, tick: Callable[[int], None]
) -> None:
    """Fill in what each row says.

    `tick` is told the number of new tokens after each step of the model; what it raises ends the batch.
    """
    import torch

    with torch.inference_mode():
        batch = Batch(model, rows)
        while True:
            tokens = draw(batch.logits[:, : reader.vocabulary], [row.random for row in batch.rows], sampling)
            written = 0
            for row, token in zip(batch.rows, tokens, strict=True):
                if not row.finish_reason:
                    row.new.append(token)
                    row.finish_reason = _finish_reason(row, reader)
                    written += 1
            tick(written)
            if all(row.finish_reason for row in batch.rows):
                return
            batch.advance(tokens)


def _finish_reason(row: Row, reader: Reader) -> str:
    if row.new[-1] in reader.ends or reader.has_stopped(row.prompt, row.new, row.stop):
        return "stop"
    return "length" if len(row.new) >= row.room else ""


class Batch:
    """`logits`: (B, V), of the token that comes next in each of `rows`."""

    _cache: Any

    def __init__(self, model: Any, rows: Sequence[Row]) -> None:
        self._model, self.rows = model, list(rows)
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._options: dict[str, Any] = {"use_cache": True}
        if "logits_to_keep" in accepted:  # else the prompt's logits, (B, T, V), are the largest thing in memory
            self._options["logits_to_keep"] = 1
        self._begin([*dict.fromkeys(tuple(row.prompt) for row in self.rows)])

    def _begin(self, prompts: Sequence[Sequence[int]]) -> None:
        """Compute the distinct prompts, and give every row that of its own: n samples of a question share one."""
        import torch

        device = self._model.device
        longest = max(map(len, prompts))
        tokens = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._mask = torch.tensor(mask, device=device)  # (B, T)
        self._cache = None
        self.logits = self._forward(torch.tensor(tokens, device=device))
        if len(prompts) == len(self.rows):
            return
        if not self._is_divisible():
            return self._begin([row.prompt for row in self.rows])
        number = {tuple(prompt): at for at, prompt in enumerate(prompts)}
        chosen = torch.tensor([number[tuple(row.prompt)] for row in self.rows], device=device)
        self._cache.batch_select_indices(chosen)
        self._mask, self.logits = self._mask[chosen], self.logits[chosen]

    def advance(self, tokens: Sequence[int]) -> None:
        """By the token that was chosen for each row; rows that are done are dropped."""
        import torch

        fed = torch.tensor(tokens, device=self._model.device)[:, None]
        going = [at for at, row in enumerate(self.rows) if not row.finish_reason]
        if len(going) < len(self.rows) and self._is_divisible():
            chosen = torch.tensor(going, device=fed.device)
            self._cache.batch_select_indices(chosen)
            self.rows, self._mask, fed = [self.rows[at] for at in going], self._mask[chosen], fed[chosen]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], dim=1)
        self.logits = self._forward(fed)

    def _forward(self, tokens: "torch.Tensor") -> "torch.Tensor":
        options = dict(self._options)
        if self._takes_positions:
            # Padding counts for nothing: every row's first token is at 0.
            options["position_ids"] = (self._mask.cumsum(dim=-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._model(input_ids=tokens, attention_mask=self._mask, past_key_values=self._cache, **options)
        self._cache = out.past_key_values
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _is_divisible(self) -> bool:
        return all(type(layer).__name__ in DIVISIBLE for layer in getattr(self._cache, "layers", [None]))
