"""Ratings read back: rows of what people filled in, and the sheets they belong to, in; who ranked whom how, out.

A rating counts when every answer of its item has a rank. Where the same rater rated the same item again, in the same
file or in a later one, the later rating counts; what it takes the place of is counted, unless it says the same.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evolray.blind.arrangement import Place, Sheet
from evolray.blind.rows import Rejected, Row
from evolray.blind.sheets import BEST, WORST

RANK = "rank"
_WHOLE = re.compile(r"(\d{1,9})(?:[.,]0*)?")  # spreadsheets may show 2 as 2.0 or 2,0


@dataclass(frozen=True, slots=True)
class Rating:
    """One rater on one problem: `ranks` by model, 1 the best; `criteria` by model and name, those that are given."""

    rater: str
    problem: str
    ranks: Mapping[str, int]
    criteria: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True)
class Ratings:
    """`unrated`: by rater who sent something, the items without a rating. `rejected`: all that could not be used."""

    all: Sequence[Rating]
    rejected: Sequence[Rejected] = ()
    unrated: Mapping[str, int] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        return dict(sorted(Counter(one.reason for one in self.rejected).items()))


class _Unusable(Exception):
    """A row that holds no rating: a reason and what it was."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def read_ratings(rows: Iterable[Row | Rejected], sheets: Sequence[Sheet], criteria: Sequence[str]) -> Ratings:
    """In the order of the sheets and their items, however the rows came."""
    by_name = {sheet.id: sheet for sheet in sheets} | {sheet.rater: sheet for sheet in sheets}
    found: dict[tuple[str, int], Rating] = {}
    rejected: list[Rejected] = []
    heard: set[str] = set()
    for row in rows:
        if isinstance(row, Rejected):
            rejected.append(row)
            continue
        try:
            sheet, place = _find(row, by_name)
            heard.add(sheet.rater)
            rating = None if row.is_empty else _rating(row, sheet.rater, place, criteria, rejected)
        except _Unusable as unusable:
            rejected.append(Rejected(row.file, row.line, row.item, unusable.reason, unusable.detail))
            continue
        key = (sheet.rater, place.number)
        if rating and found.setdefault(key, rating) != rating:
            told = f"{sheet.rater} rated this item again; the later rating counts"
            rejected.append(Rejected(row.file, row.line, row.item, "replaced", told))
            found[key] = rating
    ordered = [
        found[sheet.rater, place.number] for sheet in sheets for place in sheet.places
        if (sheet.rater, place.number) in found
    ]  # fmt: skip
    rated = Counter(rating.rater for rating in ordered)
    unrated = {sheet.rater: len(sheet.places) - rated[sheet.rater] for sheet in sheets if sheet.rater in heard}
    return Ratings(ordered, rejected, unrated)


def _find(row: Row, by_name: Mapping[str, Sheet]) -> tuple[Sheet, Place]:
    sheet = by_name.get(row.sheet)
    if sheet is None:
        told = f"of {row.sheet[:40]!r}" if row.sheet else "of no sheet that it names"
        raise _Unusable("unknown_sheet", f"{told}; expected one of this run's, as in its column sheet")
    number = _whole(row.item)
    if number is None or not 1 <= number <= len(sheet.places):
        raise _Unusable("unknown_item", f"item {row.item[:40]!r}; expected 1 to {len(sheet.places)}")
    return sheet, sheet.places[number - 1]


def _rating(row: Row, rater: str, place: Place, criteria: Sequence[str], rejected: list[Rejected]) -> Rating:
    whose = place.by_letter()
    ranks = row.rated.get(RANK, {})
    if not any(row.rated.values()):
        raise _Unusable("comment_only", row.comment)
    if missing := [letter for letter in whose if letter not in ranks]:
        raise _Unusable("half_ranked", f"no rank for {', '.join(missing)}; an item counts when all answers have one")
    numbers = {}
    for letter, model in whose.items():
        rank = _whole(ranks[letter])
        if rank is None or not 1 <= rank <= len(whose):
            told = f"rank_{letter} is {ranks[letter][:40]!r}; expected 1 to {len(whose)}"
            raise _Unusable("rank_out_of_range", told)
        numbers[model] = rank
    return Rating(rater, place.item.problem, numbers, _criteria(row, whose, criteria, rejected), row.comment)


def _criteria(
    row: Row, whose: Mapping[str, str], criteria: Sequence[str], rejected: list[Rejected]
) -> dict[str, dict[str, int]]:
    """Those that are numbers from 1 to 5. The others are counted, and cost the rating nothing else."""
    found: dict[str, dict[str, int]] = {}
    for name in criteria:
        for letter, text in row.rated.get(name.casefold(), {}).items():
            number = _whole(text)
            if letter in whose and number is not None and WORST <= number <= BEST:
                found.setdefault(whose[letter], {})[name] = number
                continue
            told = f"{name}_{letter} is {text[:40]!r}; expected {WORST} to {BEST}. The ranks count"
            rejected.append(Rejected(row.file, row.line, row.item, "criterion_out_of_range", told))
    return found


def _whole(text: str) -> int | None:
    match = _WHOLE.fullmatch(text.strip())
    return int(match[1]) if match else None
