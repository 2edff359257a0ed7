"""How far raters agree on the items that several of them rated: percent, Cohen's kappa by pair, Fleiss' kappa.

A kappa is 1 when all agree, and 0 when they agree as often as chance would have it, given how often each outcome is
said.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from evolray.blind.counting import OUTCOMES, Said
from evolray.evaluate.chat.scores.reliability import cohen_kappa, fleiss_kappa


def agreement(said: Sequence[Said]) -> dict[str, Any]:
    """None where a number means nothing: nobody rated what somebody else rated, or there is only one outcome."""
    by_problem: dict[str, dict[str, str]] = defaultdict(dict)
    for one in said:
        by_problem[one.problem][one.rater] = one.outcome
    shared = [some for some in by_problem.values() if len(some) > 1]
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for some in shared:
        for first, second in combinations(sorted(some), 2):
            pairs[first, second].append((some[first], some[second]))
    compared = [both for outcomes in pairs.values() for both in outcomes]
    kappas = [cohen_kappa([one for one, _ in outcomes], [one for _, one in outcomes]) for outcomes in pairs.values()]
    known = [kappa for kappa in kappas if kappa is not None]
    counts = [Counter(some.values()) for some in shared]
    fleiss = fleiss_kappa([{name: one[name] for name in OUTCOMES} for one in counts]) if counts else None
    return {
        "items": len(shared),
        "pairs_of_raters": len(pairs),
        "percent": round(100 * fmean(one == other for one, other in compared), 4) if compared else None,
        "cohen_kappa": round(fmean(known), 4) if known else None,
        "fleiss_kappa": None if fleiss is None else round(fleiss, 4),
    }
