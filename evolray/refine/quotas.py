"""Shares of several groups in a mix: one order of all records, of which a mix is a beginning.

The next record always comes from the group that has least so far in proportion to its weight, and within a group in
the order given. So a mix of any size has the shares asked for, a larger one holds the smaller, a group that runs
short leaves its share to the others, and choosing from what was chosen changes nothing. Counted in records this is
the method of Webster and Sainte-Laguë: the counts are the exact proportions wherever these are whole numbers, and
equal shares differ by at most one. (The largest remainder would do the same for one size, but a mix of one record
more could then lose a record of a group.) Counted in tokens, shares agree to within a record's tokens.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Whole = npt.NDArray[np.integer]


def interleave(
    order: Positions,
    groups: Whole,
    weights: Sequence[float] | None = None,
    amounts: Whole | None = None,
) -> Positions:
    """`order` with its groups taking turns.

    `order`: positions, the preferred first. `groups` and `amounts`: by position; a group's number, and what a record
    counts (None: one each). `weights`: by group; None: equal ones. Where two groups are due, the lower number is.
    """
    at = np.argsort(groups[order], kind="stable")
    ordered = order[at]
    due = _due(groups[ordered], weights, None if amounts is None else amounts[ordered])
    return ordered[np.lexsort((groups[ordered], due))]


def in_proportion(order: Positions, groups: Whole, weights: Sequence[float]) -> int:
    """How much of an interleaved order, counted in records, there is before a group is due that has no more."""
    ordered = groups[order]
    sizes = np.bincount(ordered, minlength=len(weights))
    present = np.flatnonzero(sizes)
    if not len(present):
        return 0
    out = min((sizes[group] + 0.5) / weights[int(group)] for group in present)
    at = np.argsort(ordered, kind="stable")
    return int((_due(ordered[at], weights, None) < out).sum())


def affordable(order: Positions, records: int | None, tokens: int | None, tokens_each: Whole) -> int:
    """How much of an order stays within both budgets. What is left of the tokens is less than the next record has.

    It stops at the first record that does not fit, instead of looking for one that does: that would favour short ones.
    """
    count = len(order) if records is None else min(records, len(order))
    if tokens is None:
        return count
    return int(np.searchsorted(np.cumsum(tokens_each[order[:count]], dtype=np.int64), tokens, side="right"))


def _due(groups: Whole, weights: Sequence[float] | None, amounts: Whole | None) -> npt.NDArray[np.float64]:
    """When each record's turn is, for records sorted by group: what its group has had, over the group's weight."""
    if not len(groups):
        return np.array([], np.float64)
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    lengths = np.diff(np.append(starts, len(groups)))
    counted = np.ones(len(groups), np.int64) if amounts is None else amounts.astype(np.int64)
    before = np.cumsum(counted) - counted
    # Half of the record itself counts, too: without it, the smallest group would get the first record of a mix.
    had = before - np.repeat(before[starts], lengths) + counted / 2
    return had if weights is None else had / np.asarray(weights, np.float64)[groups]
