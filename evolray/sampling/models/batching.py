"""How many questions are answered at once: as many as memory takes, the longest prompts first.

An estimate, not a promise: keys and values of every token, what one layer computes of the prompts, and the
probabilities of the next token. A GPU that runs out of memory all the same gets half as much from then on
(by_transformers.py); a CPU's process would be ended by the system, so there a half of what is free has to do.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from evolray.sampling.models.rendering import Rendered

SHARE = {"cpu": 0.5, "gpu": 0.8}
MOST_ROWS = {"cpu": 32, "gpu": 256}
"""Above it a batch is hardly faster, and takes longer until it is written down."""
COPIES_OF_WEIGHTS = 4
"""Of the probabilities of the next token: drawing sorts and sums them, partly in double precision."""


@dataclass(frozen=True)
class Limits:
    """Of a batch: `tokens` of prompts and answers, each row counted as long as the longest can get."""

    tokens: int
    rows: int | None = None

    def halved(self, rows: int) -> "Limits":
        return Limits(max(1, self.tokens // 2), max(1, rows // 2))


def limits_for(config: Any, device: str, memory: int, bytes_per_number: int, batch_tokens: int | None) -> Limits:
    """`config`: the model's. `memory`: bytes that are left beside its weights. `batch_tokens`: what the user wants."""
    if batch_tokens is not None:
        return Limits(batch_tokens)
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", 1)
    key_value_heads = getattr(text, "num_key_value_heads", None) or heads
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    kept = 2 * text.num_hidden_layers * key_value_heads * head_size
    wide = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    passing = 2 * (2 * key_value_heads * head_size) + 4 * text.hidden_size + 3 * wide
    per_token = (kept + passing) * bytes_per_number
    per_row = text.vocab_size * 8 * COPIES_OF_WEIGHTS
    free = max(0.0, memory * SHARE[device] - per_row * MOST_ROWS[device])
    return Limits(max(1, int(free // per_token)), MOST_ROWS[device])


def in_order(asked: list[Rendered]) -> deque[Rendered]:
    """Prompts of like length together, so that there is little padding; the longest first, so that what does not fit
    shows at once."""
    return deque(sorted(asked, key=lambda one: (-len(one.tokens), one.question.id, one.question.sample)))


def take(waiting: deque[Rendered], limits: Limits) -> list[Rendered]:
    """Remove the next batch from the front: at least one."""
    batch = [waiting.popleft()]
    longest, room = len(batch[0].tokens), batch[0].room
    while waiting and (limits.rows is None or len(batch) < limits.rows):
        room = max(room, waiting[0].room)
        if (len(batch) + 1) * (longest + room) > limits.tokens:
            break
        batch.append(waiting.popleft())
    return batch
