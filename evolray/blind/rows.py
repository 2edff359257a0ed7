"""Files of ratings as rows of text: CSV as spreadsheets save it, JSON as the page exports it.

What a row means is for `reading`; here it is only taken apart. Spreadsheets write commas, semicolons or tabs, UTF-8,
UTF-16 or the machine's old encoding, and leave columns and rows away or move them; all of that is understood.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evolray.blind.cells import restored
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder, open_folder
from evolray.pool.seed_formats import without_credentials
from evolray.report.texts import one_line

EXPECTED = "a sheet saved as CSV, or the JSON that its page exports"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = ",;\t"
ITEM, SHEET, COMMENT = "item", "sheet", "comment"
_RATED = re.compile(r"(.+)_([A-Z])", re.IGNORECASE)
_RATER = re.compile(r"rater-\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """What a rater filled in for one item, as text. `rated`: by column ("rank", or a criterion), then by letter."""

    file: str
    line: int
    sheet: str
    item: str
    rated: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    comment: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.comment and not any(letters for letters in self.rated.values())


@dataclass(frozen=True, slots=True)
class Rejected:
    """What could not be used, and why. `line`: of the file, or the entry of a JSON file; 0 is the file as a whole."""

    file: str
    line: int
    item: str
    reason: str
    detail: str


def rating_files(paths: list[str]) -> list[str]:
    """The files that are named; of a folder all its .csv and .json files. Raises UserError for one named twice."""
    found: list[str] = []
    for path in paths:
        folder = open_folder(path)
        is_folder = isinstance(folder, LocalFolder) and folder.path.is_dir()
        names = [name for name in folder.names("") if name.lower().endswith((".csv", ".json"))] if is_folder else []
        if is_folder and not names:
            raise UserError(f"ratings: {folder.url} holds no .csv and no .json file.")
        found += [f"{folder.url}/{name}" for name in names] or [folder.url if folder.is_local else path]
    for path in found:
        if found.count(path) > 1:
            raise UserError(f"ratings names {without_credentials(path)} twice; name each file once.")
    return found


def read_rows(path: str) -> Iterator[Row | Rejected]:
    """Raises UserError when there is no such file."""
    shown = without_credentials(path)
    where, _, name = path.rpartition("/")
    try:
        text = _decoded(open_folder(where or "/").read(name))
    except OSError as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].replace(path, shown)
        raise UserError(f"ratings: {shown} cannot be read ({why}). Expected {EXPECTED}.") from None
    return _json_rows(text, shown) if text.lstrip().startswith(("{", "[")) else _csv_rows(text, shown, name)


def _decoded(data: bytes) -> str:
    if data.startswith(UTF_16):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what Excel writes when it is not asked for UTF-8


def _csv_rows(text: str, shown: str, name: str) -> Iterator[Row | Rejected]:
    separator, text = _separator(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header: list[str] = []
    rater = _RATER.search(name)
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            yield Rejected(shown, lines.line_num, "", "not_a_row", f"no row of CSV: {error}")
            continue
        if not any(one.strip() for one in cells):
            continue
        if header:
            yield _row(dict(zip(header, cells, strict=False)), shown, lines.line_num, rater[0] if rater else "")
            continue
        header = [one.strip().casefold() for one in cells]
        if ITEM not in header or not any(one.startswith("rank_") for one in header):
            yield Rejected(
                shown, 0, "", "missing_columns", f"columns {one_line(_listed(header), 120)}; expected item, rank_A, ..."
            )
            return
    if not header:
        yield Rejected(shown, 0, "", "empty_file", f"nothing in it; expected {EXPECTED}")


def _separator(text: str) -> tuple[str, str]:
    """The one that the first line says or has most of, and the text without a line that only says it."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and first[4:5]:
        return first[4], rest
    return max(SEPARATORS, key=first.count), text


def _row(cells: Mapping[str, str], shown: str, line: int, rater: str) -> Row:
    rated: dict[str, dict[str, str]] = {}
    for column, text in cells.items():
        named = _RATED.fullmatch(column)
        if named and text.strip() and named[1] != "answer":
            rated.setdefault(named[1], {})[named[2].upper()] = text.strip()
    comment = restored(cells.get(COMMENT, "").strip())
    return Row(shown, line, cells.get(SHEET, "").strip() or rater, cells.get(ITEM, "").strip(), rated, comment)


def _json_rows(text: str, shown: str) -> Iterator[Row | Rejected]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield Rejected(shown, 0, "", "not_json", f"{str(error)[:200]}; was the file saved whole?")
        return
    entries = content.get("ratings") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        yield Rejected(shown, 0, "", "missing_columns", f"no list of ratings in it; expected {EXPECTED}")
        return
    for at, entry in enumerate(entries, 1):
        if isinstance(entry, dict) and _is_well_formed(entry):
            yield _entry(entry, shown, at, _text(content.get(SHEET)))
        else:
            yield Rejected(
                shown, at, "", "not_a_row", f"{one_line(str(entry), 80)}; expected item, ranks, criteria, comment"
            )


def _is_well_formed(entry: Mapping[str, Any]) -> bool:
    ranks, criteria = entry.get("ranks", {}), entry.get("criteria", {})
    parts = [ranks, criteria, *(criteria.values() if isinstance(criteria, dict) else ())]
    return all(isinstance(part, dict) for part in parts)


def _entry(entry: Mapping[str, Any], shown: str, at: int, sheet: str) -> Row:
    """The page has criteria by letter, then by name."""
    rated: dict[str, dict[str, str]] = {}
    rates = [("rank", letter, value) for letter, value in entry.get("ranks", {}).items()]
    rates += [(name, letter, value) for letter, of in entry.get("criteria", {}).items() for name, value in of.items()]
    for name, letter, value in rates:
        if _text(value):
            rated.setdefault(name.casefold(), {})[letter.upper()] = _text(value)
    return Row(shown, at, sheet, _text(entry.get(ITEM)), rated, _text(entry.get(COMMENT)))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _listed(names: list[str]) -> str:
    shown = ", ".join(name for name in names[:8] if name)
    return f"{shown}, ..." if len(names) > 8 else shown
