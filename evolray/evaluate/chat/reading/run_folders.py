"""Runs of `evaluate` and `grade`, and cells of a sweep, where a file of answers or of verdicts could be given.

samples.parquet                             every sample of the run
judged/<benchmark>-<key>/verdicts.parquet   the verdicts of one judge, by one protocol, of one set of samples
"""

import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from evolray.errors import UserError
from evolray.evaluate.chat.verdicts import VERDICTS, Verdict, read_verdicts
from evolray.evaluate.graded import SAMPLES, read_all
from evolray.pool.layout import Folder, open_folder

JUDGED = "judged"


def open_run(path: str) -> Folder | None:
    """None for what is no folder, but a file."""
    if path.startswith("hf:") or not path.strip():
        return None
    try:
        folder = open_folder(path)
        if folder.is_local:
            return folder if os.path.isdir(folder.url) else None
        return folder if folder.exists(SAMPLES) or folder.exists(VERDICTS) or folder.names(JUDGED) else None
    except (OSError, UserError):  # whoever reads it as a file says what is wrong
        return None


def sample_rows(folder: Folder) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every sample with its row, from 1. Raises UserError when there are none."""
    if not folder.exists(SAMPLES):
        raise UserError(
            f"{folder.url}: has no {SAMPLES}; expected a file of answers, the run= of evolray evaluate once it is "
            "complete, or the folder of one cell of a sweep."
        )
    try:
        yield from enumerate(read_all(folder), 1)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(folder, SAMPLES, error) from None


def verdicts_in(folder: Folder, benchmark: str) -> tuple[str, list[Verdict]]:
    """The name of the only file of verdicts on this benchmark, and what it holds.

    Raises UserError when there is none, or when there are several: nobody but the user knows which are meant.
    """
    keys = [one for one in folder.names(JUDGED) if one.startswith(f"{benchmark}-")]
    names = [VERDICTS, *(f"{JUDGED}/{key}/{VERDICTS}" for key in keys)]
    found = [name for name in names if folder.exists(name)]
    if not found:
        raise UserError(
            f"{folder.url}: holds no verdicts on {benchmark}; expected a file of them, or a run of evolray evaluate or "
            f"grade with {JUDGED}/{benchmark}-*/{VERDICTS}."
        )
    if len(found) > 1:
        raise UserError(
            f"{folder.url}: holds verdicts of several judges or protocols on {benchmark}: {', '.join(found)}. Name one "
            "of these files."
        )
    try:
        return found[0], read_verdicts(folder, found[0])
    except (OSError, pa.ArrowException, UnicodeDecodeError, TypeError) as error:
        raise _unreadable(folder, found[0], error) from None


def _unreadable(folder: Folder, name: str, error: Exception) -> UserError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return UserError(f"{folder.url}/{name} cannot be read: {reason}. Was it cut off, or written by something else?")
