"""The settings of a campaign's stages, checked against theirs before a single job is submitted.

Paths are made what the jobs find, which work in another directory (pipeline/places.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from evolray.config import CampaignConfig, EvaluateConfig, EvolveConfig, RefineConfig, TrainConfig, from_mapping
from evolray.errors import UserError
from evolray.pipeline.places import SCRATCH, deepspeed_settings, file_place, model_place

T = TypeVar("T")

LATER = "later"
"""Stands for what a step sets: a run, a model that is not trained yet."""

# What the campaign itself decides in each round.
OWN = {
    "evolve": ("run", "generations", "dry_run"),
    "refine": ("run", "data", "select.generations", "dry_run"),
    "train": ("run", "data", "generations", "columns"),
    "evaluate": ("run", "model", "endpoint", "dry_run"),
}


@dataclass(frozen=True)
class Settings:
    """What is the same in every round."""

    evolve: EvolveConfig
    refine: RefineConfig
    train: TrainConfig
    evaluate: EvaluateConfig


def read_settings(config: CampaignConfig) -> Settings:
    """Raises UserError for whatever is wrong with the config, as far as that can be seen without its stages."""
    _check(config)
    evolve = _load(EvolveConfig, "evolve", config.evolve, {"run": LATER})
    refine = _load(RefineConfig, "refine", config.refine, {"run": LATER, "data": LATER})
    train = _load(TrainConfig, "train", config.train, {"run": LATER, "data": LATER})
    evaluate = _load(EvaluateConfig, "evaluate", config.evaluate, {"run": LATER})
    if config.operators.learn and evolve.operators_by_generation:
        raise UserError("operators.learn=true sets evolve.operators_by_generation itself; leave one of the two out.")
    if train.model == SCRATCH and "://" in config.run and not config.run.startswith("file://"):
        raise UserError("train.model=scratch needs run= to be a path that every node sees, not a URL.")
    base = config.jobs.working_dir
    evolve.seeds.path = file_place("evolve.seeds.path", evolve.seeds.path, base)
    named = refine.contamination.benchmarks
    refine.contamination.benchmarks = _all_there("refine.contamination.benchmarks", named, base)
    refine.select.embedding_model = model_place(refine.select.embedding_model, base)
    train.model = model_place(train.model, base)
    train.deepspeed = deepspeed_settings("train.deepspeed", train.deepspeed)
    _settle_evaluate(evaluate, base)
    return Settings(evolve, refine, train, evaluate)


def flat(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested and dotted keys, all dotted. An empty mapping is a value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
        found |= inner
    return found


def _check(config: CampaignConfig) -> None:
    for name, value, least in (
        ("rounds", config.rounds, 1), ("patience", config.patience, 1), ("tolerance", config.tolerance, 0),
        ("operators.least", config.operators.least, 0),
    ):  # fmt: skip
        if not value >= least:
            raise UserError(f"{name}={value:g}: expected {least} or more.")
    if config.operators.least > 1:
        raise UserError(f"operators.least={config.operators.least:g}: expected at most 1, an equal share.")


def _load(schema: type[T], stage: str, values: Mapping[str, Any], own: Mapping[str, Any]) -> T:
    for key in flat(values):
        if any(f"{key}.".startswith(f"{one}.") for one in OWN[stage]):
            raise UserError(f"{stage}.{key}: a campaign sets this itself, in every round; leave it out.")
    try:
        return from_mapping(schema, {**values, **own})
    except UserError as error:
        raise UserError(f"{stage}.{error}") from None


def _settle_evaluate(evaluate: EvaluateConfig, base: str | None) -> None:
    if not evaluate.benchmarks:
        raise UserError("evaluate.benchmarks is empty; expected at least one, for example evaluate.benchmarks=[gsm8k].")
    for setting in ("problems", "baselines", "references", "labels"):
        setattr(evaluate, setting, _all_there(f"evaluate.{setting}", getattr(evaluate, setting), base))
    if evaluate.judge.model:
        evaluate.judge.model = model_place(evaluate.judge.model, base)
    if evaluate.lm_eval.tokenizer:
        evaluate.lm_eval.tokenizer = model_place(evaluate.lm_eval.tokenizer, base)


def _all_there(setting: str, places: Mapping[str, str], base: str | None) -> dict[str, str]:
    return {name: file_place(f"{setting}.{name}", place, base) for name, place in places.items()}
