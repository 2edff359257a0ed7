"""A seeded sample of records that stays the same when others come or go."""

import hashlib

import numpy as np
import numpy.typing as npt

from evolray.refine.index import Index
from evolray.refine.text.hashing import mix


def draw_sample(index: Index, mask: npt.NDArray[np.bool_], sample: int | None, seed: int) -> npt.NDArray[np.bool_]:
    """Of the rows in the mask (N) so many, as a mask (N); all of them when `sample` is None or larger.

    Each record has a number from its source, root and generation, and those with the smallest are drawn. So records
    elsewhere move nobody but by taking a place.
    """
    rows = np.flatnonzero(mask)
    if sample is None or sample >= len(rows):
        return mask.copy()
    names = np.array([_number(f"judging/{seed}/{name}") for name in index.names], np.uint64)
    keys = mix(index.roots[rows] + names[index.sources[rows]])
    keys = mix(keys ^ index.generations[rows].astype(np.uint64))
    drawn = np.zeros(len(mask), np.bool_)
    drawn[rows[np.argsort(keys, kind="stable")[:sample]]] = True
    return drawn


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
