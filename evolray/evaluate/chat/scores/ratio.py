"""One estimator for all scores of judged benchmarks: the sum of something over the sum of something else.

relative score   the model's scores over the baseline's
mean score       ratings over how many there are
win rate         points (a win 1, a tie 1/2) over comparisons

What is independent is the problem, not the turn: turns are summed by problem first. The standard error is that of the
ratio estimator, linearised: with a_i over b_i of problem i and R = sum a / sum b, the residuals are d_i = a_i - R b_i,
and the error is sqrt(n / (n - 1) * sum d_i^2) / sum b (Cochran, Sampling Techniques, 3rd edition 1977, chapter 6,
for a population without end). Where each b_i is 1 that is the sample's standard deviation over sqrt(n), which is
AlpacaEval's standard error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from evolray.evaluate.pass_at_k import Z_95, score

Parts = Sequence[tuple[str, float, float]]
"""The problem (what is independent), what is summed above, and below."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`value` is None where there is nothing to divide by, `standard_error` also where there is one problem only."""

    value: float | None
    standard_error: float | None

    def times(self, factor: float) -> "Ratio":
        value = None if self.value is None else factor * self.value
        return Ratio(value, None if self.standard_error is None else factor * self.standard_error)

    def within(self, lowest: float, highest: float) -> dict[str, float | None]:
        """As scores.json has it, with the 95 % interval of the normal distribution, cut at what is possible."""
        if self.value is None or self.standard_error is None:
            return {"score": rounded(self.value), "low": None, "high": None}
        half = Z_95 * self.standard_error
        low, high = max(lowest, self.value - half), min(highest, self.value + half)
        return {"score": rounded(self.value), "low": rounded(low), "high": rounded(high)}


def ratio(parts: Parts) -> Ratio:
    above, below = _by_problem(parts)
    total = sum(below.values())
    if total == 0:
        return Ratio(None, None)
    value = sum(above.values()) / total
    if len(above) < 2:
        return Ratio(value, None)
    squares = sum((above[problem] - value * below[problem]) ** 2 for problem in above)
    return Ratio(value, sqrt(len(above) / (len(above) - 1) * squares) / total)


def share(parts: Parts) -> dict[str, float | None]:
    """In percent, where what is above are whole or half points out of those below.

    Where all problems have the same share the standard error is 0, or unknown, but three wins of three are no
    certainty: there the interval is Wilson's.
    """
    found = ratio(parts).times(100)
    if found.value is None or (found.standard_error or 0.0) > 1e-9:
        return found.within(0.0, 100.0)
    above, below = _by_problem(parts)
    wilson = score([(round(2 * below[problem]), round(2 * above[problem])) for problem in above], 1)
    return {"score": rounded(found.value), "low": rounded(100 * wilson.low), "high": rounded(100 * wilson.high)}


def _by_problem(parts: Parts) -> tuple[dict[str, float], dict[str, float]]:
    above: dict[str, float] = {}
    below: dict[str, float] = {}
    for problem, one, other in parts:
        above[problem] = above.get(problem, 0.0) + one
        below[problem] = below.get(problem, 0.0) + other
    return above, below


def rounded(value: float | None) -> float | None:
    """As scores.json has it."""
    return None if value is None else round(value, 4)
