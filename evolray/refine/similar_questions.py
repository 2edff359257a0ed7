"""Benchmark questions that an instruction resembles as a whole: weighted Jaccard similarity of their word pairs.

Where a few words were changed here and there, no run of n words may be left, and yet most pairs are the same. The
similarity is the weight of the pairs that both have, by the weight of those that either has; a pair weighs by how
rare it is among the items, so that "What is the capital of" makes no leak of two different countries. It is computed
exactly, since benchmarks are small enough for it: MinHash would estimate the same number.

Candidates by prefix filtering (Chaudhuri et al., 2006): to reach similarity t, an instruction must share pairs of at
least t times the item's weight, so at least one of any set of pairs that weighs more than 1 - t of it. The rarest are
taken, and only they are looked up.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evolray.refine.item_parts import Part
from evolray.refine.text.hashing import Hashes, Tokens, hash_tokens, ngrams

PAIR = 2
LEAST_WORDS = 6


class SimilarQuestions:
    """`parts`: questions as words; those of fewer than LEAST_WORDS are left out."""

    def __init__(self, parts: Sequence[Part], similarity: float) -> None:
        self.similarity = similarity
        self.parts = tuple(part for part in parts if len(part.tokens) >= LEAST_WORDS)
        pairs = ngrams(hash_tokens(part.tokens for part in self.parts), PAIR)
        self._sets = [np.unique(pairs.hashes[a:b]) for a, b in zip(pairs.offsets, pairs.offsets[1:], strict=False)]
        items = {part.item for part in self.parts}
        by_item: dict[int, list[Hashes]] = {item: [] for item in items}
        for part, own in zip(self.parts, self._sets, strict=True):
            by_item[part.item].append(own)
        none = np.array([], np.uint64)
        every = np.concatenate([none, *(np.unique(np.concatenate(own)) for own in by_item.values())])
        self._known, counts = np.unique(every, return_counts=True)
        self._heaviest = float(np.log1p(len(items)))
        self._weights = np.log((1 + len(items)) / counts)
        self._totals = np.array([self._weigh(own).sum() for own in self._sets])
        heads = [self._head(own) for own in self._sets]
        owners = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
        flat = np.concatenate([none, *heads])
        order = np.lexsort((owners, flat))
        self._owners = owners[order]
        self._heads, self._starts, self._counts = np.unique(flat[order], return_index=True, return_counts=True)

    def find(self, texts: Tokens) -> Iterator[tuple[int, int, float]]:
        """Text, part and similarity of every pair that is similar enough."""
        pairs = ngrams(texts, PAIR)
        if not len(self._heads) or not len(pairs.hashes):
            return
        at = np.minimum(np.searchsorted(self._heads, pairs.hashes), len(self._heads) - 1)
        hits = np.flatnonzero(self._heads[at] == pairs.hashes)
        text_of = np.searchsorted(pairs.offsets, hits, side="right") - 1
        counts = self._counts[at[hits]]
        before = np.cumsum(counts) - counts
        owners = self._owners[np.repeat(self._starts[at[hits]] - before, counts) + np.arange(counts.sum())]
        candidates = np.unique(np.repeat(text_of, counts) * len(self.parts) + owners)
        text_of, part_of = candidates // len(self.parts), candidates % len(self.parts)
        # Repeated pairs weigh more than once in this bound from above; it only has to let nothing similar fall.
        heaviest = np.concatenate([[0.0], np.cumsum(self._weigh(pairs.hashes))])
        totals = heaviest[pairs.offsets[1:]] - heaviest[pairs.offsets[:-1]]
        possible = totals[text_of] >= self.similarity * self._totals[part_of] - 1e-9
        for text, part in zip(text_of[possible].tolist(), part_of[possible].tolist(), strict=True):
            own = np.unique(pairs.hashes[pairs.offsets[text] : pairs.offsets[text + 1]])
            shared = self._weigh(np.intersect1d(own, self._sets[part], assume_unique=True)).sum()
            either = self._weigh(own).sum() + self._totals[part] - shared
            if shared >= self.similarity * either - 1e-9:
                yield text, part, float(shared / either)

    def _head(self, own: Hashes) -> Hashes:
        """The rarest pairs, up to just more than 1 - similarity of the weight."""
        weights = self._weigh(own)
        order = np.lexsort((own, -weights))
        number = int(np.searchsorted(np.cumsum(weights[order]), (1 - self.similarity) * weights.sum() + 1e-9)) + 1
        return own[order[:number]]

    def _weigh(self, pairs: Hashes) -> npt.NDArray[np.float64]:
        at = np.minimum(np.searchsorted(self._known, pairs), max(0, len(self._known) - 1))
        return np.where(self._known[at] == pairs, self._weights[at], self._heaviest)
