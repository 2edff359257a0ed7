"""The refining stage: pools in, a training mix out, every drop with its reason.

    sources.py, intake.py            what is refined, as shards of records
    features.py                      what is measured without asking anybody
    signatures.py, exact.py, near_*  copies: who is dropped for whom
    contamination.py, execution.py   benchmark items in records
    judging.py                       difficulty and skills, by a judge
    selection.py, quotas.py, ...     which records make the mix
    mix.py, card.py, results.py      what lies on disk in the end
    steps.py, stage.py, on_ray.py    one step after another, resumed where it ended

The package and the function `evolray.refine` share a name, as in the other stages; called, it is the function.
"""

import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from evolray.api import refine

        return refine(*arguments, **settings)


sys.modules[__name__].__class__ = _Stage
