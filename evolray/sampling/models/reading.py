"""From the tokens that a model wrote to a text, and where the text ends."""

from collections.abc import Sequence
from typing import Any

CONTEXT_TOKENS = 8
SLACK_TOKENS = 4


class Reader:
    """`ends`: the tokens that end an answer. `vocabulary`: above it are outputs that stand for no token at all."""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self._tokenizer, self.ends = tokenizer, ends
        self.vocabulary = max(tokenizer.get_vocab().values()) + 1

    def text(self, prompt: Sequence[int], new: Sequence[int]) -> str:
        """What the new tokens say, without special ones.

        Decoded behind the end of the prompt: by itself the first token would lose the space in front of it with
        tokenizers that open every text with one, and code its indentation.
        """
        written = [token for token in new if token not in self.ends]
        context = list(prompt[-CONTEXT_TOKENS:])
        before, whole = self._decode(context), self._decode(context + written)
        return whole[len(before) :] if before and whole.startswith(before) else self._decode(written)

    def before_stop(self, text: str, stop: Sequence[str]) -> str | None:
        """The text up to the first of the stop strings; None when none is in it."""
        found = [place for place in (text.find(one) for one in stop if one) if place >= 0]
        return text[: min(found)] if found else None

    def has_stopped(self, prompt: Sequence[int], new: Sequence[int], stop: Sequence[str]) -> bool:
        """Whether a stop string is in what was written, given that there was none one token ago.

        Looks at the last tokens first, as many as the longest stop string has bytes, since none has less than one.
        """
        if not stop:
            return False
        recent = max(len(one.encode()) for one in stop) + SLACK_TOKENS
        if len(new) > recent and self.before_stop(self._decode(new[-recent:]), stop) is None:
            return False
        return self.before_stop(self.text(prompt, new), stop) is not None

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False))
