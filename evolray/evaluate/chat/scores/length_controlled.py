"""Length-controlled win rates: what the win rate would be if the model's answers were as long as the baseline's.

Judges like long answers. Dubois et al. 2024 (arXiv 2404.04475), as in AlpacaEval, explain each preference by a
logistic regression and then predict it with the difference in length set to 0, averaged over the instructions:

    chance of a win = logistic(model + length * tanh(difference / its standard deviation))

What is the same: lengths in characters, differences that are divided by their standard deviation but not centred,
draws as 1/2. What differs, so that the figures are near to AlpacaEval's but not equal:

- AlpacaEval has a third term, each instruction's difficulty, from one fit over its whole leaderboard. That is not to
  be had from one model's comparisons.
- It adds comparisons with lengthened and shortened answers of its baseline to the fit, which pull the length's weight
  towards what they show; we have no such answers.
- Its penalty is on absolute weights, with a strength chosen by cross-validation. Ours is a weak quadratic one, and not
  on the model's own weight: with answers of equal length the result is the win rate itself.

An answer that the model did not give has no length to correct for: it is a loss in the prediction as well.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evolray.evaluate.chat.scores.combining import POINTS, Item
from evolray.evaluate.chat.scores.ratio import Ratio, rounded, share
from evolray.evaluate.chat.scores.winning import points

Vector = NDArray[np.float64]

FEWEST = 20
"""Comparisons; with fewer, the weights say more about chance than about length."""
PENALTY = 0.01
"""On the squared weight of length, so that it stays finite where length decides every outcome."""
MOST_STEPS = 100
FOLLOWS = (
    "Dubois et al. 2024 (arXiv 2404.04475), without its difficulty of instructions, fitted on these comparisons alone "
    "with a weak quadratic penalty"
)


def length_controlled(items: Sequence[Item], lengths: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """What scores.json says of them. `lengths`: the model's and the baseline's, by problem; an item that lacks them is
    counted in `left_out`.

    "score" is None, with a "reason", where there is too little to fit.
    """
    answered = [one for one in items if one.is_answered]
    usable = [one for one in answered if one.problem.id in lengths]
    said: dict[str, Any] = {
        "items": len(usable),
        "unanswered": len(items) - len(answered),
        "left_out": len(answered) - len(usable),
        "follows": FOLLOWS,
    }
    if len(usable) < FEWEST:
        return {"score": None, "reason": f"{len(usable)} comparisons with lengths; at least {FEWEST} are needed"} | said
    wanted = np.array([POINTS[one.outcome] for one in usable])
    if wanted.min() == wanted.max():  # always the same outcome: there is nothing for length to explain
        return share(points(items)) | {"standard_error": 0.0, "length_weight": 0.0} | said
    weights, predicted = _predicted(_features(usable, lengths), wanted)
    found = predicted.times(100 * len(usable) / (len(usable) + said["unanswered"]))
    return {
        **found.within(0.0, 100.0),
        "standard_error": rounded(found.standard_error),
        "length_weight": rounded(float(weights[1])),
    } | said


def _features(items: Sequence[Item], lengths: Mapping[str, tuple[int, int]]) -> Vector:
    """A row per item: 1, and how much longer the model's answer is."""
    longer = np.array([float(model - baseline) for model, baseline in (lengths[one.problem.id] for one in items)])
    deviation = float(longer.std(ddof=1)) or 1.0  # all differ by the same: one more constant, which gets no weight
    return np.column_stack([np.ones(len(items)), np.tanh(longer / deviation)])


def _predicted(features: Vector, wanted: Vector) -> tuple[Vector, Ratio]:
    """The weights, and the mean chance of a win at equal lengths. Its error is that of the weights, by the delta
    method: their covariance is the inverse of the curvature that the fit ends with."""
    weights, covariance = _fit(features, wanted)
    equal = features.copy()
    equal[:, 1] = 0.0
    chance = _logistic(equal @ weights)
    slope = equal.T @ (chance * (1 - chance)) / len(chance)
    return weights, Ratio(float(chance.mean()), sqrt(float(slope @ covariance @ slope)))


def _fit(features: Vector, wanted: Vector) -> tuple[Vector, Vector]:
    """Newton's method on the penalised likelihood. It has one maximum; a step that overshoots it is halved."""
    penalty = np.array([0.0, PENALTY])

    def likelihood(weights: Vector) -> float:
        margin = features @ weights
        return float(wanted @ margin - np.logaddexp(0.0, margin).sum() - penalty @ weights**2 / 2)

    def curvature(weights: Vector) -> Vector:
        chance = _logistic(features @ weights)
        return (features.T * (chance * (1 - chance))) @ features + np.diag(penalty)

    weights = np.zeros(features.shape[1])
    for _ in range(MOST_STEPS):
        gradient = features.T @ (wanted - _logistic(features @ weights)) - penalty * weights
        step = np.linalg.solve(curvature(weights), gradient)
        while likelihood(weights + step) < likelihood(weights) and np.abs(step).max() > 1e-12:
            step /= 2
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return weights, np.linalg.inv(curvature(weights)).astype(np.float64)


def _logistic(margin: Vector) -> Vector:
    chance: Vector = np.exp(-np.logaddexp(0.0, -margin))
    return chance
