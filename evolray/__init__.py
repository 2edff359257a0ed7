"""evolray: Evol-Instruct on a Ray cluster.

    import evolray
    pool = evolray.evolve({"seeds.path": "seeds.jsonl", "run": "runs/first", "teacher.kind": "simulated"})
    mix = evolray.refine(data=pool, run="runs/mix")
    checkpoints = evolray.train("conf/train/tiny.yaml", data=mix, run="runs/student")
    scores = evolray.evaluate("conf/evaluate/math.yaml", benchmarks=["gsm8k"], problems__gsm8k="gsm8k_test.jsonl",
                              model=checkpoints.best(), run="runs/scores").scores

Names are loaded when they are used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evolray.ablation.results import Ablation
    from evolray.api import (
        ablation,
        blind,
        board,
        campaign,
        evaluate,
        evolve,
        generate,
        grade,
        refine,
        report,
        sweep,
        train,
    )
    from evolray.blind.stage import Blind
    from evolray.board.stage import Board
    from evolray.campaign.results import Campaign
    from evolray.checkpoints import Checkpoint, Checkpoints
    from evolray.config import (
        AblationConfig,
        BlindConfig,
        BoardConfig,
        CampaignConfig,
        EvaluateConfig,
        EvolveConfig,
        GenerateConfig,
        GradeConfig,
        RefineConfig,
        ReportConfig,
        SweepConfig,
        TrainConfig,
    )
    from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError
    from evolray.evaluate.results import Results
    from evolray.method.domains import Domain
    from evolray.method.operators import Operator
    from evolray.pool.export import export
    from evolray.pool.pool import Pool
    from evolray.records import Record
    from evolray.refine.results import Refined
    from evolray.sampling.answers import Answers
    from evolray.sweep.stage import Sweep

__version__ = "0.1.0"

_HOMES = {
    "Ablation": "evolray.ablation.results",
    "AblationConfig": "evolray.config",
    "Answers": "evolray.sampling.answers",
    "Blind": "evolray.blind.stage",
    "BlindConfig": "evolray.config",
    "Board": "evolray.board.stage",
    "BoardConfig": "evolray.config",
    "BudgetError": "evolray.errors",
    "Campaign": "evolray.campaign.results",
    "CampaignConfig": "evolray.config",
    "Checkpoint": "evolray.checkpoints",
    "Checkpoints": "evolray.checkpoints",
    "Domain": "evolray.method.domains",
    "EndpointError": "evolray.errors",
    "EvaluateConfig": "evolray.config",
    "EvolrayError": "evolray.errors",
    "EvolveConfig": "evolray.config",
    "GenerateConfig": "evolray.config",
    "GradeConfig": "evolray.config",
    "Interrupted": "evolray.errors",
    "Operator": "evolray.method.operators",
    "Pool": "evolray.pool.pool",
    "Record": "evolray.records",
    "RefineConfig": "evolray.config",
    "Refined": "evolray.refine.results",
    "ReportConfig": "evolray.config",
    "Results": "evolray.evaluate.results",
    "Sweep": "evolray.sweep.stage",
    "SweepConfig": "evolray.config",
    "TrainConfig": "evolray.config",
    "UserError": "evolray.errors",
    "export": "evolray.pool.export",
    "generate": "evolray.api",
    "grade": "evolray.api",
}

_STAGES = ("ablation", "blind", "board", "campaign", "evaluate", "evolve", "refine", "report", "sweep", "train")

__all__ = [
    "Ablation",
    "AblationConfig",
    "Answers",
    "Blind",
    "BlindConfig",
    "Board",
    "BoardConfig",
    "BudgetError",
    "Campaign",
    "CampaignConfig",
    "Checkpoint",
    "Checkpoints",
    "Domain",
    "EndpointError",
    "EvaluateConfig",
    "EvolrayError",
    "EvolveConfig",
    "GenerateConfig",
    "GradeConfig",
    "Interrupted",
    "Operator",
    "Pool",
    "Record",
    "RefineConfig",
    "Refined",
    "ReportConfig",
    "Results",
    "Sweep",
    "SweepConfig",
    "TrainConfig",
    "UserError",
    "__version__",
    "ablation",
    "blind",
    "board",
    "campaign",
    "evaluate",
    "evolve",
    "export",
    "generate",
    "grade",
    "refine",
    "report",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _STAGES:
        return import_module(f"evolray.{name}")  # which can be called, see there
    if name not in _HOMES:
        raise AttributeError(f"module 'evolray' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
