"""Tables of ratings as spreadsheets write them: CSV with commas or semicolons, or TSV, with a line of names on top."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.entries import BadEntry
from evolray.pool.seed_formats import open_stream, without_credentials

SUFFIXES = (".csv", ".tsv")
LONGEST_CELL = 10 << 20
"""Characters. Python's own limit is shorter than some answers."""


def is_table(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


def table_rows(path: str) -> Iterator[tuple[int, object]]:
    """Each row with the line where it ends. Raises UserError when the file cannot be opened or read to its end."""
    shown = without_credentials(path)
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    try:
        with open_stream(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            head = text.readline(LONGEST_CELL)
            text.seek(0)
            reader = csv.DictReader(text, delimiter=_delimiter(head), strict=True)
            for row in reader:
                yield reader.line_num, _entry(row)
    except FileNotFoundError:
        raise UserError(f"{shown}: no such file; check the path.") from None
    except UnicodeDecodeError as error:
        hint = "Save it as CSV in UTF-8"
        raise UserError(f"{shown}: is not UTF-8 ({error.reason} at byte {error.start + 1}). {hint}.") from None
    except (OSError, csv.Error, ValueError) as error:
        raise UserError(f"{shown}: cannot be read: {error}. Expected CSV with a line of column names.") from None


def _entry(row: dict[str | None, Any]) -> object:
    """DictReader puts what no name stands over under None."""
    if None in row:
        return BadEntry("has more cells than the first line has names; texts with commas need quotes")
    return {str(name).strip(): value for name, value in row.items()}


def _delimiter(head: str) -> str:
    """The one that the line of names has most of; names hold neither."""
    return max(",;\t", key=head.count)
