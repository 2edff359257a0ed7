"""Which results may stand in one column: those of one benchmark that were scored by the same rules.

Judge, baseline, protocol, data and rules decide; where they differ, there are several columns, and their titles say in
what. How a model was asked (prompt, temperature, ...) and a machine's limits and versions do not decide: they belong
to the model, or should move no score. Where those differ within a column, it is marked.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolray.board.rows import Row
from evolray.report.texts import one_line

ORDER = (
    "wizard_eval", "vicuna_bench", "mt_bench", "alpaca_eval", "humaneval", "humaneval_plus", "mbpp", "mbpp_plus",
    "gsm8k", "math", "mmlu", "arc_challenge", "truthfulqa", "hellaswag",
)  # fmt: skip
# Rules that do not decide, by the first part of their names.
CIRCUMSTANCES = frozenset((
    "attempts", "extraction", "isolation", "left out", "limits", "max_length", "memory_mb", "packages", "processes",
    "python", "repeats", "reviews", "reviews_sha256", "seconds", "seed", "truncated", "version", "versions",
))  # fmt: skip
UNMARKED = frozenset(("packages", "python", "reviews", "reviews_sha256", "seed", "versions"))
DECIDING = ("judge", "baseline", "protocol", "metric", "unit", "shots", "task", "release", "problems", "data")
# What the rules say under a name of DECIDING is more exact: of the baseline, which answers.
RENAMED = {name: f"{name} by the rules" for name in DECIDING} | {"baseline": "baseline answers"}
NOTHING = "–"
MOST_CHARS = 36


@dataclass(frozen=True)
class Column:
    """`decided`: what all its rows have in common, by name. `differing`: setting -> value -> the models with it."""

    title: str
    benchmark: str
    metric: str
    unit: str
    rows: tuple[Row, ...]
    decided: Mapping[str, str]
    differing: Mapping[str, Mapping[str, tuple[str, ...]]]


def make_columns(rows: Sequence[Row]) -> list[Column]:
    """In the order of ORDER, others after them by name."""
    by_benchmark: dict[str, dict[tuple[tuple[str, str], ...], list[Row]]] = defaultdict(dict)
    for row in rows:
        by_benchmark[row.benchmark].setdefault(tuple(sorted(deciding(row).items())), []).append(row)
    found: list[Column] = []
    for benchmark in sorted(by_benchmark, key=lambda name: (_place(name), name)):
        members = sorted(by_benchmark[benchmark].values(), key=lambda some: [*deciding(some[0]).values()])
        decided = [deciding(some[0]) for some in members]
        for some, rules, label in zip(members, decided, _labels(decided), strict=True):
            first = some[0]
            title = one_line(first.title, MOST_CHARS) + (f" ({label})" if label else "")
            title = _unused(title, first, {column.title for column in found})
            found.append(
                Column(title, benchmark, first.metric, first.unit, tuple(some), rules, differing(some))
            )  # fmt: skip
    return found


def deciding(row: Row) -> dict[str, str]:
    values = {
        "judge": row.judge, "baseline": row.baseline, "protocol": row.protocol, "metric": row.metric, "unit": row.unit,
        "shots": row.shots, "task": row.task, "release": row.release, "problems": row.counts.get("problems"),
        "data": row.sha256 and row.sha256[:8],
    }  # fmt: skip
    found = {name: NOTHING if values[name] is None else str(values[name]) for name in DECIDING}
    rules = {name: value for name, value in row.rules.items() if name.partition(".")[0] not in CIRCUMSTANCES}
    exact = {RENAMED.get(name, name): value for name, value in rules.items() if value != found.get(name)}
    return {**exact, **found}


def settings(row: Row) -> dict[str, str]:
    """What may differ within a column."""
    rules = {name: value for name, value in row.rules.items() if name.partition(".")[0] in CIRCUMSTANCES}
    return {"prompt": row.prompt or NOTHING, **row.sampling, **rules}


def differing(rows: Sequence[Row]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The settings in which rows differ, with the models by value; versions and seeds are no difference."""
    each = [settings(row) for row in rows]
    found = {}
    for name in dict.fromkeys(name for one in each for name in one):
        by_value: dict[str, list[str]] = {}
        for row, one in zip(rows, each, strict=True):
            by_value.setdefault(one.get(name, NOTHING), []).append(row.model)
        if len(by_value) > 1 and name.partition(".")[0] not in UNMARKED:
            found[name] = {value: tuple(dict.fromkeys(models)) for value, models in sorted(by_value.items())}
    return found


def words_of(name: str, value: str) -> str:
    """For example "judge gpt-4", "5 shots", "no baseline"."""
    said = one_line(value, MOST_CHARS)
    if value == NOTHING:
        return f"no {name}"
    if name in ("shots", "problems"):
        return f"{said} {name}"
    return {"baseline": f"against {said}", "release": said, "metric": said, "unit": said}.get(
        name, f"{plain(name)} {said}"
    )


def plain(name: str) -> str:
    """A rule's or a setting's name for people: "judge_identity.kind" as "judge identity kind"."""
    return one_line(name.replace("_", " ").replace(".", " "), 2 * MOST_CHARS)


def telling_apart(names: Sequence[str], each: Sequence[Mapping[str, str]]) -> list[str]:
    """The fewest of `names` by whose values one can tell apart all that can be told apart, the first ones first."""
    chosen: list[str] = []

    def told_apart(some: Sequence[str]) -> int:
        return len({tuple(one.get(name, NOTHING) for name in some) for one in each})

    for name in names:
        if told_apart([*chosen, name]) > max(told_apart(chosen), 1):
            chosen.append(name)
    return chosen


def _labels(decided: Sequence[Mapping[str, str]]) -> list[str]:
    """What tells columns apart, the most telling rules first; nothing for a single column."""
    names = [*DECIDING, *sorted({name for one in decided for name in one} - {*DECIDING})]
    chosen = telling_apart(names, decided)
    return [", ".join(words_of(name, one.get(name, NOTHING)) for name in chosen) for one in decided]


def _unused(title: str, row: Row, taken: set[str]) -> str:
    """Titles come from files: two benchmarks may have the same, and long words may differ at their ends only."""
    if title in taken:
        title = f"{title} [{one_line(row.benchmark, MOST_CHARS)}]"
    number, whole = 1, title
    while whole in taken:
        number += 1
        whole = f"{title} #{number}"
    return whole


def _place(benchmark: str) -> int:
    return ORDER.index(benchmark) if benchmark in ORDER else len(ORDER)
