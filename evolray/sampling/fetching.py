"""A model folder on this node: its own place, or a copy of what lies in an object store.

The copy is made once per node and named after the names and sizes of the files, so that workers that start together
and later runs share it. It is never deleted by evolray; it lies where TMPDIR says.
"""

import hashlib
import json
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from pyarrow import fs

from evolray.errors import EvolrayError, UserError
from evolray.model_folder import Tree, check, is_state, open_tree
from evolray.pool.layout import cannot_write
from evolray.pool.scratch import scratch


def fetch(tree: Tree) -> Path:
    """A local folder that holds the model of `tree`, without what is there for resuming.

    Raises UserError when it is gone or damaged, EvolrayError when it cannot be copied.
    """
    if isinstance(tree.files, fs.LocalFileSystem):
        if not Path(tree.path).is_dir():
            raise UserError(
                f"{tree.path}: a node of the cluster does not see this folder, or it was deleted meanwhile. Use a path "
                "on shared storage, a URL such as s3://bucket/model, or keep more checkpoints."
            )
        return Path(tree.path)
    sizes = {name: size for name, size in tree.sizes().items() if not is_state(name)}
    target = scratch("models") / hashlib.blake2s(json.dumps([tree.url, sizes]).encode()).hexdigest()[:16]
    if not target.exists():
        _copy(tree, list(sizes), target)
    return target


def _copy(tree: Tree, names: list[str], target: Path) -> None:
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        tree.copy(names, open_tree(str(aside)))
        check(open_tree(str(aside)), with_state=False)
        with suppress(OSError):  # another process of this node was faster with the same
            aside.rename(target)
    except FileNotFoundError as error:
        raise EvolrayError(f"{tree.url}: a file went missing during the copy; was the checkpoint deleted?") from error
    except OSError as error:
        raise cannot_write(str(target), error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
