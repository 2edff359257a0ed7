"""What a config names as `package.module:NAME`."""

import importlib
import os
import sys
from typing import Any

from evolray.errors import UserError


def import_named(name: str, setting: str) -> Any:
    """Looked for in the working directory too. Raises UserError, naming the setting, when it cannot be imported."""
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may break in any way
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{setting}={name}: cannot be imported ({why}); expected package.module:NAME.") from None
