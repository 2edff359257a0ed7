"""What the figures are drawn from: a few models, each with numbers by group, taken from entries of scores.json."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evolray.board.rows import number
from evolray.report.drawing.style import COLORS, shorten
from evolray.report.texts import one_line

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

Entry = Mapping[str, Any]
"""What scores.json says of one benchmark."""

MOST_MODELS = 6  # whose colours and lines can be told apart in one panel
MARKERS = ("o", "s", "^", "D", "v", "P")
STYLES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1)), (0, (8, 3)))
MOST_NAME = 34


@dataclass(frozen=True)
class Value:
    """`low` and `high` are the score itself where there is no interval."""

    score: float
    low: float
    high: float
    total: int


def value_of(found: object) -> Value | None:
    """None for what has no score."""
    if not isinstance(found, Mapping):
        return None
    score = number(found.get("score", found.get("pass@1")))
    if score is None:
        return None
    low, high = number(found.get("low")), number(found.get("high"))
    total = number(found.get("total"))
    return Value(
        score, score if low is None else min(low, score), score if high is None else max(high, score), int(total or 0)
    )


def by_group(entry: Entry, column: str) -> dict[str, Value]:
    """In the order of the file."""
    groups = entry.get("groups")
    found = groups.get(column) if isinstance(groups, Mapping) else None
    pairs = ((str(name), value_of(one)) for name, one in found.items()) if isinstance(found, Mapping) else ()
    return {name: value for name, value in pairs if value is not None}


def has_groups(results: Mapping[str, Entry], column: str) -> bool:
    return any(by_group(entry, column) for entry in results.values())


def chosen(results: Mapping[str, Entry], has: Callable[[Entry], bool], most: int = MOST_MODELS) -> dict[str, Entry]:
    """The first `most` models that have what is drawn; with more, those with the highest scores, in their order."""
    having = {model: entry for model, entry in results.items() if has(entry)}
    if len(having) <= most:
        return having
    best = sorted(having, key=lambda model: -_score(having[model]))[:most]
    return {model: entry for model, entry in having.items() if model in best}


def places(shown: Sequence[str], order: Sequence[str]) -> dict[str, int]:
    """A number for each model's colour: its place in `order`, so that it is the same in all figures of a page.

    Where one of them has none, or one that has no colour of its own, they are numbered as they come.
    """
    found = {model: order.index(model) for model in shown if model in order}
    if len(found) < len(shown) or max(found.values(), default=0) >= len(COLORS):
        return {model: at for at, model in enumerate(shown)}
    return found


def remark(results: Mapping[str, Entry], shown: int, models: int) -> str:
    """What a figure says of itself: not all models have room, or the simulated judge had a hand in it."""
    parts = [f"the best {shown} of {models} models"] if shown < models else []
    return ", ".join([*parts, *judge_remark(results.values())])


def judge_remark(entries: Iterable[Entry]) -> list[str]:
    return ["simulated judge"] if any(map(_is_simulated, entries)) else []


def _is_simulated(entry: Entry) -> bool:
    """By the judge's name, or by the kind of endpoint that it was asked at."""
    rules = entry.get("rules")
    identity = rules.get("judge_identity") if isinstance(rules, Mapping) else None
    kind = identity.get("kind") if isinstance(identity, Mapping) else None
    return "simulated" in str(entry.get("judge", "")) or kind == "simulated"


def color(at: int) -> str:
    return COLORS[at % len(COLORS)]


def model_name(model: str, most: int = MOST_NAME) -> str:
    """Without its middle where it is long: models of one family differ at their ends."""
    name = one_line(model, 4 * most)
    if len(name) > most:
        name = f"{name[: most // 2].rstrip()}\u2026{name[len(name) - (most - 1 - most // 2) :].lstrip()}"
    return shorten(name, most) or "(no name)"


def unit_of(results: Mapping[str, Entry]) -> str:
    return next((str(entry["unit"]) for entry in results.values() if entry.get("unit")), "%")


def baseline_of(results: Mapping[str, Entry]) -> str:
    """The baseline's name where all have the same one."""
    names = {str(entry["baseline"]) for entry in results.values() if entry.get("baseline")}
    return model_name(names.pop()) if len(names) == 1 else "the baseline"


def is_relative(results: Mapping[str, Entry]) -> bool:
    """Scores in percent of a baseline's, which has 100 %."""
    return any(entry.get("metric") == "relative score" for entry in results.values())


def in_words(value: float, unit: str) -> str:
    return f"{value:.1f} %" if unit == "%" else f"{value:.2f}"


def add_key(figure: "Figure", handles: Sequence["Artist"]) -> None:
    """Below the figure, with as many columns as names of this length leave room for."""
    longest = max((len(str(one.get_label())) for one in handles), default=0)
    columns = max(1, min(len(handles), int(100 // (longest + 7))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=2.6)


def _score(entry: Entry) -> float:
    value = value_of(entry)
    return value.score if value else float("-inf")
