"""How far raters agree beyond chance: Cohen's and Fleiss' kappa, and Spearman's correlation of ratings.

1 is full agreement, 0 what chance alone would give. All are None where chance alone gives full agreement (everybody
always says the same one thing) or where there is nothing to compare: 0 divided by 0 is not a number to report.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Of two raters of the same things, in the same order (Cohen 1960). Raises ValueError for unequal lengths."""
    if len(first) != len(second):
        raise ValueError(f"two raters of the same things: got {len(first)} and {len(second)} verdicts")
    observed = sum(one == other for one, other in zip(first, second, strict=True))
    mine, theirs = Counter(first), Counter(second)
    # In counts, not shares: so that full agreement by chance is found without rounding.
    by_chance = sum(mine[category] * theirs[category] for category in mine)
    number = len(first)
    if by_chance == number * number:
        return None
    return (observed * number - by_chance) / (number * number - by_chance)


def fleiss_kappa(rows: Sequence[Mapping[str, int]]) -> float | None:
    """Of any number of raters (Fleiss 1971): a row per thing, category -> how many chose it.

    Things may have different numbers of raters; one with fewer than two has no pair that could agree, and is left out.
    """
    rated = [row for row in rows if sum(row.values()) > 1]
    totals: Counter[str] = Counter()
    for row in rated:
        totals.update(row)
    number = sum(totals.values())
    by_chance = sum(total * total for total in totals.values())
    if by_chance == number * number:
        return None
    observed = fmean(_pairs_that_agree(row) for row in rated)
    chance = by_chance / number**2
    return (observed - chance) / (1 - chance)


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The correlation of ranks, equal values sharing the mean of theirs; None where one side is all equal."""
    if len(first) != len(second):
        raise ValueError(f"two raters of the same things: got {len(first)} and {len(second)} ratings")
    one, other = _ranks(first), _ranks(second)
    middle = (len(first) - 1) / 2
    spreads = sum((rank - middle) ** 2 for rank in one) * sum((rank - middle) ** 2 for rank in other)
    if spreads == 0:
        return None
    return sum((mine - middle) * (theirs - middle) for mine, theirs in zip(one, other, strict=True)) / sqrt(spreads)


def _pairs_that_agree(row: Mapping[str, int]) -> float:
    raters = sum(row.values())
    return sum(count * (count - 1) for count in row.values()) / (raters * (raters - 1))


def _ranks(values: Sequence[float]) -> list[float]:
    counts, below, ranks = Counter(values), 0, {}
    for value, number in sorted(counts.items()):
        ranks[value] = below + (number - 1) / 2
        below += number
    return [ranks[value] for value in values]
