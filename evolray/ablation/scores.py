"""What the cells of the sweep scored, group by group, as typed fields.

A benchmark's problems may come in groups, for example by difficulty: then scores.json has a score for each of them. Of
several ways to group them, the first of GROUPINGS is shown, else the first there is.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evolray.ablation import names
from evolray.pool.layout import Folder
from evolray.pool.manifest import MANIFEST
from evolray.report.numbers.evolved import read_json

GROUPINGS = ("level", "difficulty", "split")
ALL = ""
RECORD, SCORES = "cell.json", "scores.json"


@dataclass(frozen=True)
class Score:
    """Of one group of a benchmark's problems; `group` is ALL for all of them. `low` and `high` bound a 95 % interval,
    in `unit` ("%", "of 10", or "" for what is neither), or are None. `passed`: of graded benchmarks alone."""

    benchmark: str
    title: str
    group: str
    score: float
    low: float | None = None
    high: float | None = None
    passed: int | None = None
    total: int | None = None
    metric: str = ""
    unit: str = "%"

    @property
    def text(self) -> str:
        """For people: 41.5 %, 6.43 of 10."""
        return f"{self.number(self.score)} {self.unit}".rstrip()

    @property
    def interval(self) -> str:
        return "" if self.low is None or self.high is None else f"{self.number(self.low)}–{self.number(self.high)}"

    def number(self, value: float) -> str:
        return f"{value:.1f}" if self.unit == "%" else f"{value:.2f}"


@dataclass(frozen=True)
class Cell:
    """One checkpoint on one benchmark. `student` is the name of its folder; `scores`: all first, then by group."""

    name: str
    student: str
    step: int
    benchmark: str
    scores: tuple[Score, ...]


def read_cells(folder: Folder) -> list[Cell]:
    """The cells that are complete, of the ablation in `folder`, in the sweep's order."""
    sweep = folder.below(names.SWEEP)
    places = (read_json(sweep, MANIFEST) or {}).get("cells") or []
    found = (_read_cell(sweep, str(place)) for place in places)
    return [cell for cell in found if cell is not None]


def _read_cell(sweep: Folder, place: str) -> Cell | None:
    record = read_json(sweep, f"{place}/{RECORD}")
    if record.get("state") != "complete" or not sweep.exists(f"{place}/{SCORES}"):
        return None
    content = json.loads(sweep.read(f"{place}/{SCORES}"))
    benchmark, entry = next(iter(content.items()))
    scores = tuple(scores_of(benchmark, entry))
    return Cell(place, str(record["checkpoint"]), int(record["step"] or 0), benchmark, scores)


def scores_of(benchmark: str, entry: Mapping[str, Any]) -> list[Score]:
    """Of one entry of scores.json. Groups named by numbers come in their order, others as they are in the file."""
    found = [_score(benchmark, entry, ALL, entry)]
    groups = _grouping(entry.get("groups"))
    found += [_score(benchmark, entry, str(name), groups[name]) for name in sorted(groups, key=_order(groups))]
    return [one for one in found if one is not None]


def _grouping(groups: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(groups, Mapping) or not groups:
        return {}
    chosen = next((groups[name] for name in GROUPINGS if name in groups), next(iter(groups.values())))
    return chosen if isinstance(chosen, Mapping) else {}


def _order(groups: Mapping[str, Any]) -> Any:
    """A key by the number in front of each name ("2 steps" before "10 steps"); as they come where one has none."""
    numbers = {name: re.match(r"\d+", str(name)) for name in groups}
    places = {name: place for place, name in enumerate(groups)}
    if all(numbers.values()):
        return lambda name: (int(numbers[name][0]), places[name])  # type: ignore[index]
    return lambda name: places[name]


def _score(benchmark: str, entry: Mapping[str, Any], group: str, found: Mapping[str, Any]) -> Score | None:
    score = _number(found.get("score", found.get("pass@1")))
    if score is None:
        return None
    return Score(
        benchmark, _title(benchmark, entry), group, score, _number(found.get("low")),
        _number(found.get("high")), _count(found.get("passed")), _count(found.get("total")),
        str(entry.get("metric") or ""), str(entry.get("unit", "%") or ""),
    )  # fmt: skip


def _title(benchmark: str, entry: Mapping[str, Any]) -> str:
    """A file of one's own in a benchmark's form is not that benchmark; evaluate knows it by its hash alone."""
    title = str(entry.get("title") or benchmark)
    return f"{title}'s form" if "sha256 " in str(entry.get("release") or "") else title


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
