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


def in_proportion(order: Positions, groups: Whole, weights: Sequence[float]) -> Positions:
    """The largest beginning of each group that together have the proportions of the weights, rounded to records.

    In the order given. A group without any record counts as absent.
    """
    counts = np.bincount(groups[order], minlength=len(weights))
    shares = np.asarray(weights, np.float64)
    while (present := counts > 0).any():
        least = (counts[present] / shares[present]).min()
        # Rounding can take a record of a group that another's share then goes by; again, until nothing changes, or
        # the next selection from this one would be smaller.
        fewer = np.minimum(np.ceil(least * shares - 0.5).astype(np.int64), counts)
        if (fewer == counts).all():
            break
        counts = fewer
    at = np.argsort(groups[order], kind="stable")
    inside = np.empty(len(order), np.bool_)
    inside[at] = _before(groups[order][at], np.ones(len(order), np.int64)) < counts[groups[order][at]]
    return order[inside]


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
    counted = np.ones(len(groups), np.int64) if amounts is None else amounts.astype(np.int64)
    # Half of the record itself counts, too: without it, the smallest group would get the first record of a mix.
    had = _before(groups, counted) + counted / 2
    return had if weights is None else had / np.asarray(weights, np.float64)[groups]


def _before(groups: Whole, amounts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For records sorted by group, the sum of those before in its group."""
    before = np.cumsum(amounts) - amounts
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1])[: len(groups)])
    return before - np.repeat(before[starts], np.diff(np.append(starts, len(groups))))
