"""Packages that share their name with a function, such as `evolray.evolve`: called, they are that function.

So it does not depend on the order of imports which of the two one gets.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def calls_function(package: str) -> None:
    """Calling the package "evolray.NAME" calls `evolray.api.NAME`, which is loaded then."""
    name = package.rpartition(".")[2]

    class Stage(ModuleType):
        def __call__(self, *arguments: Any, **settings: Any) -> Any:
            return getattr(import_module("evolray.api"), name)(*arguments, **settings)

    sys.modules[package].__class__ = Stage
