"""What must stay as it is, once there are rounds that were made with it: kept in run.yaml, looked at by every rerun.

Kept are the settings that differ from the defaults. Of files only their names: a copy elsewhere is the same, and what
is in them the stages compare themselves. `rounds`, `patience`, `tolerance` and `jobs` may change, and so may what each
stage itself lets change: endpoints, limits, budgets, workers, batches.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from evolray.campaign.settings import Settings, flat
from evolray.config import CampaignConfig, EvaluateConfig, EvolveConfig, RefineConfig, TrainConfig
from evolray.errors import UserError
from evolray.pool.layout import Folder
from evolray.pool.manifest import RUN
from evolray.pool.seed_formats import without_credentials

STAGE = "campaign"
SCHEMAS = {"evolve": EvolveConfig, "refine": RefineConfig, "train": TrainConfig, "evaluate": EvaluateConfig}

PACE_OF_ENDPOINT = (
    "base_url", "api_key_env", "timeout_seconds", "max_retries", "give_up_seconds", "max_in_flight",
    "requests_per_minute", "tokens_per_minute", "price_per_million_prompt_tokens",
    "price_per_million_completion_tokens",
)  # fmt: skip
PACE_OF_SAMPLER = ("workers", "engine", "budget", "batch_tokens", "retry_failed")
PACE: dict[str, Sequence[str]] = {
    "evolve": ("run", "engine", "budget", "retry_failed", "dry_run", "operators_by_generation", *(
        f"{role}.{one}" for role in ("teacher", "judge", "responder") for one in PACE_OF_ENDPOINT
    )),
    "refine": ("run", "data", "engine", "budget", "workers", "memory_mb", "formats", "dry_run", *(
        f"judge.{one}" for one in PACE_OF_ENDPOINT
    )),
    "train": (
        "run", "data", "packing", "micro_batch_tokens", "precision", "attention", "gradient_checkpointing", "liger",
        "deepspeed", "checkpoint_steps", "keep_checkpoints", "log_steps", "log_seconds", "workers",
    ),
    "evaluate": (
        "run", "model", "endpoint", *PACE_OF_SAMPLER, *(f"judge.{one}" for one in PACE_OF_SAMPLER),
        *(f"judge.endpoint.{one}" for one in PACE_OF_ENDPOINT), "execution.parallel", "lm_eval.batch_size", "dry_run",
    ),
}  # fmt: skip
FILES = ("evolve.seeds.path", "train.model", "refine.contamination.benchmarks", "evaluate.problems",
         "evaluate.baselines", "evaluate.references", "evaluate.labels", "evaluate.judge.model")  # fmt: skip


def identity_of(config: CampaignConfig, settings: Settings) -> dict[str, Any]:
    """As run.yaml holds it: flat, without what has its default."""
    values = {f"{stage}.{key}": value for stage in SCHEMAS for key, value in _of_stage(stage, settings).items()}
    defaults = _defaults()
    kept = {key: value for key, value in values.items() if key not in defaults or defaults[key] != value}
    return {"stage": STAGE, "baseline": config.baseline, "operators.learn": config.operators.learn, **kept}


def difference(folder: Folder, identity: Mapping[str, Any]) -> str | None:
    """How the run on disk differs, in a sentence; None when it does not, "" when there is none yet.

    Raises UserError when it is the run of another stage.
    """
    if not folder.exists(RUN):
        return ""
    try:
        before = {**yaml.safe_load(folder.read(RUN))["identity"]}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{folder.url}/{RUN} cannot be read ({type(error).__name__}); was it edited?") from None
    if before.get("stage") != STAGE:
        raise UserError(f"run={folder.url}: holds the run of another stage; choose another run=.")
    defaults = _defaults()
    for key in sorted((before.keys() | identity.keys()) - {"prompts"}):
        old, new = (values.get(key, defaults.get(key)) for values in (before, identity))
        if old != new:
            return f"{folder.url} was made with {key}={old} and would now go on with {key}={new}."
    return None


def _of_stage(stage: str, settings: Settings) -> dict[str, Any]:
    values = flat(dataclasses.asdict(getattr(settings, stage)))
    kept = {key: value for key, value in values.items() if not _is_one_of(key, PACE[stage])}
    return {key: _shown(f"{stage}.{key}", value) for key, value in kept.items()}


def _defaults() -> dict[str, Any]:
    return {
        f"{stage}.{key}": value
        for stage, schema in SCHEMAS.items()
        for key, value in flat(dataclasses.asdict(schema())).items()
    }


def _is_one_of(key: str, some: Sequence[str]) -> bool:
    return any(f"{key}.".startswith(f"{one}.") for one in some)


def _shown(key: str, value: Any) -> Any:
    """Files by their names alone; without what may be secret."""
    if not isinstance(value, str):
        return value
    value = without_credentials(value).partition("?")[0] if "://" in value else value
    is_path = value.startswith(("/", "file://")) or "://" in value
    return PurePosixPath(value).name if is_path and _is_one_of(key, FILES) else value
