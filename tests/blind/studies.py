"""Small studies: items, sheets and rows as if somebody had filled them in."""

import csv
import io
from collections.abc import Mapping, Sequence

from evolray.blind.arrangement import Item, Sheet, arrange, raters
from evolray.blind.reading import Rating
from evolray.blind.rows import Row

MODELS = ("wizardlm", "alpaca")


def items(number: int, models: Sequence[str] = MODELS) -> list[Item]:
    return [
        Item(str(at), (f"Question {at}?",), {model: (f"Text {at}.{place}",) for place, model in enumerate(models)})
        for at in range(1, number + 1)
    ]


def sheets(number: int, people: int = 1, models: Sequence[str] = MODELS) -> list[Sheet]:
    return [arrange(items(number, models), models, rater, 7) for rater in raters(people)]


def ranks_of(sheet: Sheet, problem: str, wanted: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """Where the problem stands on the sheet, and the ranks by letter that give each model the one wanted."""
    place = next(place for place in sheet.places if place.item.problem == problem)
    return place.number, {letter: wanted[model] for letter, model in place.by_letter().items()}


def row(sheet: Sheet, problem: str, wanted: Mapping[str, int], comment: str = "", line: int = 2) -> Row:
    number, ranks = ranks_of(sheet, problem, wanted)
    rated = {"rank": {letter: str(rank) for letter, rank in ranks.items()}}
    return Row("sheet.csv", line, sheet.id, str(number), rated, comment)


def rating(rater: str, problem: str, first: int, other: int) -> Rating:
    return Rating(rater, problem, dict(zip(MODELS, (first, other), strict=True)))


def cells_of(data: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))
