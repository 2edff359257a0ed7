"""Scores from verdicts: pass@k with intervals, by group too, and everything a score depends on beside it.

Percentages, since that is how the papers print them. "score" with "low" and "high" is what every family of benchmarks
has in its entry; here it is pass@1. A problem without a single sample, and a question that got no
answer, count as not passed, and are counted: a score never rises because something went missing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evolray.evaluate.benchmark import Benchmark, Problem, Problems
from evolray.evaluate.graded import FAILED, Graded
from evolray.evaluate.pass_at_k import Score, score

METRIC = "pass@1"


class Tally:
    """Counts the verdicts of one benchmark, one at a time, so that memory holds numbers only."""

    def __init__(self, benchmark: Benchmark, problems: Problems) -> None:
        self._benchmark, self._problems = benchmark, problems
        self.outcomes: Counter[str] = Counter()
        self._samples: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()
        self._base_passed: Counter[str] = Counter()
        self._has_base = False

    def add(self, rows: Iterable[Graded]) -> None:
        for row in rows:
            problem = row.id.partition("/")[2]
            self.outcomes[row.outcome] += 1
            self._samples[problem] += 1
            self._passed[problem] += row.outcome == "passed"
            self._base_passed[problem] += row.base == "passed"
            self._has_base |= bool(row.base)

    def entry(self, ks: Sequence[int]) -> dict[str, Any]:
        """What scores.json says of the benchmark, without what it was made by."""
        problems = self._problems.all
        samples = sum(self._samples[problem.id] for problem in problems)
        entry: dict[str, Any] = {
            "title": self._benchmark.title,
            "release": self._problems.release,
            "metric": METRIC,
            "unit": "%",
            **self._scores(problems, self._passed, ks),
            "problems": len(problems),
            "samples": samples,
            "missing": sum(not self._samples[problem.id] for problem in problems),
            "failed": self.outcomes[FAILED],
            "outcomes": dict(sorted(self.outcomes.items())),
        }
        if self._has_base:
            entry["base"] = self._scores(problems, self._base_passed, ks)
        columns = [name for name in self._benchmark.groups if any(name in problem.row for problem in problems)]
        groups = {name: self._by_group(name, ks) for name in columns}
        return entry | ({"groups": groups} if groups else {})

    def _by_group(self, column: str, ks: Sequence[int]) -> dict[str, Any]:
        members: dict[str, list[Problem]] = defaultdict(list)
        for problem in self._problems.all:
            members[str(problem.row.get(column, ""))].append(problem)
        return {name: self._scores(some, self._passed, ks[:1]) for name, some in sorted(members.items())}

    def _scores(self, problems: Sequence[Problem], passed: Mapping[str, int], ks: Sequence[int]) -> dict[str, Any]:
        """`passed` and `total` are samples; a problem without one counts as one that did not pass."""
        counts = [(max(self._samples[one.id], 1), passed[one.id]) for one in problems]
        fewest = min(samples for samples, _ in counts)
        found = {str(k): score(counts, k) for k in sorted({1, *ks}) if k <= fewest}
        return {
            **_interval(found["1"]),
            "passed": sum(number for _, number in counts),
            "total": sum(samples for samples, _ in counts),
            "pass@1": _percent(found["1"].value),
            "pass@k": {k: _interval(one) for k, one in found.items()},
        }


def _interval(one: Score) -> dict[str, float]:
    return {"score": _percent(one.value), "low": _percent(one.low), "high": _percent(one.high)}


def _percent(share: float) -> float:
    return round(100 * share, 2)
