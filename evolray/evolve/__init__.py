"""The evolution stage: the method, run over all seeds by Ray Data actors, shard by shard.

The package and the function `evolray.evolve` share a name. So that it does not depend on the order of imports which of
the two one gets, the package itself can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from evolray.api import evolve

        return evolve(*arguments, **settings)


sys.modules[__name__].__class__ = _Stage
