"""Which share of a benchmark item's text stands, in runs of n tokens, in which record: exact, and by the shard.

A token of the item counts as found when it lies in a run of n tokens that the record has, too, wherever there (Tülu 3,
arXiv 2411.15124 §3.2: n = 8, and more than half of the tokens). Tokens weigh by how rare they are among the items,
log((1 + items) / items with the token): "Write a function to find the" fills a quarter of many questions, and finding
it says nothing. Runs that more than MOST_ITEMS parts share, or with fewer than LEAST_NAMES different words in them
("1 2 3 4 5 6 7 8"), are no evidence at all, and tokens in no other run do not count either way.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evolray.refine.leaks.parts import Part
from evolray.refine.text.hashing import Hashes, Tokens, hash_tokens, ngrams

MOST_ITEMS = 64
LEAST_NAMES = 3
_FILTER_BITS = 22

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """`share` of the weight of part number `part` stands in text number `text`; `runs`: [begin, end) in its tokens."""

    text: int
    part: int
    share: float
    runs: tuple[tuple[int, int], ...]


def token_weights(texts: Sequence[tuple[int, Sequence[str]]]) -> dict[str, float]:
    """Of every token, by the number of items it occurs in; `texts` are pairs of an item's number and tokens."""
    occurring = Counter(token for _, token in {(item, token) for item, tokens in texts for token in tokens})
    number = len({item for item, _ in texts})
    return {token: float(np.log((1 + number) / count)) for token, count in occurring.items()}


class Passages:
    """The runs of n tokens of many parts, to be found in records.

    `parts`: those with a run that can be evidence; the others are in `left_out`.
    """

    def __init__(self, parts: Sequence[Part], n: int) -> None:
        self.n = n
        long = [part for part in parts if len(part.tokens) >= n]
        weights = token_weights([(part.item, part.tokens) for part in long])
        tokens = hash_tokens(part.tokens for part in long)
        grams = ngrams(tokens, n)
        part_of = np.repeat(np.arange(len(long)), grams.lengths)
        # Where each run begins in the tokens of all parts one after the other.
        begins = np.arange(len(part_of)) + part_of * (n - 1)
        order = np.lexsort((begins, grams.hashes))
        hashes, starts, counts = np.unique(grams.hashes[order], return_index=True, return_counts=True)
        names = [_is_name(token) for part in long for token in part.tokens]
        is_telling = (counts <= MOST_ITEMS) & (
            _distinct(tokens.hashes, np.array(names, bool), begins, n)[order][starts] >= LEAST_NAMES
        )
        self._hashes, self._starts, self._counts = hashes[is_telling], starts[is_telling], counts[is_telling]
        self._part_of, self._begins = part_of[order], begins[order]
        self._offsets = tokens.offsets
        counted = np.zeros(len(names), bool)
        for begin in self._begins[np.repeat(is_telling, counts)]:
            counted[begin : begin + n] = True
        flat = np.array([weights[token] for part in long for token in part.tokens]) * counted
        self._weight_before = np.concatenate([[0.0], np.cumsum(flat)])
        self._totals = self._weight_before[self._offsets[1:]] - self._weight_before[self._offsets[:-1]]
        self.parts = tuple(long)
        self.left_out = [part for part in parts if len(part.tokens) < n]
        self.left_out += [part for part, total in zip(long, self._totals, strict=True) if total <= 0]
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self._filter[self._slots(self._hashes)] = True

    def find(self, texts: Tokens, least_share: npt.NDArray[np.float64]) -> Iterator[Found]:
        """Every part of which at least `least_share[part]` stands in a text; ordered by text, then part."""
        text_of, part_of, begins = self._hits(texts)
        if not len(begins):
            return
        key = text_of * len(self.parts) + part_of
        order = np.lexsort((begins, key))
        key, begins = key[order], begins[order]
        fresh = np.concatenate([[True], (key[1:] != key[:-1]) | (begins[1:] != begins[:-1])])
        key, begins = key[fresh], begins[fresh]
        is_first = np.concatenate([[True], key[1:] != key[:-1]])
        ends = begins + self.n
        reached = np.where(is_first, 0, np.concatenate([[0], ends[:-1]]))
        gained = self._weight_before[ends] - self._weight_before[np.maximum(begins, reached)]
        firsts = np.flatnonzero(is_first)
        part = key[firsts] % len(self.parts)
        share = np.add.reduceat(gained, firsts) / self._totals[part]
        lasts = np.append(firsts[1:], len(key))
        for at in np.flatnonzero(share >= least_share[part] - 1e-9):
            number = int(part[at])
            places = begins[firsts[at] : lasts[at]] - self._offsets[number]
            yield Found(int(key[firsts[at]] // len(self.parts)), number, float(share[at]), self._runs(places))

    def _hits(self, texts: Tokens) -> tuple[Numbers, Numbers, Numbers]:
        """Text, part and place in the parts' tokens of every run that a text has in common with a part."""
        grams = ngrams(texts, self.n)
        near = np.flatnonzero(self._filter[self._slots(grams.hashes)])
        none = np.array([], np.int64)
        if not len(near) or not len(self._hashes):
            return none, none, none
        at = np.minimum(np.searchsorted(self._hashes, grams.hashes[near]), len(self._hashes) - 1)
        same = self._hashes[at] == grams.hashes[near]
        near, at = near[same], at[same]
        text_of = np.searchsorted(grams.offsets, near, side="right") - 1
        # A text repeats its runs; each counts once.
        pairs = np.unique(text_of * len(self._hashes) + at)
        text_of, at = pairs // len(self._hashes), pairs % len(self._hashes)
        counts = self._counts[at]
        before = np.cumsum(counts) - counts
        places = np.repeat(self._starts[at] - before, counts) + np.arange(counts.sum())
        return np.repeat(text_of, counts), self._part_of[places], self._begins[places]

    def _runs(self, places: Numbers) -> tuple[tuple[int, int], ...]:
        runs: list[tuple[int, int]] = []
        for begin in places.tolist():
            if runs and begin <= runs[-1][1]:
                runs[-1] = (runs[-1][0], begin + self.n)
            else:
                runs.append((begin, begin + self.n))
        return tuple(runs)

    def _slots(self, hashes: Hashes) -> Hashes:
        return hashes >> np.uint64(64 - _FILTER_BITS)


def _is_name(token: str) -> bool:
    return token[0].isalpha() or token[0] == "_"


def _distinct(tokens: Hashes, is_name: npt.NDArray[np.bool_], begins: Numbers, n: int) -> Numbers:
    """How many different names there are among the n tokens from each of `begins` on."""
    runs = np.sort(np.where(is_name, tokens, 0)[begins[:, None] + np.arange(n)], axis=1)
    fresh = np.diff(runs, axis=1, prepend=np.uint64(0)) != 0
    return np.asarray(fresh.sum(axis=1), np.int64)
