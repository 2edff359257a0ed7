"""How long the simulated teacher's answers are: token counts are estimates, four characters to a token."""

from collections.abc import Sequence
from dataclasses import replace

from evolray.method.teacher import Completion

CHARACTERS_PER_TOKEN = 4


def tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def shorten(completion: Completion, max_tokens: int | None, stop: Sequence[str]) -> Completion:
    """The completion up to the first of `stop`, and of `max_tokens` at most; of several reasons the first counts."""
    text, finish_reason = completion.text, completion.finish_reason
    end = min((at for at in (text.find(one) for one in stop if one) if at >= 0), default=len(text))
    if end < len(text):
        text, finish_reason = text[:end], "stop"
    if max_tokens and tokens(len(text)) > max_tokens:
        text, finish_reason = text[: CHARACTERS_PER_TOKEN * max_tokens], "length"
    if text == completion.text:
        return completion
    return replace(completion, text=text, finish_reason=finish_reason, completion_tokens=tokens(len(text)))
