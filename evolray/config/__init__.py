"""Configuration: a dataclass per stage, YAML files and `key=value` on top, everything checked before anything starts.

    load(EvolveConfig, ["conf/evolve/wizardlm.yaml", "run=runs/a", "teacher.model=gpt-4o-mini"])

Later arguments win. Unknown keys are refused with the nearest known one. Secrets are never part of a config: it names
the environment variable that holds the key (`api_key_env`).
"""

from evolray.config.ablation import AblationConfig
from evolray.config.blind import BlindConfig
from evolray.config.board import BoardConfig
from evolray.config.campaign import CampaignConfig, OperatorsConfig
from evolray.config.endpoint import AUTO, BudgetConfig, EndpointConfig, EngineConfig
from evolray.config.evaluate import EvaluateConfig, ExecutionConfig, GradeConfig
from evolray.config.evolve import EvolveConfig, ModelConfig, SeedsConfig, role
from evolray.config.generate import GenerateConfig
from evolray.config.jobs import JobConfig, JobsConfig
from evolray.config.judge import LmEvalConfig, VerdictsConfig
from evolray.config.loading import from_mapping, load, to_yaml
from evolray.config.refine import (
    ContaminationConfig,
    JudgingConfig,
    NearDuplicatesConfig,
    RefineConfig,
    SelectConfig,
)
from evolray.config.report import ReportConfig
from evolray.config.sampling import SamplerConfig, SamplingConfig
from evolray.config.sweep import SweepConfig
from evolray.config.train import LoraConfig, ScratchConfig, TrainConfig, WorkersConfig

__all__ = [
    "AUTO",
    "AblationConfig",
    "BlindConfig",
    "BoardConfig",
    "BudgetConfig",
    "CampaignConfig",
    "ContaminationConfig",
    "EndpointConfig",
    "EngineConfig",
    "EvaluateConfig",
    "EvolveConfig",
    "ExecutionConfig",
    "GenerateConfig",
    "GradeConfig",
    "JobConfig",
    "JobsConfig",
    "JudgingConfig",
    "LmEvalConfig",
    "LoraConfig",
    "ModelConfig",
    "NearDuplicatesConfig",
    "OperatorsConfig",
    "RefineConfig",
    "ReportConfig",
    "SamplerConfig",
    "SamplingConfig",
    "ScratchConfig",
    "SeedsConfig",
    "SelectConfig",
    "SweepConfig",
    "TrainConfig",
    "VerdictsConfig",
    "WorkersConfig",
    "from_mapping",
    "load",
    "role",
    "to_yaml",
]
