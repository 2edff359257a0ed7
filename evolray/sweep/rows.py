"""What the cells scored: one row per cell, and which checkpoint is the best.

The best of a benchmark has the highest score there; the best of all the highest mean over the benchmarks, among the
checkpoints (with one and the same settings) that have a score for each of them. Scores of 10 count times 10 in a mean.
There is no best where the settings change what is measured, or who judges, nor of what is no score out of so many (a
perplexity, of which less is more). Of equals the earlier step counts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.sweep.grid import settings_text
from evolray.sweep.records import Record

PERCENT, OF_TEN = "%", "of 10"


@dataclass(frozen=True)
class Row:
    """`score` in `unit` ("%", "of 10", or "" for what is neither), with the bounds of a 95 % interval, None where there
    are none. `passed` and `scores` (all of pass@k, by k) are graded benchmarks' alone. `unanswered`: questions that got
    no answer, or whose answer could not be graded; `no_verdict`: what a judge was asked and did not decide."""

    cell: str
    checkpoint: str
    step: int | None
    benchmark: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    status: str = "complete"
    score: float | None = None
    low: float | None = None
    high: float | None = None
    metric: str = ""
    unit: str = ""
    judge: str = ""
    protocol: str = ""
    passed: int | None = None
    total: int | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    title: str = ""
    model: str | None = None
    unanswered: int = 0
    no_verdict: int = 0
    message: str = ""

    @property
    def measured(self) -> tuple[str, ...]:
        """Two scores of a benchmark can be compared when these are the same."""
        return self.metric, self.unit, self.protocol, self.judge

    @property
    def digits(self) -> int:
        """Behind the point, for people."""
        return 1 if self.unit == PERCENT else 2

    @property
    def score_text(self) -> str:
        """For people: 41.5 %, 6.43 of 10."""
        return "" if self.score is None else f"{self.score:.{self.digits}f} {self.unit}".rstrip()

    @property
    def settings_text(self) -> str:
        return settings_text(self.settings)

    @property
    def student(self) -> tuple[str, int | None, str]:
        """What is compared over the benchmarks: a checkpoint with its settings."""
        return self.checkpoint, self.step, self.settings_text


@dataclass(frozen=True)
class Best:
    """`overall`: the rows of one checkpoint, one per benchmark; none when no checkpoint has them all."""

    benchmarks: Mapping[str, Row]
    overall: tuple[Row, ...] = ()

    @property
    def mean(self) -> float | None:
        return mean(self.overall)

    @property
    def mixes_units(self) -> bool:
        """Whether the mean has scores of 10 in it that count times 10."""
        return any(row.unit == OF_TEN for row in self.overall)

    def as_dict(self) -> dict[str, Any]:
        chosen = self.overall[0] if self.overall else None
        return {
            "overall": chosen and {**_named(chosen), "mean": round(self.mean or 0.0, 2)},
            "benchmarks": {name: {**_named(row), **_scored(row)} for name, row in self.benchmarks.items()},
        }


def make_row(name: str, record: Record, scores: Mapping[str, Any] | None) -> Row:
    """`scores`: the benchmark's entry of scores.json, None where there is none. Older ones have pass@1 alone."""
    one = scores or {}
    first = one.get("pass@k", {}).get("1", {})
    return Row(
        cell=name,
        checkpoint=record.checkpoint,
        step=record.step,
        benchmark=record.benchmark,
        settings=record.settings,
        status=record.state,
        score=one.get("score", one.get("pass@1")),
        low=one.get("low", first.get("low")),
        high=one.get("high", first.get("high")),
        metric=one.get("metric", "pass@1" if one else ""),
        unit=one.get("unit", PERCENT if one else ""),
        judge=one.get("judge") or "",
        protocol=one.get("protocol") or "",
        passed=one.get("passed"),
        total=one.get("total"),
        scores=one.get("pass@k", {}),
        title=one.get("title") or record.benchmark,
        model=record.model,
        unanswered=_unanswered(one),
        no_verdict=one.get("no_verdict", 0) + one.get("unjudged", 0),
        message=record.message,
    )


def _unanswered(entry: Mapping[str, Any]) -> int:
    """Judged entries say themselves how many problems the model gave no answer to."""
    return int(entry.get("unanswered", entry.get("missing", 0) + entry.get("failed", 0)))


def find_best(rows: Sequence[Row]) -> Best:
    scored = [row for row in rows if row.score is not None]
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    by_benchmark = {name: [row for row in scored if row.benchmark == name] for name in benchmarks}
    alike = {name: some for name, some in by_benchmark.items() if _are_comparable(some)}
    best = {name: _first([[row] for row in some])[0] for name, some in alike.items()}
    if len(best) < len(benchmarks):
        return Best(best)
    students: dict[Any, list[Row]] = defaultdict(list)
    for row in scored:
        students[row.student].append(row)
    whole = [some for some in students.values() if {row.benchmark for row in some} == set(benchmarks)]
    return Best(best, tuple(_first(whole)))


def _are_comparable(rows: Sequence[Row]) -> bool:
    return len({row.measured for row in rows}) == 1 and rows[0].unit in (PERCENT, OF_TEN)


def mean(rows: Sequence[Row]) -> float | None:
    """Out of 100."""
    scores = [row.score * (10 if row.unit == OF_TEN else 1) for row in rows if row.score is not None]
    return sum(scores) / len(scores) if scores else None


def _first(groups: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """The group with the highest mean; of equals the one with the earlier step, then the one that comes first."""
    return min(groups, key=lambda rows: (-(mean(rows) or 0.0), _order(rows[0])), default=())


def _order(row: Row) -> float:
    return float("inf") if row.step is None else row.step


def _named(row: Row) -> dict[str, Any]:
    return {"checkpoint": row.checkpoint, "step": row.step, "model": row.model, "settings": dict(row.settings)}


def _scored(row: Row) -> dict[str, Any]:
    """pass@1 has its own name, too, where it is what was measured."""
    named = {"pass@1": row.score} if row.metric == "pass@1" else {}
    return {"score": row.score, "metric": row.metric, "unit": row.unit, **named}
