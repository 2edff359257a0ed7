"""Configuration: a dataclass per stage, YAML files and `key=value` on top, everything checked before anything starts.

    load(EvolveConfig, ["conf/evolve/wizardlm.yaml", "run=runs/a", "teacher.model=gpt-4o-mini"])

Later arguments win. Unknown keys are refused with the nearest known one. Secrets are never part of a config: it names
the environment variable that holds the key (`api_key_env`).
"""

from evolray.config.evolve import AUTO, BudgetConfig, EngineConfig, EvolveConfig, ModelConfig, SeedsConfig, role
from evolray.config.loading import from_mapping, load, to_yaml
from evolray.config.train import LoraConfig, ScratchConfig, TrainConfig, WorkersConfig

__all__ = [
    "AUTO",
    "BudgetConfig",
    "EngineConfig",
    "EvolveConfig",
    "LoraConfig",
    "ModelConfig",
    "ScratchConfig",
    "SeedsConfig",
    "TrainConfig",
    "WorkersConfig",
    "from_mapping",
    "load",
    "role",
    "to_yaml",
]
