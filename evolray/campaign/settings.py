"""The settings of a campaign's stages, checked against theirs before a single job is submitted.

Paths are made absolute, as jobs work in another directory; URLs, hf:NAME and names on the Hub stay as they are. A file
of DeepSpeed settings is read here, so that it need not be where the jobs run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from evolray.config import CampaignConfig, EvaluateConfig, EvolveConfig, RefineConfig, TrainConfig, from_mapping
from evolray.errors import UserError

T = TypeVar("T")

SCRATCH = "scratch"
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
    evolve.seeds.path = _there("evolve.seeds.path", evolve.seeds.path)
    named = refine.contamination.benchmarks
    refine.contamination.benchmarks = _all_there("refine.contamination.benchmarks", named)
    refine.select.embedding_model = _model(refine.select.embedding_model)
    train.model = train.model if train.model == SCRATCH else _model(train.model)
    train.deepspeed = _content(train.deepspeed)
    _settle_evaluate(evaluate)
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


def _settle_evaluate(evaluate: EvaluateConfig) -> None:
    if not evaluate.benchmarks:
        raise UserError("evaluate.benchmarks is empty; expected at least one, for example evaluate.benchmarks=[gsm8k].")
    for setting in ("problems", "baselines", "references", "labels"):
        setattr(evaluate, setting, _all_there(f"evaluate.{setting}", getattr(evaluate, setting)))
    if evaluate.judge.model:
        evaluate.judge.model = _model(evaluate.judge.model)
    if evaluate.lm_eval.tokenizer:
        evaluate.lm_eval.tokenizer = _model(evaluate.lm_eval.tokenizer)


def _all_there(setting: str, places: Mapping[str, str]) -> dict[str, str]:
    return {name: _there(f"{setting}.{name}", place) for name, place in places.items()}


def _there(setting: str, place: str) -> str:
    if "://" in place or place.startswith("hf:"):
        return place
    path = Path(place).expanduser().absolute()
    if not path.exists():
        raise UserError(f"{setting}={place}: no such file. Expected a path, a URL or hf:NAME.")
    return str(path)


def _model(entry: str) -> str:
    """A folder, RUN or RUN:STEP as jobs find it; what is no path here is a name on the Hub."""
    run, colon, step = entry.rpartition(":")
    folder, behind = (run, f":{step}") if colon and step.isdigit() else (entry, "")
    path = Path(folder).expanduser()
    return str(path.absolute()) + behind if "://" not in entry and path.exists() else entry


def _content(deepspeed: Any) -> Any:
    if not isinstance(deepspeed, str):
        return deepspeed
    try:
        return yaml.safe_load(Path(deepspeed).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"train.deepspeed={deepspeed}: cannot be read ({str(error).splitlines()[0]}); expected a YAML file."
        ) from None
