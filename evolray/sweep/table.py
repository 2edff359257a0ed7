"""Rows as a table: for the terminal, as CSV and as JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from evolray.sweep.rows import Best, Row, find_best

STYLES = {"failed": "red", "deleted": "yellow", "running": "cyan", "waiting": "dim"}


def to_json(rows: Sequence[Row], best: Best) -> str:
    return json.dumps({"best": best.as_dict(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """A column per setting of the grid, and three per k of pass@k."""
    settings, ks = _settings(rows), _ks(rows)
    bounds = [f"pass@{k}{end}" for k in ks for end in ("", "_low", "_high")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fixed = ["checkpoint", "step", "benchmark"]
    writer.writerow([*fixed, *settings, "status", *bounds, "passed", "total", "unanswered", "model", "cell", "message"])
    for row in rows:
        values = [row.checkpoint, row.step, row.benchmark, *(_cell(row.settings.get(key)) for key in settings)]
        scores = [row.scores.get(k, {}).get(name) for k in ks for name in ("score", "low", "high")]
        ends = [row.passed, row.total, row.unanswered, row.model, row.cell, row.message]
        writer.writerow([*values, row.status, *scores, *ends])
    return text.getvalue()


def table(rows: Sequence[Row], best: Best | None = None) -> Table:
    """For the terminal. The best of each benchmark is marked, and the best of all is in the caption."""
    best = best or find_best(rows)
    settings, more = _settings(rows), [k for k in _ks(rows) if k != "1"]
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", caption=_caption(best), caption_justify="left")
    for name in ("checkpoint", "step", "benchmark", *(key.rpartition(".")[2] for key in settings)):
        shown.add_column(name, justify="right" if name == "step" else "left", overflow="fold")
    for name in ("pass@1 %", "95 % interval", "passed", *(f"pass@{k} %" for k in more)):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for row in rows:
        shown.add_row(
            Text(row.checkpoint),
            "" if row.step is None else f"{row.step:,}",
            Text(row.title or row.benchmark),
            *(Text(_cell(row.settings.get(key))) for key in settings),
            *_scores(row, more),
            _remark(row, best),
        )
    return shown


def _scores(row: Row, more: Sequence[str]) -> list[str]:
    interval = "" if row.low is None or row.high is None else f"{row.low:.1f} – {row.high:.1f}"
    passed = "" if row.total is None else f"{row.passed:,} of {row.total:,}"
    others = [row.scores.get(k, {}).get("score") for k in more]
    return ["" if row.score is None else f"{row.score:.1f}", interval, passed] + [
        "" if one is None else f"{one:.1f}" for one in others
    ]


def _remark(row: Row, best: Best) -> Text:
    if row.status != "complete":
        return Text(row.status, style=STYLES.get(row.status, ""))
    remark = Text("best", style="green") if best.benchmarks.get(row.benchmark) == row else Text()
    if row.unanswered:
        remark.append(f"{' ' if remark.plain else ''}{row.unanswered:,} unanswered", style="yellow")
    return remark


def _caption(best: Best) -> Text | None:
    if not best.overall or len(best.benchmarks) < 2:
        return None
    chosen = best.overall[0]
    name = chosen.checkpoint if chosen.step is None else f"{chosen.checkpoint}, step {chosen.step:,}"
    settings = f", {chosen.settings_text}" if chosen.settings else ""
    return Text(f"best of all: {name}{settings}, mean {best.mean:.1f} %", style="bold")


def _settings(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.settings))


def _ks(rows: Sequence[Row]) -> list[str]:
    return sorted({k for row in rows for k in row.scores} | {"1"}, key=int)


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
