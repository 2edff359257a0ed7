"""pass@k: the chance that at least one of k samples passes, estimated without bias, and how sure one can be of it.

The estimator is that of Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374, section
2.1): with c of n samples passed, 1 - C(n-c, k) / C(n, k) per problem, and the mean over problems.

The interval says how far the score might have been another one with other problems of the same kind (and, where there
are several samples, with other samples): Wilson's score interval at the effective number of problems. With one sample
per problem that is Wilson's interval for a share; a score of 0 or 100 % has a width, too, which a standard error hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import mean, variance

Z_95 = 1.959963984540054  # of the normal distribution: 95 % lie within


@dataclass(frozen=True, slots=True)
class Score:
    """Shares from 0 to 1; `low` and `high` bound the 95 % interval."""

    value: float
    low: float
    high: float


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Of one problem. Raises ValueError unless 0 <= passed <= samples and 1 <= k <= samples."""
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(
            f"pass@{k} of {passed} passed among {samples}: expected passed <= samples and 1 <= k <= samples"
        )
    return 1 - comb(samples - passed, k) / comb(samples, k)


def score(counts: Sequence[tuple[int, int]], k: int) -> Score:
    """Over problems, each (samples, passed), at least one. Raises ValueError as `pass_at_k` does."""
    values = [pass_at_k(samples, passed, k) for samples, passed in counts]
    value = mean(values)
    return Score(value, *_wilson(value, _effective_number(values, value, sum(samples for samples, _ in counts))))


def _effective_number(values: Sequence[float], value: float, samples: int) -> float:
    """How many yes-or-no problems would scatter as much as these do; never more than there are samples."""
    spread = variance(values) / len(values) if len(values) > 1 else 0.0
    if value in (0.0, 1.0) or spread == 0.0:
        return float(len(values))
    # The variance of yes-or-no values comes out larger than value * (1 - value) by this factor.
    return min(value * (1 - value) / spread * len(values) / (len(values) - 1), float(samples))


def _wilson(share: float, number: float) -> tuple[float, float]:
    """Wilson (1927), "Probable inference, the law of succession, and statistical inference"."""
    weight = Z_95**2 / number
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 * sqrt(share * (1 - share) / number + weight / (4 * number)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)
