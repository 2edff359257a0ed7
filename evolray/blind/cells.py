"""Texts as cells of a CSV file that spreadsheets open without running, cutting or misreading them.

A cell that begins like a formula gets an apostrophe in front, which spreadsheets show or hide but never evaluate;
`restored` takes it away again. Excel cuts a cell beyond 32,767 characters without a word; here the cut says so.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from evolray.report.texts import visible

BOM = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's old encoding."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: full-width ones
MOST_CHARS = 32_000


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file: commas, every cell quoted, line breaks within cells as they are."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return (BOM + text.getvalue()).encode("utf-8", "replace")


def cell(value: object) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = visible(value)
    if len(text) > MOST_CHARS:
        text = f"{text[:MOST_CHARS]}\n[cut here: {len(value):,} characters in all; the page has the whole text]"
    return f"'{text}" if text.startswith(FORMULA) else text


def restored(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
