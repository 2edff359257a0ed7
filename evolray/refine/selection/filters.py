"""Which records select's limits rule out, and the first reason that applies to each."""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evolray.config.refine import SelectConfig
from evolray.refine.reasons import code
from evolray.refine.selection.candidates import UNJUDGED, Candidates
from evolray.refine.selection.settings import needs_difficulty

logger = logging.getLogger("evolray")

Codes = npt.NDArray[np.uint8]


def filters(pool: Candidates, config: SelectConfig) -> Codes:
    """The first reason that applies to each candidate, 0 for those that pass."""
    difficulty = pool.difficulty
    banded = needs_difficulty(config) & (difficulty == UNJUDGED)
    untagged = (config.balance == "skill") & (np.diff(pool.skill_offsets) == 0)
    found = np.zeros(len(pool), np.uint8)
    for reason, applies in (
        ("generation", _not_among(pool.generations, config.generations)),
        ("operator", _not_named(pool.operators, pool.operator_names, config.operators)),
        ("domain", _not_named(pool.domains, pool.domain_names, config.domains)),
        ("no_response", config.require_response & ~pool.has_response),
        ("too_short", pool.words < (config.min_words or 0)),
        ("too_long", pool.words > _or_infinite(config.max_words)),
        ("unjudged", banded | untagged),
        ("too_easy", difficulty < (config.min_difficulty or UNJUDGED)),
        ("too_hard", difficulty > _or_infinite(config.max_difficulty)),
    ):
        found[applies & (found == 0)] = code(reason)
    return found


def warn_of_unknown(pool: Candidates, config: SelectConfig) -> None:
    """Says which of the wanted names no candidate has: a typing error would otherwise look like an empty pool."""
    for name, wanted, known in (
        ("operators", config.operators, pool.operator_names),
        ("domains", config.domains, pool.domain_names),
    ):
        if missing := [one for one in wanted if one not in known]:
            there = ", ".join(map(repr, known)) or "none"
            logger.warning("select.%s: no record has %s; there are %s", name, ", ".join(map(repr, missing)), there)


def _not_among(values: npt.NDArray[np.int16], wanted: Sequence[int]) -> npt.NDArray[np.bool_]:
    return ~np.isin(values, wanted) if wanted else np.zeros(len(values), np.bool_)


def _not_named(numbers: npt.NDArray[np.int32], names: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    if not wanted:
        return np.zeros(len(numbers), np.bool_)
    return ~np.array([name in wanted for name in names], np.bool_)[numbers]


def _or_infinite(limit: int | None) -> float:
    return np.inf if limit is None else limit
