"""One result: what a run's scores.json says of one benchmark, checked and in typed fields.

A file may come from anybody. An entry without a usable score is no row, and says why; what is wrong beside the score
(an interval, a group) is set aside, and said too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNITS = ("%", "of 10")
SAMPLING = ("n", "temperature", "top_p", "top_k", "max_tokens", "stop", "seed")
COUNTS = ("problems", "samples", "missing", "failed", "unanswered", "unjudged", "no_verdict", "wins", "ties", "losses")
NAMES = ("judge", "protocol", "baseline", "release", "task", "prompt")


class NoRow(Exception):
    """Why an entry is no result."""


@dataclass(frozen=True)
class Row:
    """`low` and `high` bound a 95 % interval, in `unit`, or are None. `model` is the name on the board; `called` the
    one in the file. `length_controlled`: the win rate as if all answers were equally long, where there is one.
    `sha256`: of the benchmark's data. `run`: where it was found, with "/" between its parts.

    `counts`: those of COUNTS that the entry has. `entry`: all that the file says.
    """

    model: str
    called: str
    benchmark: str
    title: str
    metric: str
    unit: str
    score: float
    low: float | None
    high: float | None
    total: int | None
    length_controlled: float | None
    judge: str | None
    protocol: str | None
    baseline: str | None
    release: str | None
    sha256: str | None
    task: str | None
    shots: int | None
    prompt: str | None
    sampling: Mapping[str, str]
    rules: Mapping[str, str]
    counts: Mapping[str, int]
    groups: Mapping[str, Mapping[str, Mapping[str, Any]]]
    run: str
    updated_at: float | None
    entry: Mapping[str, Any] = field(repr=False)


def make_row(
    benchmark: str, entry: object, run: str, updated_at: float | None, names: Mapping[str, str]
) -> tuple[Row, list[str]]:
    """The row, and what of the entry was set aside. Raises NoRow."""
    if not isinstance(entry, Mapping):
        raise NoRow(f"its entry is {_kind(entry)}; expected an object with its score")
    low, high = _one_of_k(entry)
    score = number(entry.get("score", entry.get("pass@1")))
    if score is None:
        raise NoRow(f"score is {_kind(entry.get('score'))}; expected a number")
    unit = text(entry.get("unit", "%")) or ""
    if not unit:
        metric = (text(entry.get("metric")) or "its metric")[:40]
        raise NoRow(f"{metric} has no scale that others could be compared on; see scores.json")
    if unit not in UNITS:
        raise NoRow(f"unit is {unit[:40]!r}; expected {' or '.join(UNITS)}")
    set_aside: list[str] = []
    low, high = _interval(number(entry.get("low", low)), number(entry.get("high", high)), score, set_aside)
    called = text(entry.get("model")) or "(no name)"
    named = {name: text(entry.get(name)) for name in NAMES}
    data, sampling = _object(entry.get("data")), _object(entry.get("sampling"))
    row = Row(
        model=names.get(called, called), called=called, benchmark=benchmark, unit=unit, score=score, low=low, high=high,
        title=text(entry.get("title")) or benchmark, metric=text(entry.get("metric")) or "pass@1",
        total=count(entry.get("total")), length_controlled=number(_object(entry.get("length_controlled")).get("score")),
        sha256=text(data.get("sha256")), shots=count(entry.get("shots")),
        sampling={name: said(sampling[name]) for name in SAMPLING if name in sampling},
        rules=flat(_object(entry.get("rules"))),
        counts={name: found for name in COUNTS if (found := count(entry.get(name))) is not None},
        groups=_groups(entry.get("groups"), set_aside), run=run, updated_at=updated_at, entry=entry, **named,
    )  # fmt: skip
    return row, set_aside


def number(value: object) -> float | None:
    """None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond the floats
        return None


def count(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and found >= 0 else None


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def said(value: object) -> str:
    """A setting's value for people; null is what a benchmark's protocol says."""
    if value is None:
        return "protocol's"
    if isinstance(value, list):
        return ", ".join(map(said, value)) or "none"
    found = number(value)
    return f"{found:g}" if found is not None else str(value)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """{"prompts": {"a.txt": "3f"}} as {"prompts.a.txt": "3f"}, sorted by name."""
    found: dict[str, str] = {}
    for name in sorted(values, key=str):
        value = values[name]
        if isinstance(value, Mapping) and len(before) < 200:
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = "none" if value is None else said(value)
    return found


def _one_of_k(entry: Mapping[str, Any]) -> tuple[object, object]:
    """The interval of pass@1, where results of an earlier version have it."""
    first = _object(_object(entry.get("pass@k")).get("1"))
    return first.get("low"), first.get("high")


def _interval(
    low: float | None, high: float | None, score: float, set_aside: list[str]
) -> tuple[float | None, float | None]:
    if low is None or high is None:
        return None, None
    if not low <= score <= high:
        set_aside.append(f"the interval from {low:g} to {high:g} does not hold the score {score:g}; it is not shown")
        return None, None
    return low, high


def _groups(found: object, set_aside: list[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
    usable: dict[str, dict[str, Mapping[str, Any]]] = {}
    for column, groups in _object(found).items():
        kept = {str(name): one for name, one in _object(groups).items() if _scores(one)}
        if dropped := len(_object(groups)) - len(kept):
            set_aside.append(f"{dropped} of its groups by {str(column)[:40]} have no score; they are not shown")
        if kept:
            usable[str(column)] = kept
    return usable


def _scores(group: object) -> bool:
    return isinstance(group, Mapping) and number(group.get("score", group.get("pass@1"))) is not None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kind(value: object) -> str:
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
