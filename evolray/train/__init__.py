"""The training stage: examples tokenised by Ray Data, a student trained by Ray Train and DeepSpeed.

The package and the function `evolray.train` share a name; as with `evolray.evolve`, the package can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from evolray.api import train

        return train(*arguments, **settings)


sys.modules[__name__].__class__ = _Stage
