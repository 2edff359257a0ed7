"""What a page is made of: sections of numbers, figures, tables and examples. Pure data; the template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from evolray.report.page.examples import Example
from evolray.report.texts import visible


@dataclass(frozen=True)
class Number:
    """One of the large numbers at the top. `hint` says what it is of."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """Cells are text already. Columns in `texts` are aligned to the left, those in `long` hold sentences, in `ids` ids.

    A caption says what is in the rows, and how many are left out. `last_is_total` sets the last row apart. `is_folded`:
    its numbers are in a figure, too, and are shown when they are asked for.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[str] = ()
    long: Sequence[str] = ()
    ids: Sequence[str] = ()
    last_is_total: bool = False
    is_folded: bool = False

    def kind(self, column: str) -> str:
        kinds = (("text", self.texts), ("long", self.long), ("id", self.ids))
        return next((kind for kind, columns in kinds if column in columns), "number")


@dataclass(frozen=True)
class Picture:
    """`svg` is an element for the page, made by evolray.report.drawing.style.to_svg; `file` the PNG beside the page."""

    name: str
    title: str
    caption: str
    svg: str
    file: str


@dataclass(frozen=True)
class ExampleGroup:
    """Examples of one reason; `count` is how many there are in the run."""

    why: str
    fate: str
    count: int
    examples: Sequence[Example]


@dataclass
class Section:
    """`id` is its anchor, `short` its name in the navigation."""

    id: str
    title: str
    short: str
    intro: str = ""
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    examples: list[ExampleGroup] = field(default_factory=list)
    has_browser: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.pictures or self.tables or self.examples or self.has_browser)


@dataclass
class Content:
    """All of a page but its lineages. `place`: figure name -> id of the section it belongs to."""

    title: str
    stage: str
    facts: list[str]
    notices: list[str]
    numbers: list[Number]
    sections: list[Section]
    settings: str = ""
    place: dict[str, str] = field(default_factory=dict)

    def put(self, pictures: Sequence[Picture]) -> None:
        """Each figure into its section; those that have none into the first."""
        by_id = {section.id: section for section in self.sections}
        for picture in pictures:
            by_id.get(self.place.get(picture.name, ""), self.sections[0]).pictures.append(picture)


def words(name: str) -> str:
    """A reason's or an operator's name for people."""
    return visible(name.replace("_", " "))


def whole(number: float) -> str:
    return f"{number:,.0f}"


def percent(part: float, of: float) -> str:
    """With one decimal; a dash where there is nothing to be a part of."""
    return f"{100 * part / of:.1f} %" if of else "–"


def money(amount: float) -> str:
    """In the currency of the config's prices; small amounts keep two significant digits."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.2g}"
