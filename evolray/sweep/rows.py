"""What the cells scored: one row per cell, and which checkpoint is the best.

The best of a benchmark has the highest pass@1 there; the best of all the highest mean over the benchmarks, among the
checkpoints (with one and the same settings) that have a score for each of them. Of equals the earlier step counts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.sweep.grid import settings_text
from evolray.sweep.records import Record


@dataclass(frozen=True)
class Row:
    """Scores in percent, with the bounds of a 95 % interval. `scores`: all of pass@k, by k. `unanswered`: questions
    that got no answer, or whose answer could not be graded; they count as not passed."""

    cell: str
    checkpoint: str
    step: int | None
    benchmark: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    status: str = "complete"
    score: float | None = None
    low: float | None = None
    high: float | None = None
    passed: int | None = None
    total: int | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    title: str = ""
    model: str | None = None
    unanswered: int = 0
    message: str = ""

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

    def as_dict(self) -> dict[str, Any]:
        chosen = self.overall[0] if self.overall else None
        return {
            "overall": chosen and {**_named(chosen), "mean": round(self.mean or 0.0, 2)},
            "benchmarks": {name: {**_named(row), "pass@1": row.score} for name, row in self.benchmarks.items()},
        }


def make_row(name: str, record: Record, scores: Mapping[str, Any] | None) -> Row:
    """`scores`: the benchmark's entry of scores.json, None for a cell that has none."""
    one = scores or {}
    first = one.get("pass@k", {}).get("1", {})
    return Row(
        cell=name,
        checkpoint=record.checkpoint,
        step=record.step,
        benchmark=record.benchmark,
        settings=record.settings,
        status=record.state,
        score=one.get("pass@1"),
        low=first.get("low"),
        high=first.get("high"),
        passed=one.get("passed"),
        total=one.get("total"),
        scores=one.get("pass@k", {}),
        title=one.get("title") or record.benchmark,
        model=record.model,
        unanswered=one.get("missing", 0) + one.get("failed", 0),
        message=record.message,
    )


def find_best(rows: Sequence[Row]) -> Best:
    scored = [row for row in rows if row.score is not None]
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    best = {name: _first([[row] for row in scored if row.benchmark == name]) for name in benchmarks}
    students: dict[Any, list[Row]] = defaultdict(list)
    for row in scored:
        students[row.student].append(row)
    whole = [some for some in students.values() if {row.benchmark for row in some} == set(benchmarks)]
    return Best({name: some[0] for name, some in best.items() if some}, tuple(_first(whole)))


def mean(rows: Sequence[Row]) -> float | None:
    scores = [row.score for row in rows if row.score is not None]
    return sum(scores) / len(scores) if scores else None


def _first(groups: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """The group with the highest mean; of equals the one with the earlier step, then the one that comes first."""
    return min(groups, key=lambda rows: (-(mean(rows) or 0.0), _order(rows[0])), default=())


def _order(row: Row) -> float:
    return float("inf") if row.step is None else row.step


def _named(row: Row) -> dict[str, Any]:
    return {"checkpoint": row.checkpoint, "step": row.step, "model": row.model, "settings": dict(row.settings)}
