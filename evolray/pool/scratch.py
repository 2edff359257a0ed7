"""Places of this user alone on this node, for what is copied from or to an object store."""

import os
import tempfile
from pathlib import Path

from evolray.errors import UserError
from evolray.pool.layout import cannot_write


def scratch(name: str) -> Path:
    """A folder where TMPDIR says; every process of the node finds the same.

    Raises UserError when another user has made it, EvolrayError when it cannot be made.
    """
    folder = Path(tempfile.gettempdir()) / f"evolray-{os.getuid()}-{name}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise cannot_write(str(folder), error) from error
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to another user; remove it, or set TMPDIR to a directory of your own.")
    return folder
