"""The groups among which `select.balance` shares out a mix, as a number per record."""

import numpy as np
import numpy.typing as npt

from evolray.refine.selection.candidates import Candidates
from evolray.refine.selection.quotas import Positions

Groups = npt.NDArray[np.int64]


def groups_of(pool: Candidates, balance: str | None, inside: Positions) -> Groups:
    """A number per candidate; all of one group without balance."""
    if balance is None:
        return np.zeros(len(pool), np.int64)
    columns: dict[str, npt.NDArray[np.integer]] = {
        "generation": pool.generations,
        "operator": pool.operators,
        "domain": pool.domains,
        "source": pool.sources,
        "difficulty": pool.difficulty,
    }
    column = _rarest_skill(pool, inside) if balance == "skill" else columns[balance]
    return column.astype(np.int64)


def _rarest_skill(pool: Candidates, inside: Positions) -> npt.NDArray[np.int32]:
    """For each candidate that of its skills which the fewest of those inside have, by name among equals; 0 for none."""
    counts = np.diff(pool.skill_offsets)
    still_in = np.zeros(len(pool), np.bool_)
    still_in[inside] = True
    frequency = np.bincount(pool.skills[np.repeat(still_in, counts)], minlength=len(pool.skill_names))
    by_rarity = np.argsort(frequency, kind="stable").astype(np.int32)
    rarity = np.empty(len(by_rarity), np.int32)
    rarity[by_rarity] = np.arange(len(by_rarity), dtype=np.int32)
    found = np.zeros(len(pool), np.int32)
    tagged = np.flatnonzero(counts)
    if len(tagged):
        found[tagged] = by_rarity[np.minimum.reduceat(rarity[pool.skills], pool.skill_offsets[tagged])]
    return found


def split_by_source(groups: Groups, sources: npt.NDArray[np.int16]) -> Groups:
    """Numbers for groups that are split by source."""
    lowest = int(groups.min(initial=0))
    return sources.astype(np.int64) * (int(groups.max(initial=0)) - lowest + 1) + groups - lowest
