"""Rows as a table: for the terminal, as CSV and as JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from evolray.sweep.grid import setting_name
from evolray.sweep.rows import Best, Row, find_best

STYLES = {"failed": "red", "deleted": "yellow", "running": "cyan", "waiting": "dim"}


def to_json(rows: Sequence[Row], best: Best) -> str:
    return json.dumps({"best": best.as_dict(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """A column per setting of the grid, and three per k of pass@k, which are empty where something else is measured."""
    settings, ks = _settings(rows), _ks(rows)
    bounds = [f"pass@{k}{end}" for k in ks for end in ("", "_low", "_high")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counts = ["passed", "total", "unanswered", "no_verdict"]
    writer.writerow(
        ["checkpoint", "step", "benchmark", *settings, "status", "metric", "unit", "score", "low", "high", *bounds,
         *counts, "judge", "model", "cell", "message"]
    )  # fmt: skip
    for row in rows:
        values = [row.checkpoint, row.step, row.benchmark, *(_cell(row.settings.get(key)) for key in settings)]
        measured = [row.status, row.metric, row.unit, row.score, row.low, row.high]
        scores = [row.scores.get(k, {}).get(name) for k in ks for name in ("score", "low", "high")]
        ends = [*(getattr(row, name) for name in counts), row.judge, row.model, row.cell, row.message]
        writer.writerow([*values, *measured, *scores, *ends])
    return text.getvalue()


def table(rows: Sequence[Row], best: Best | None = None) -> Table:
    """For the terminal. The best of each benchmark is marked, and the best of all is in the caption."""
    best = best or find_best(rows)
    settings, graded = _settings(rows), _graded_columns(rows)
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", caption=_caption(best), caption_justify="left")
    for name in ("checkpoint", "step", "benchmark", *map(setting_name, settings)):
        shown.add_column(name, justify="right" if name == "step" else "left", overflow="fold")
    for name in ("score", "", "95 % interval", *graded, ""):
        shown.add_column(name, justify="right" if name else "left")
    for row in rows:
        shown.add_row(
            Text(row.checkpoint),
            "" if row.step is None else f"{row.step:,}",
            Text(row.title or row.benchmark),
            *(Text(_cell(row.settings.get(key))) for key in settings),
            *_score(row),
            *(show(row) for show in graded.values()),
            _remark(row, best),
        )
    return shown


def _score(row: Row) -> list[str]:
    """The score, what it is, and its interval."""
    if row.score is None:
        return ["", "", ""]
    interval = "" if row.low is None or row.high is None else f"{row.low:.{row.digits}f} – {row.high:.{row.digits}f}"
    return [f"{row.score:.{row.digits}f}", f"{row.unit} {row.metric}".strip(), interval]


def _graded_columns(rows: Sequence[Row]) -> dict[str, Callable[[Row], str]]:
    """What only graded benchmarks have, where there are any."""
    if not any(row.passed is not None for row in rows):
        return {}

    def passed(row: Row) -> str:
        return "" if row.passed is None or row.total is None else f"{row.passed:,} of {row.total:,}"

    def at(k: str) -> Callable[[Row], str]:
        return lambda row: f"{row.scores[k]['score']:.1f}" if k in row.scores else ""

    return {"passed": passed, **{f"pass@{k} %": at(k) for k in _ks(rows) if k != "1"}}


def _remark(row: Row, best: Best) -> Text:
    if row.status != "complete":
        return Text(row.status, style=STYLES.get(row.status, ""))
    remark = Text("best", style="green") if best.benchmarks.get(row.benchmark) == row else Text()
    for number, what in ((row.unanswered, "unanswered"), (row.no_verdict, "no verdict")):
        if number:
            remark.append(f"{' ' if remark.plain else ''}{number:,} {what}", style="yellow")
    return remark


def _caption(best: Best) -> Text | None:
    if not best.overall or len(best.benchmarks) < 2:
        return None
    chosen = best.overall[0]
    name = chosen.checkpoint if chosen.step is None else f"{chosen.checkpoint}, step {chosen.step:,}"
    settings = f", {chosen.settings_text}" if chosen.settings else ""
    counted = " (scores of 10 count times 10)" if best.mixes_units else ""
    return Text(f"best of all: {name}{settings}, mean {best.mean:.1f} %{counted}", style="bold")


def _settings(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.settings))


def _ks(rows: Sequence[Row]) -> list[str]:
    return sorted({k for row in rows for k in row.scores} | {"1"}, key=int)


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
