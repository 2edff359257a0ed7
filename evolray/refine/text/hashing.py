"""Tokens of many texts as 64-bit hashes in one flat array, and their n-grams, a shard at a time.

The hashes are the same on every machine and in every version, so what is stored can be compared.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)


@dataclass(frozen=True)
class Tokens:
    """Text n has the hashes `hashes[offsets[n]:offsets[n + 1]]`."""

    hashes: Hashes
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)


class _Known(dict[str, int]):
    """Most tokens of a shard have been seen before."""

    def __missing__(self, token: str) -> int:
        digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self[token] = int.from_bytes(digest, "big")
        return self[token]


def hash_tokens(texts: Iterable[Sequence[str]]) -> Tokens:
    """`texts`: the tokens of each."""
    known = _Known()
    lengths, flat = [0], []
    for tokens in texts:
        flat += [known[token] for token in tokens]
        lengths.append(len(tokens))
    return Tokens(np.array(flat, np.uint64), np.cumsum(lengths, dtype=np.int64))


def ngrams(tokens: Tokens, n: int) -> Tokens:
    """Hashes of all runs of `n` tokens, in their order. A text of fewer has one, of all of them; an empty one none."""
    lengths = tokens.lengths
    numbers = np.where(lengths >= n, lengths - n + 1, np.minimum(lengths, 1))
    offsets = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
    # Where each n-gram begins: its text's first token, and how many n-grams of that text come before it.
    starts = np.repeat(tokens.offsets[:-1] - offsets[:-1], numbers) + np.arange(offsets[-1])
    ends = np.repeat(tokens.offsets[1:], numbers)
    found = np.zeros(len(starts), np.uint64)
    for place in range(n):
        at = starts + place
        inside = at < ends
        if inside.all():
            found = mix(found * _STEP + tokens.hashes[at])
        else:
            found[inside] = mix(found[inside] * _STEP + tokens.hashes[at[inside]])
    return Tokens(found, offsets)


def mix(hashes: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    for shift, factor in _MIXERS:
        hashes = (hashes ^ (hashes >> shift)) * factor
    return hashes ^ (hashes >> _LAST)
