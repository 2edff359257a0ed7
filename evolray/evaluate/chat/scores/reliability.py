"""How far a judge can be trusted: whether the order of the answers sways it, whether it agrees with itself when asked
again, and whether it agrees with people.

Percentages have 95 % intervals; what is independent in them is the problem.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from math import inf, sqrt
from statistics import fmean
from typing import Any, TypeVar

from evolray.evaluate.chat.scores.combining import POINTS, SCORED
from evolray.evaluate.chat.scores.kappas import cohen_kappa, fleiss_kappa, spearman
from evolray.evaluate.chat.scores.ratio import ratio, rounded, share
from evolray.evaluate.chat.verdicts import READ, Verdict

__all__ = ["agreement", "cohen_kappa", "fleiss_kappa", "position", "rating_agreement", "self_consistency", "spearman"]

Key = TypeVar("Key", bound=Hashable)


def position(verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """What the order of two answers does to a judge, over pairs: the same turn, in the same repeat, in both orders.

    agree            pairs with the same outcome in both orders; `agreement`: in percent
    first, second    the other pairs, by the place whose answer comes off better
    first_wins       how often the answer shown first wins, in percent, a tie counting half; without bias it is 50,
                     since each answer is shown first once
    bias             the score of the first shown minus that of the second, the mean over pairs
    None where there is no pair.
    """
    pairs = _pairs(verdicts)
    if not pairs:
        return None
    # What the model gains by being shown first, in points.
    gains = [POINTS[shown_first.outcome] - POINTS[shown_second.outcome] for shown_first, shown_second in pairs]
    same = [(pair[0].problem, float(gain == 0), 1.0) for pair, gain in zip(pairs, gains, strict=True)]
    wins = [(pair[0].problem, 1.0 + gain, 2.0) for pair, gain in zip(pairs, gains, strict=True)]
    biases = []
    for shown_first, shown_second in pairs:
        ahead, behind = _lead(shown_first), _lead(shown_second)
        if ahead is not None and behind is not None:
            biases.append((shown_first.problem, (ahead - behind) / 2, 1.0))
    return {
        "pairs": len(pairs),
        "agree": gains.count(0),
        "first": sum(gain > 0 for gain in gains),
        "second": sum(gain < 0 for gain in gains),
        "agreement": share(same),
        "first_wins": share(wins),
        "bias": ratio(biases).within(-inf, inf),
    }


def self_consistency(verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """Whether a judge that is asked the same again says the same: over all pairs of repeats in the same order.

    same        pairs with the same outcome, in percent; of ratings, with the same rating
    score_sd    the standard deviation of scores over repeats of the same question, pooled over questions and answers
    None where nothing was asked twice.
    """
    asked = _by([one for one in verdicts if one.outcome in READ], lambda one: (one.problem, one.turn, one.order))
    repeated = [some for some in asked.values() if len(some) > 1]
    if not repeated:
        return None
    parts = []
    for some in repeated:
        said = [one.model_score if one.outcome == SCORED else one.outcome for one in some]
        same = [one == other for one, other in combinations(said, 2)]
        parts.append((some[0].problem, float(sum(same)), float(len(same))))
    return {
        "pairs": int(sum(number for _, _, number in parts)),
        "same": share(parts),
        "score_sd": rounded(_pooled_deviation(repeated)),
    }


def agreement(outcomes: Mapping[Key, str], labels: Mapping[Key, str]) -> dict[str, Any]:
    """Of a judge's outcomes with labels, by problem, or by anything else: win, tie or loss. What only one side has, or
    has in another word, is counted in `left_out`; what both have counts as independent.

    `confusion`: the judge's outcome -> the label -> how many. With no item in common the rest is None.
    """
    common = [name for name, outcome in outcomes.items() if outcome in POINTS and labels.get(name) in POINTS]
    mine, theirs = [outcomes[name] for name in common], [labels[name] for name in common]
    agree = share([(str(name), float(outcomes[name] == labels[name]), 1.0) for name in common])
    cells = Counter(zip(mine, theirs, strict=True))
    return {
        "items": len(common),
        "left_out": len(outcomes.keys() | labels.keys()) - len(common),
        "agree": agree["score"],
        "low": agree["low"],
        "high": agree["high"],
        "kappa": rounded(cohen_kappa(mine, theirs)),
        "confusion": {one: {other: cells[one, other] for other in POINTS} for one in POINTS},
    }


def rating_agreement(ratings: Mapping[Key, float], labels: Mapping[Key, float]) -> dict[str, Any]:
    """Of a judge's ratings with labels, by problem, or by anything else.

    By Spearman's rank correlation, since means over turns and repeats are no categories for a weighted kappa and a
    judge may well be milder than people and still order answers as they do; `difference` says by how much milder.
    """
    common = [name for name in ratings if name in labels]
    mine, theirs = [ratings[name] for name in common], [labels[name] for name in common]
    return {
        "items": len(common),
        "left_out": len(ratings.keys() | labels.keys()) - len(common),
        "spearman": rounded(spearman(mine, theirs)),
        "difference": rounded(fmean(mine) - fmean(theirs)) if common else None,
    }


def _pairs(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, Verdict]]:
    """Model first, baseline first; of the same question read twice in one order, the first."""
    first, second = "model_first", "baseline_first"
    read = [one for one in verdicts if one.outcome in POINTS]
    asked = _by(read, lambda one: (one.problem, one.turn, one.repeat)).values()
    orders = [{one.order: one for one in reversed(some)} for some in asked]
    return [(some[first], some[second]) for some in orders if first in some and second in some]


def _by(verdicts: Sequence[Verdict], key: Callable[[Verdict], Hashable]) -> dict[Hashable, list[Verdict]]:
    found: dict[Hashable, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[key(verdict)].append(verdict)
    return found


def _lead(verdict: Verdict) -> float | None:
    """Of the model's score over the baseline's."""
    if verdict.model_score is None or verdict.baseline_score is None:
        return None
    return verdict.model_score - verdict.baseline_score


def _pooled_deviation(repeated: Sequence[Sequence[Verdict]]) -> float | None:
    squares, freedom = 0.0, 0
    for some in repeated:
        for side in ([one.model_score for one in some], [one.baseline_score for one in some]):
            scores = [one for one in side if one is not None]
            if len(scores) > 1:
                middle = fmean(scores)
                squares += sum((one - middle) ** 2 for one in scores)
                freedom += len(scores) - 1
    return sqrt(squares / freedom) if freedom else None
