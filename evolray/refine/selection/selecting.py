"""Which of the records that are still in make the mix, and why each of the others does not.

First the filters, in the order of `filters`: each record gets the first reason that applies. Then the budget, filled
in the order that `select.order` names:

    random      a seeded number of each record's own (`Candidates.keys`)
    hardest     the highest difficulty first, unjudged ones last; among equals as random
    diverse     the least redundant first (diversity.py); among equals as random
    embedding   the one farthest from those already chosen (farthest.py); the first as random

`balance` makes groups take turns in that order, and weights the sources (quotas.py): of a mix of several weighted
sources, each source's part is balanced by itself. With a budget, what a group or source is short of goes to the
others; without one, weights give the largest mix that has their proportions. A source without any record left counts
as absent. A token budget alone is shared out by tokens, but with order=embedding by records.

A record with several skills counts for the one that is rarest among the candidates.

The mix is a function of the records, not of their shards. Selecting from a mix by the same config changes nothing.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from evolray.config.refine import SelectConfig
from evolray.refine.reasons import code
from evolray.refine.selection.candidates import Candidates
from evolray.refine.selection.farthest import Vectors, farthest_first
from evolray.refine.selection.filters import Codes, filters, warn_of_unknown
from evolray.refine.selection.groups import Groups, groups_of, split_by_source
from evolray.refine.selection.quotas import Positions, affordable, in_proportion, interleave

Rows = npt.NDArray[np.int64]
Redundancy = Callable[[Rows, Positions], npt.NDArray[np.float64]]


def select(
    pool: Candidates,
    config: SelectConfig,
    weights: Sequence[float] | None = None,
    *,
    redundancy: Redundancy | None = None,
    vectors: Callable[[Rows], Vectors] | None = None,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> Codes:
    """A reason per candidate, by position; 0 for those in the mix.

    `weights`: by source, all above 0. `redundancy` and `vectors` give, for rows of the run, ascending, what
    order=diverse and order=embedding go by (diversity.redundancy, EmbedRecords.read). `progress` hears how many of how
    many are chosen, where that takes time.
    """
    warn_of_unknown(pool, config)
    found = filters(pool, config)
    inside = np.flatnonzero(found == 0)
    if config.tokens is not None:
        inside = inside[pool.tokens[inside] <= config.tokens]  # else the first giant would end the mix
    by_key = inside[np.argsort(pool.keys(config.seed)[inside], kind="stable")]
    groups = groups_of(pool, config.balance, inside)
    if weights is not None:
        groups = split_by_source(groups, pool.sources)
    order = _take_turns(pool, config, _preferred(pool, config, by_key, redundancy), groups, weights)
    if config.order == "embedding":
        if vectors is None:
            raise ValueError("order=embedding needs vectors")
        order = _farthest(pool, config, by_key, order, groups, vectors, progress)
    found[found == 0] = code("over_budget")
    found[order[: affordable(order, config.records, config.tokens, pool.tokens)]] = 0
    return found


def _preferred(pool: Candidates, config: SelectConfig, by_key: Positions, redundancy: Redundancy | None) -> Positions:
    """The candidates by their keys, in the order in which they are wanted."""
    if config.order == "hardest":
        return by_key[np.argsort(-pool.difficulty[by_key], kind="stable")]
    if config.order == "diverse":
        if redundancy is None:
            raise ValueError("order=diverse needs redundancy")
        ranks = np.argsort(by_key, kind="stable")  # of the rows, ascending, each one's place in by_key
        met = np.empty(len(by_key))
        met[ranks] = redundancy(pool.rows[np.sort(by_key)], ranks)
        return by_key[np.argsort(met, kind="stable")]
    return by_key


def _take_turns(
    pool: Candidates, config: SelectConfig, order: Positions, groups: Groups, weights: Sequence[float] | None
) -> Positions:
    """The order with groups and sources taking turns; without a budget, as long as it keeps the weights."""
    by_tokens = config.tokens is not None and config.records is None and config.order != "embedding"
    amounts = pool.tokens if by_tokens else None
    if config.balance:
        order = interleave(order, groups, amounts=amounts)
    if weights is None:
        return order
    order = interleave(order, pool.sources, weights, amounts)
    if config.records is None and config.tokens is None:
        return in_proportion(order, pool.sources, weights)
    return order


def _farthest(
    pool: Candidates,
    config: SelectConfig,
    by_key: Positions,
    order: Positions,
    groups: Groups,
    vectors: Callable[[Rows], Vectors],
    progress: Callable[[int, int], None],
) -> Positions:
    """From the same groups in the same order as `order`, as far as the budget goes, but from each the farthest."""
    inside = np.sort(by_key)
    turns = groups[order[: config.records]]
    chosen, spent = [], 0
    for at in farthest_first(vectors(pool.rows[inside]), np.searchsorted(inside, by_key), turns, groups[inside]):
        chosen.append(inside[at])
        spent += int(pool.tokens[inside[at]])
        progress(len(chosen), len(turns))
        if config.tokens is not None and spent >= config.tokens:
            break
    return np.array(chosen, np.int64)
