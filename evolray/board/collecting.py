"""All results below some folders: every run directory of evaluate and grade, the cells of sweeps among them.

A run counts when its manifest says that it is complete. One that is not, and a file that cannot be read, are listed
with the reason. A run that is found twice, through a link or because folders overlap, counts once.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from evolray.board.rows import NoRow, Row, make_row, number, text
from evolray.errors import UserError
from evolray.pool.layout import Folder, LocalFolder, open_folder
from evolray.pool.manifest import MANIFEST
from evolray.pool.seed_formats import without_credentials

SCORES, EVALUATE, COMPLETE = "scores.json", "evaluate", "complete"
ABSENT = {
    MANIFEST: f"there is no {MANIFEST}, so it cannot be told whether the run is complete; copy it, too",
    SCORES: f"there is no {SCORES}, though its manifest says that the run is complete",
}
# Of a store, there is no asking whether a name is a folder but by listing it: these are files.
FILES = (
    ".json", ".jsonl", ".parquet", ".yaml", ".csv", ".html", ".png", ".svg", ".log", ".txt", ".gz", ".bin",
    ".safetensors", ".pt", ".py", ".md",
)  # fmt: skip


@dataclass(frozen=True)
class LeftOut:
    """What is not on the board. `benchmark`: "" for a whole run."""

    run: str
    benchmark: str
    reason: str


@dataclass(frozen=True)
class Collected:
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]


class Unreadable(Exception):
    """Why a file says nothing."""


def collect(results: Sequence[str], names: Mapping[str, str]) -> Collected:
    """Raises UserError when one of `results` is no folder."""
    if not results:
        raise UserError("results is empty; expected folders in which runs of evolray evaluate, grade or sweep lie.")
    folders = [_opened(path) for path in results]
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for folder, label in zip(folders, _labels(folders), strict=True):
        for place in find_runs(folder, label, left_out):
            identity = _identity(folder, place)
            if identity not in seen:
                seen.add(identity)
                _read_run(folder, place, _joined(label, place), names, rows, left_out)
    key = {row.run: number for number, row in enumerate(rows)}
    rows.sort(key=lambda row: (row.run, row.benchmark, key[row.run]))
    return Collected(tuple(rows), tuple(sorted(left_out, key=lambda one: (one.run, one.benchmark, one.reason))))


def find_runs(folder: Folder, label: str, left_out: list[LeftOut]) -> Iterator[str]:
    """Where below `folder` there are scores, or a manifest of an evaluation that has none yet; links come last."""
    here: list[str] = [""]
    linked: list[str] = []
    visited: set[str] = set()
    while here or linked:
        place = here.pop() if here else linked.pop(0)
        identity = _identity(folder, place)
        if identity in visited:
            continue
        visited.add(identity)
        try:
            found = folder.names(place)
        except NotADirectoryError:
            continue
        except OSError as error:
            left_out.append(LeftOut(_joined(label, place), "", f"the folder cannot be listed ({_why(error)})"))
            continue
        if SCORES in found or (MANIFEST in found and _is_evaluation(folder, place)):
            yield place
            continue
        for name in reversed(found):
            inner = _joined(place, name)
            if _may_be_folder(folder, inner):
                (linked if _is_link(folder, inner) else here).append(inner)


def _read_run(
    folder: Folder, place: str, run: str, names: Mapping[str, str], rows: list[Row], left_out: list[LeftOut]
) -> None:
    try:
        manifest = _json(folder, _joined(place, MANIFEST))
        status = text(manifest.get("status")) or "not stated"
        if status != COMPLETE:
            raise Unreadable(f"its evaluation is not complete (status: {status[:40]})")
        scores = _json(folder, _joined(place, SCORES))
    except Unreadable as why:
        left_out.append(LeftOut(run, "", str(why)))
        return
    if not scores:
        left_out.append(LeftOut(run, "", f"{SCORES} is empty"))
    for benchmark, entry in scores.items():
        try:
            row, set_aside = make_row(benchmark, entry, run, number(manifest.get("updated_at")), names)
        except NoRow as why:
            left_out.append(LeftOut(run, benchmark, str(why)))
            continue
        rows.append(row)
        left_out.extend(LeftOut(run, benchmark, one) for one in set_aside)


def _json(folder: Folder, name: str) -> dict[str, Any]:
    file = name.rpartition("/")[2]
    try:
        content = json.loads(folder.read(name))
    except FileNotFoundError:
        raise Unreadable(ABSENT.get(file, f"there is no {file}")) from None
    except OSError as error:
        raise Unreadable(f"{file} cannot be read ({_why(error)})") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{file} is no JSON ({_why(error)})") from None
    if not isinstance(content, dict):
        raise Unreadable(f"{file} holds {type(content).__name__}; expected an object")
    return content


def _is_evaluation(folder: Folder, place: str) -> bool:
    """A manifest that cannot be read may have been one's; the run is then listed with the reason."""
    try:
        return _json(folder, _joined(place, MANIFEST)).get("stage") == EVALUATE
    except Unreadable:
        return True


def _opened(path: str) -> Folder:
    folder = open_folder(path)
    if isinstance(folder, LocalFolder) and not folder.path.is_dir():
        what = "a file" if folder.path.exists() else "not there"
        raise UserError(f"results: {without_credentials(path)} is {what}; expected a folder in which runs lie.")
    try:
        folder.names("")
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"results: {folder.url} cannot be listed ({_why(error)}); check the path.") from None
    return folder


def _labels(folders: Sequence[Folder]) -> list[str]:
    """The shortest ends of the folders' paths that differ: a page says no more of a machine than it needs to."""
    parts = [tuple(filter(None, _full(folder).split("/"))) or ("/",) for folder in folders]
    depth = 1
    while len({one[-depth:] for one in parts}) < len(set(parts)):
        depth += 1
    return ["/".join(one[-depth:]) for one in parts]


def _full(folder: Folder) -> str:
    return os.path.normpath(folder.path) if isinstance(folder, LocalFolder) else folder.url.rstrip("/")


def _identity(folder: Folder, place: str) -> str:
    if isinstance(folder, LocalFolder):
        return os.path.realpath(folder.path / place)
    return _joined(folder.url.rstrip("/"), place)


def _may_be_folder(folder: Folder, place: str) -> bool:
    return (folder.path / place).is_dir() if isinstance(folder, LocalFolder) else not place.endswith(FILES)


def _is_link(folder: Folder, place: str) -> bool:
    return isinstance(folder, LocalFolder) and (folder.path / place).is_symlink()


def _joined(place: str, name: str) -> str:
    return "/".join(filter(None, (place, name)))


def _why(error: Exception) -> str:
    """Without the file's full path, which is nobody's affair."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.splitlines()[0][:100]
    return (str(error).splitlines() or [type(error).__name__])[0][:100] if not isinstance(error, OSError) else "OSError"
