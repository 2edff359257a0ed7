"""Who sees which answer under which letter, and in which order the items come.

Both are drawn for each rater from the seed, so that neither the order nor a letter says whose an answer is, and so that
the same command makes the same sheets. Whoever knows the seed and the models can draw them, too: the sheets are
blinded for people who want to be blinded.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

LETTERS = "ABCDEFGHI"
"""As many as there are digits for their ranks: no key has to be pressed twice."""


@dataclass(frozen=True, slots=True)
class Item:
    """A problem that every model answered; `turns` and each model's answer have a text per turn of the user."""

    problem: str
    turns: tuple[str, ...]
    answers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """An item on a rater's sheet. `number` counts from 1; `models`: whose answers stand under A, B and so on."""

    number: int
    item: Item
    models: tuple[str, ...]

    def answers(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each letter with the texts below it."""
        return ((letter, self.item.answers[model]) for letter, model in self.by_letter().items())

    def by_letter(self) -> dict[str, str]:
        return dict(zip(LETTERS, self.models, strict=False))


@dataclass(frozen=True)
class Sheet:
    """All items in one rater's order."""

    rater: str
    places: tuple[Place, ...]

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.places[0].models)]

    @cached_property
    def id(self) -> str:
        """Of what stands on the sheet, so that ratings of other texts are never taken for ratings of these."""
        shown = [(place.number, place.item.turns, list(place.answers())) for place in self.places]
        text = json.dumps([self.rater, shown], separators=(",", ":"))
        return f"sheet-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def raters(number: int) -> list[str]:
    """Their names, which sort as they count: rater-01, rater-02, ..."""
    width = max(2, len(str(number)))
    return [f"rater-{at:0{width}d}" for at in range(1, number + 1)]


def draw(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` of the items, in the order they have."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[at] for at in sorted(Random(f"{seed}/items").sample(range(len(items)), limit))]


def arrange(items: Sequence[Item], models: Sequence[str], rater: str, seed: int) -> Sheet:
    order = Random(f"{seed}/{rater}").sample(list(items), len(items))
    return Sheet(
        rater,
        tuple(
            Place(number, item, tuple(Random(f"{seed}/{rater}/{item.problem}").sample(list(models), len(models))))
            for number, item in enumerate(order, 1)
        ),
    )


def key_of(models: Sequence[str], sheets: Sequence[Sheet]) -> bytes:
    """key.json: whose answer stands where on which sheet."""
    described = {
        "models": list(models),
        "sheets": [
            {"rater": sheet.rater, "sheet": sheet.id, "items": [_described(place) for place in sheet.places]}
            for sheet in sheets
        ],
    }
    return json.dumps(described, ensure_ascii=False, indent=1).encode() + b"\n"


def _described(place: Place) -> dict[str, object]:
    return {"item": place.number, "problem": place.item.problem, "answers": place.by_letter()}
