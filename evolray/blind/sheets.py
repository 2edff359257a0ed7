"""A rater's sheet as CSV, for whoever prefers a spreadsheet to the page. It holds no model's name.

sheet, item                 which row this is, in whatever order the rows come back
instruction, answer_A ...   what to read
rank_A ...                  what to fill in: 1 is the best, equal ranks are a tie
<criterion>_A ...           1 to 5, optional
comment                     optional
"""

from collections.abc import Iterator, Sequence

from evolray.blind.arrangement import Place, Sheet
from evolray.blind.cells import table
from evolray.errors import UserError

BEST, WORST = 5, 1
"""Of a criterion."""
TAKEN = ("rank", "answer", "sheet", "item", "instruction", "comment")
HOW_TO_RATE = """\
How to rate

Open the .html file that has your number in any browser; it needs no network. Or fill in the .csv file in a spreadsheet.
Please rate alone, and do not try to find out who wrote which answer.

Read the instruction, then all answers. Give each answer a rank: 1 is the best. Equal ranks are a tie.
Where there are criteria, 5 is very good and 1 very bad; they may stay empty, as may the comment.

The page keeps your ratings in this browser. When you are done, or want to hand in a part, export them and send back
the file that it saves (in a spreadsheet: save as CSV and send that).
"""


def check_criteria(criteria: Sequence[str]) -> None:
    """Raises UserError for a name that cannot stand in a column's name, or stands there already."""
    for name in criteria:
        if not name.replace("_", "").replace(" ", "").isalnum() or name.strip() != name:
            raise UserError(f"criteria: {name!r} is no name; expected words such as relevance or level of detail.")
        if name.casefold() in TAKEN:
            raise UserError(f"criteria: the sheet has a column {name} already; choose another word.")
    if len({name.casefold() for name in criteria}) < len(criteria):
        raise UserError(f"criteria names one twice: {', '.join(criteria)}.")


def to_csv(sheet: Sheet, criteria: Sequence[str]) -> bytes:
    return table(_columns(sheet.letters, criteria), _rows(sheet, criteria))


def _columns(letters: str, criteria: Sequence[str]) -> list[str]:
    asked = [f"{name}_{letter}" for name in ("rank", *criteria) for letter in letters]
    return ["sheet", "item", "instruction", *(f"answer_{letter}" for letter in letters), *asked, "comment"]


def _rows(sheet: Sheet, criteria: Sequence[str]) -> Iterator[list[object]]:
    empty = [""] * (len(sheet.letters) * (1 + len(criteria)) + 1)
    for place in sheet.places:
        yield [sheet.id, place.number, joined(place.item.turns), *_answers(place), *empty]


def _answers(place: Place) -> Iterator[str]:
    return (joined(texts) for _, texts in place.answers())


def joined(texts: Sequence[str]) -> str:
    """The texts of all turns as one."""
    shown = [text if text.strip() else "(empty)" for text in texts]
    return shown[0] if len(shown) == 1 else "\n\n".join(f"[turn {at}]\n{text}" for at, text in enumerate(shown, 1))
