"""evolray: Evol-Instruct on a Ray cluster.

    import evolray
    pool = evolray.evolve({"seeds.path": "seeds.jsonl", "run": "runs/first", "teacher.kind": "simulated"})
    checkpoints = evolray.train("conf/train/tiny.yaml", data=pool, run="runs/student")

Names are loaded when they are used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evolray.api import evolve, train
    from evolray.checkpoints import Checkpoint, Checkpoints
    from evolray.config import EvolveConfig, TrainConfig
    from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError
    from evolray.method.domains import Domain
    from evolray.method.operators import Operator
    from evolray.pool.export import export
    from evolray.pool.pool import Pool
    from evolray.records import Record

__version__ = "0.1.0"

_HOMES = {
    "BudgetError": "evolray.errors",
    "Checkpoint": "evolray.checkpoints",
    "Checkpoints": "evolray.checkpoints",
    "Domain": "evolray.method.domains",
    "EndpointError": "evolray.errors",
    "EvolrayError": "evolray.errors",
    "EvolveConfig": "evolray.config",
    "Interrupted": "evolray.errors",
    "Operator": "evolray.method.operators",
    "Pool": "evolray.pool.pool",
    "Record": "evolray.records",
    "TrainConfig": "evolray.config",
    "UserError": "evolray.errors",
    "export": "evolray.pool.export",
}

__all__ = [
    "BudgetError",
    "Checkpoint",
    "Checkpoints",
    "Domain",
    "EndpointError",
    "EvolrayError",
    "EvolveConfig",
    "Interrupted",
    "Operator",
    "Pool",
    "Record",
    "TrainConfig",
    "UserError",
    "__version__",
    "evolve",
    "export",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("evolve", "train"):
        return import_module(f"evolray.{name}")  # which can be called, see there
    if name not in _HOMES:
        raise AttributeError(f"module 'evolray' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
