"""A seeded sample of records that stays the same when others come or go."""

import numpy as np
import numpy.typing as npt

from evolray.refine.index import Index, random_keys


def draw_sample(index: Index, mask: npt.NDArray[np.bool_], sample: int | None, seed: int) -> npt.NDArray[np.bool_]:
    """Of the rows in the mask (N) so many, as a mask (N); all of them when `sample` is None or larger.

    Those with the smallest random keys are drawn, so records elsewhere move nobody but by taking a place.
    """
    rows = np.flatnonzero(mask)
    if sample is None or sample >= len(rows):
        return mask.copy()
    keys = random_keys(f"judging/{seed}", index.names, index.sources[rows], index.roots[rows], index.generations[rows])
    drawn = np.zeros(len(mask), np.bool_)
    drawn[rows[np.argsort(keys, kind="stable")[:sample]]] = True
    return drawn
