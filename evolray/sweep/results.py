"""What a sweep leaves in its run directory, and how it is read again: tables, figure, manifest.

manifest.json               how the sweep stands, with its cells in order
table.csv, table.json       written again whenever a cell ends
figure.png, figure.svg      at the end
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from evolray.errors import UserError
from evolray.pool.layout import LocalFolder, open_folder
from evolray.pool.manifest import MANIFEST
from evolray.sweep import table as tables
from evolray.sweep.records import Records
from evolray.sweep.rows import Best, Row, find_best, make_row
from evolray.sweep.sources import shown

STAGE = "sweep"


@dataclass(frozen=True)
class Sweep:
    """A sweep's run directory and its rows: by checkpoint, step, benchmark and settings."""

    run: str
    rows: tuple[Row, ...]

    @property
    def best(self) -> Best:
        return find_best(self.rows)

    def table(self) -> Table:
        return tables.table(self.rows, self.best)

    def figure(self) -> Any:
        """A matplotlib Figure."""
        from evolray.sweep.figure import figure  # matplotlib takes a second to import

        return figure(self.rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """For example for pandas.DataFrame."""
        return [asdict(row) for row in self.rows]


def read(run: str) -> Sweep:
    """A sweep as it stands on disk. Raises UserError when there is none."""
    folder = open_local(run)
    manifest = read_manifest(folder)
    if manifest.get("stage") != STAGE:
        raise UserError(f"{folder.url}: there is no sweep; expected the run directory of evolray sweep.")
    records = Records(folder)
    found = [(name, records.read(name)) for name in manifest["cells"]]
    return Sweep(folder.url, tuple(make_row(name, one, records.scores(name)) for name, one in found if one))


def open_local(run: str) -> LocalFolder:
    if "://" in run and not run.startswith("file://"):
        raise UserError(f"run={shown(run)}: a sweep needs a path that every node sees, not a URL.")
    folder = open_folder(run)
    assert isinstance(folder, LocalFolder)
    return folder


def read_manifest(folder: LocalFolder) -> dict[str, Any]:
    """Empty when there is none. Raises UserError when it cannot be read."""
    if not folder.exists(MANIFEST):
        return {}
    try:
        return dict(json.loads(folder.read(MANIFEST)))
    except (ValueError, TypeError) as error:
        raise UserError(f"{folder.url}/{MANIFEST} cannot be read ({error}); was it edited?") from None


def write_tables(folder: LocalFolder, rows: Sequence[Row], best: Best) -> None:
    folder.write("table.csv", tables.to_csv(rows).encode())
    folder.write("table.json", tables.to_json(rows, best).encode())


def write_figures(folder: LocalFolder, done: Sweep) -> None:
    """Nothing when there is no score yet."""
    if not any(row.score is not None for row in done.rows):
        return
    from evolray.sweep.figure import files

    for name, content in files(done.rows).items():
        folder.write(name, content)
