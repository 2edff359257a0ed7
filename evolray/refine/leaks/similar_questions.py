"""Benchmark questions that an instruction, or a paragraph of it, resembles as a whole: their words and word pairs.

Where a few words were changed here and there, no run of n words may be left, and yet most words and pairs are the
same. The similarity is weighted Jaccard: the weight of what both have, by the weight of what either has. A word or
pair weighs by how rare it is among the items, so that "What is the capital of" makes no leak of two different
countries. It is computed exactly, since benchmarks are small enough for it: MinHash would estimate the same number.

Candidates are found by what is rare (prefix filtering, Chaudhuri et al., 2006). An item's rarest words and pairs, up
to the share HEAD of its weight, are looked up; what an instruction shares with an item weighs at most as much as what
was found of them, and the rest of the item. Only where this could suffice are the two compared.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evolray.refine.leaks.parts import Part
from evolray.refine.text.hashing import Hashes, Tokens, hash_tokens, mix, ngrams
from evolray.refine.text.words import words

LEAST_WORDS = 6
HEAD = 0.8
MOST_PARAGRAPHS = 20

_PARAGRAPHS = re.compile(r"\n\s*\n")
_NONE = np.array([], np.uint64)

Weights = npt.NDArray[np.float64]


class SimilarQuestions:
    """`parts`: questions as words; those of fewer than LEAST_WORDS are left out."""

    def __init__(self, parts: Sequence[Part], similarity: float) -> None:
        self.similarity = similarity
        self.parts = tuple(part for part in parts if len(part.tokens) >= LEAST_WORDS)
        terms = _terms(hash_tokens(part.tokens for part in self.parts))
        self._terms = [terms.hashes[a:b] for a, b in zip(terms.offsets, terms.offsets[1:], strict=False)]
        by_item: dict[int, list[Hashes]] = {part.item: [] for part in self.parts}
        for part, own in zip(self.parts, self._terms, strict=True):
            by_item[part.item].append(own)
        every = np.concatenate([_NONE, *(np.unique(np.concatenate(own)) for own in by_item.values())])
        self._known, counts = np.unique(every, return_counts=True)
        self._heaviest = float(np.log1p(len(by_item)))
        self._weights = np.log((1 + len(by_item)) / counts)
        self._totals = np.array([self._weigh(own).sum() for own in self._terms])
        heads = [self._head(own) for own in self._terms]
        self._rests = self._totals - np.array([self._weigh(head).sum() for head in heads])
        owners = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
        flat = np.concatenate([_NONE, *heads])
        order = np.lexsort((owners, flat))
        self._owners = owners[order]
        self._heads, self._starts, self._counts = np.unique(flat[order], return_index=True, return_counts=True)

    def find(self, instructions: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """Instruction, part and similarity of every pair that is similar enough; a pair may come more than once."""
        owners: list[int] = []
        passages: list[list[str]] = []
        for number, instruction in enumerate(instructions):
            for passage in _passages(instruction):
                owners.append(number)
                passages.append(words(passage))
        terms = _terms(hash_tokens(passages))
        weights = self._weigh(terms.hashes)
        before = np.concatenate([[0.0], np.cumsum(weights)])
        totals = before[terms.offsets[1:]] - before[terms.offsets[:-1]]
        for passage_number, part in self._candidates(terms, weights, totals):
            own = terms.hashes[terms.offsets[passage_number] : terms.offsets[passage_number + 1]]
            shared = self._weigh(np.intersect1d(own, self._terms[part], assume_unique=True)).sum()
            either = totals[passage_number] + self._totals[part] - shared
            if shared >= self.similarity * either - 1e-9:
                yield owners[passage_number], part, float(shared / either)

    def _candidates(self, terms: Tokens, weights: Weights, totals: Weights) -> Iterator[tuple[int, int]]:
        """Passage and part of all pairs that could be similar enough."""
        if not len(self._heads) or not len(terms.hashes):
            return
        at = np.minimum(np.searchsorted(self._heads, terms.hashes), len(self._heads) - 1)
        hits = np.flatnonzero(self._heads[at] == terms.hashes)
        passage_of = np.searchsorted(terms.offsets, hits, side="right") - 1
        counts = self._counts[at[hits]]
        before = np.cumsum(counts) - counts
        owners = self._owners[np.repeat(self._starts[at[hits]] - before, counts) + np.arange(counts.sum())]
        keys, which = np.unique(np.repeat(passage_of, counts) * len(self.parts) + owners, return_inverse=True)
        found = np.bincount(which, np.repeat(weights[hits], counts), minlength=len(keys))
        passage_of, part_of = keys // len(self.parts), keys % len(self.parts)
        # Jaccard t of sets that weigh a and b: they share t / (1 + t) of a + b.
        needed = self.similarity / (1 + self.similarity) * (totals[passage_of] + self._totals[part_of])
        possible = found + self._rests[part_of] >= needed - 1e-9
        yield from zip(passage_of[possible].tolist(), part_of[possible].tolist(), strict=True)

    def _head(self, own: Hashes) -> Hashes:
        weights = self._weigh(own)
        order = np.lexsort((own, -weights))
        number = int(np.searchsorted(np.cumsum(weights[order]), HEAD * weights.sum())) + 1
        return own[order[:number]]

    def _weigh(self, terms: Hashes) -> Weights:
        if not len(self._known):
            return np.zeros(len(terms))
        at = np.minimum(np.searchsorted(self._known, terms), len(self._known) - 1)
        return np.where(self._known[at] == terms, self._weights[at], self._heaviest)


def _passages(instruction: str) -> list[str]:
    """The whole, and its paragraphs: a question may stand between a greeting and an example."""
    paragraphs = [paragraph for paragraph in _PARAGRAPHS.split(instruction) if not paragraph.isspace() and paragraph]
    return [instruction, *paragraphs[:MOST_PARAGRAPHS]] if len(paragraphs) > 1 else [instruction]


def _terms(tokens: Tokens) -> Tokens:
    """The different words and pairs of every text, sorted within it."""
    pairs = ngrams(tokens, 2)
    owners = np.concatenate([np.repeat(np.arange(len(one.lengths)), one.lengths) for one in (tokens, pairs)])
    hashes = np.concatenate([mix(tokens.hashes), pairs.hashes])
    order = np.lexsort((hashes, owners))
    owners, hashes = owners[order], hashes[order]
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (owners[1:] != owners[:-1]) | (hashes[1:] != hashes[:-1])
    lengths = np.bincount(owners[fresh], minlength=len(tokens.lengths))
    return Tokens(hashes[fresh], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
