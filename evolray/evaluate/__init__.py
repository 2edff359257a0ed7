"""The evaluation stage: problems in, samples graded, scores out; every score with the rules it was made by.

The package and the function `evolray.evaluate` share a name, as in the other stages; called, it is the function.
"""

import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from evolray.api import evaluate

        return evaluate(*arguments, **settings)


sys.modules[__name__].__class__ = _Stage
