"""Questions too short for runs of n words: found as a whole sentence, or not at all.

"How did US states get their names?" is a leak when an instruction consists of it, or has it as a sentence or a line of
its own, or in quotes (an item of several: up to MOST_SENTENCES such pieces in a row). Within a longer sentence the same
words may ask for something else. Digits and the signs of arithmetic must be the same, too: as words, 2 + 3 is 2 - 3.
Items of fewer than LEAST_WORDS words must be the whole instruction; in responses, they are not looked for.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from evolray.refine.leaks.parts import Part
from evolray.refine.text.hashing import Tokens, hash_tokens, ngrams

LEAST_WORDS = 3
MOST_SENTENCES = 6

_ENDS = re.compile(r"(?<=[.!?;:])['’)*_]*\s+|\n+|[\"“”„«»]")
_SIGNS = re.compile(r"[^\W_]+|(?<![^\W\d_])-|-(?![^\W\d_])|[+*/^=<>%|]")


class ShortQuestions:
    """`parts`: questions as words."""

    def __init__(self, parts: Sequence[Part], questions: Sequence[str]) -> None:
        """`questions`: the text of each part."""
        self.parts = tuple(parts)
        self._by_signs: dict[tuple[str, ...], list[int]] = {}
        for number, question in enumerate(questions):
            self._by_signs.setdefault(_signs(question), []).append(number)
        by_length: dict[int, list[list[str]]] = {}
        for part in parts:
            by_length.setdefault(len(part.tokens), []).append(part.tokens)
        self._hashes = {
            length: np.unique(ngrams(hash_tokens(texts), length).hashes) for length, texts in sorted(by_length.items())
        }

    def find(self, texts: Sequence[str], tokens: Tokens, is_instruction: bool) -> Iterator[tuple[int, int]]:
        """Text and part of every one found; `tokens`: the words of the texts."""
        near: set[int] = set()
        for length, hashes in self._hashes.items():
            grams = ngrams(tokens, length)
            hits = np.flatnonzero(np.isin(grams.hashes, hashes))
            near.update((np.searchsorted(grams.offsets, hits, side="right") - 1).tolist())
        for text in sorted(near):
            found = set(self._by_signs.get(_signs(texts[text]), ())) if is_instruction else set()
            for passage in _passages(texts[text]):
                if len(passage) >= LEAST_WORDS:
                    found.update(self._by_signs.get(passage, ()))
            for number in sorted(found):
                if is_instruction or len(self.parts[number].tokens) >= LEAST_WORDS:
                    yield text, number


def _passages(text: str) -> Iterator[tuple[str, ...]]:
    """Up to MOST_SENTENCES sentences in a row, as signs."""
    sentences = [signs for sentence in _ENDS.split(text) if (signs := _signs(sentence))]
    for at in range(len(sentences)):
        for number in range(1, MOST_SENTENCES + 1):
            if at + number <= len(sentences):
                yield tuple(sign for sentence in sentences[at : at + number] for sign in sentence)


def _signs(text: str) -> tuple[str, ...]:
    """Words and the signs of arithmetic, without the mark of a list item."""
    return tuple(_SIGNS.findall(unicodedata.normalize("NFKC", text).casefold().lstrip("-*+ \t>=|")))
