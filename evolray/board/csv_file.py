"""board.csv: a line per result, with all that the board knows of it.

Spreadsheets take a cell that begins with = + - or @ for a formula, whoever wrote it; such texts get an apostrophe in
front. A text is one line, whatever it was.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from evolray.board.columns import make_columns
from evolray.board.rows import COUNTS, SAMPLING, Row
from evolray.report.texts import visible

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
HEADER = (
    "model", "benchmark", "column", "metric", "unit", "score", "low", "high", "length_controlled", "total", *COUNTS,
    "judge", "protocol", "baseline", "release", "data_sha256", "task", "shots", "prompt", *SAMPLING, "rules", "called",
    "run", "updated_at",
)  # fmt: skip


def to_csv(rows: Sequence[Row]) -> str:
    """By column of the board, then by model and run."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for column in make_columns(rows):
        for row in sorted(column.rows, key=lambda row: (row.model, row.run)):
            writer.writerow([_cell(value) for value in _values(row, column.title)])
    return file.getvalue()


def _values(row: Row, column: str) -> list[object]:
    return [
        row.model, row.benchmark, column, row.metric, row.unit, row.score, row.low, row.high, row.length_controlled,
        row.total, *(row.counts.get(name) for name in COUNTS), row.judge, row.protocol, row.baseline, row.release,
        row.sha256, row.task, row.shots, row.prompt, *(row.sampling.get(name) for name in SAMPLING),
        json.dumps(row.rules, ensure_ascii=False) if row.rules else None, row.called, row.run, when(row.updated_at),
    ]  # fmt: skip


def when(seconds: float | None, only_day: bool = False) -> str:
    """In UTC; "" for what is no time."""
    try:
        found = datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{found:%Y-%m-%d}" if found and only_day else f"{found:%Y-%m-%dT%H:%M:%SZ}" if found else ""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    words = " ".join(visible(str(value)).split())
    return f"'{words}" if words.startswith(FORMULA) and not _is_number(words) else words


def _is_number(words: str) -> bool:
    """-1 is no formula."""
    try:
        float(words)
    except ValueError:
        return False
    return True
