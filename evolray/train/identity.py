"""What must stay as it is while a training goes on: kept in run.yaml, looked at by every rerun.

And what run.yaml and every checkpoint say beside it: the whole config, the packages.
"""

from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evolray.config import TrainConfig
from evolray.pool.layout import Folder
from evolray.pool.seed_formats import without_credentials
from evolray.train.manifest import STAGE

PACKAGES = ("evolray", "torch", "transformers", "trl", "deepspeed", "peft", "ray")

# Another value would train another student. What is not here (workers, packing, micro-batches, precision) may change.
IDENTITY = (
    "data", "model", "generations", "columns", "limit", "held_out", "chat_format", "max_length", "over_long", "epochs",
    "max_steps", "max_tokens", "global_batch", "learning_rate", "schedule", "warmup_steps", "weight_decay",
    "adam_betas", "adam_epsilon", "max_grad_norm", "seed", "lora", "scratch",
)  # fmt: skip
LATER = ("max_tokens",)  # runs that were begun before there was such a setting are still the same


def identity_of(config: TrainConfig, deepspeed: dict[str, Any] | None) -> dict[str, Any]:
    values = asdict(config)
    zero = None if deepspeed is None else deepspeed.get("zero_optimization", {}).get("stage", 0)
    kept = {name: values[name] for name in IDENTITY if name not in LATER or values[name] is not None}
    if not config.scratch.numbers:
        del kept["scratch"]["numbers"]
    return {**kept, "data": without_credentials(config.data), "zero_stage": zero, "stage": STAGE}


def described(config: TrainConfig, folder: Folder) -> dict[str, Any]:
    return {**asdict(config), "run": folder.url, "data": without_credentials(config.data)}


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
