"""Operator weights for the next round, from what the rounds before it have shown. Standard library, no chance in it.

A generation is a bandit with one arm per operator, of which thousands are pulled at once. Two things are seen of arm k:

    acceptance   a_k = (kept_k + 1) / (asked_k + 2), over all rounds so far: the mean of what Thompson sampling holds of
                 an arm that pays or does not (Beta(1, 1) before anything was seen; Russo et al., "A Tutorial on
                 Thompson Sampling", 2018, section 3). Calls about what is then eliminated are paid for nothing.
    help         h_k = sum over rounds of share_k x change, where share_k is the operator's share of the round's new
                 records and change how many points the score on the development set rose (or fell: then below 0). A
                 round has one score for all arms, so each gets of it in proportion to its part.

They become weights as in Exp3 (Auer, Cesa-Bianchi, Freund and Schapire, "The Nonstochastic Multiarmed Bandit Problem",
SIAM J. Comput. 32, 2002): exponential in what helped, mixed with an even choice so that no arm is given up:

    p_k proportional to a_k x exp(K x h_k / POINTS)         K operators
    weight_k = least + (1 - least) x K x p_k                1 is an even choice, the mean of all is 1

What it does not know: which operator caused a change. Two rounds of noise are two rounds of noise here too, and where
every round rises, whoever had the larger share gains by it; `least` bounds that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

POINTS = 10.0  # a rise by which, at an equal share, a weight grows e-fold before it is made relative to the others
DIGITS = 4  # of a weight: the same in YAML and JSON, on every machine


@dataclass(frozen=True)
class Round:
    """What a round has shown of its generation. `score` is from 0 to 100 on the development set; None: not known.

    `asked` and `kept` count the generation's instructions by operator: kept and eliminated ones, and kept ones. Failed
    calls say nothing about an operator and are in neither. Both are empty for round 0, the student of the seeds alone.
    """

    generation: int
    score: float | None = None
    asked: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)


def weights(
    history: Sequence[Round], least: float = 0.25, prior: Mapping[str, float] | None = None
) -> dict[int, dict[str, float]]:
    """The weights of each generation that follows one of the rounds: `evolve`'s `operators_by_generation`.

    Those of a generation depend on the rounds before it alone, so a longer history only adds to them. `prior` are the
    weights of `evolve.operators`: an operator's is multiplied with what was learned. An operator that was never asked
    is not named. Whoever has evolved with weights keeps them, and does not compute them again: a retry of failed calls
    changes what was kept.
    """
    rounds = sorted(history, key=lambda one: one.generation)
    after = ((one.generation, _learn(rounds[: number + 1], least)) for number, one in enumerate(rounds))
    prior = prior or {}
    return {
        generation + 1: {name: round(prior.get(name, 1.0) * weight, DIGITS) for name, weight in learned.items()}
        for generation, learned in after
        if learned
    }


def _learn(rounds: Sequence[Round], least: float) -> dict[str, float]:
    names = sorted({name for one in rounds for name, number in one.asked.items() if number})
    helped = _help(rounds, names)
    most = max(helped.values(), default=0.0)  # taken off all exponents: the ratios stay, nothing overflows
    parts = {name: _acceptance(rounds, name) * math.exp(len(names) * (helped[name] - most) / POINTS) for name in names}
    return {name: least + (1 - least) * len(names) * part / sum(parts.values()) for name, part in parts.items()}


def _acceptance(rounds: Sequence[Round], name: str) -> float:
    kept = sum(one.kept.get(name, 0) for one in rounds)
    asked = sum(one.asked.get(name, 0) for one in rounds)
    return (kept + 1) / (asked + 2)


def _help(rounds: Sequence[Round], names: Sequence[str]) -> dict[str, float]:
    """In points. A change is against the round before; where one of both scores is not known, there is none."""
    helped = dict.fromkeys(names, 0.0)
    for before, one in pairwise(rounds):
        new = sum(one.kept.values())
        if before.score is None or one.score is None or not new:
            continue
        for name in names:
            helped[name] += one.kept.get(name, 0) / new * (one.score - before.score)
    return helped
