"""The settings that an ablation hands on to its stages: those that it decides itself are refused, paths made absolute.

A stage's settings come nested or dotted, or both.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

from evolray.config import AblationConfig
from evolray.errors import UserError
from evolray.pipeline.places import deepspeed_settings, file_place, model_place

STAGES = ("evolve", "refine", "train", "sweep")
# What the ablation decides, and what to give it instead.
OWN = {
    "evolve.run": "run", "evolve.generations": "generations", "evolve.dry_run": "", "refine.run": "run",
    "refine.data": "evolve.seeds.path", "refine.dry_run": "", "refine.select.generations": "generations",
    "refine.select.records": "records", "refine.select.tokens": "records", "refine.select.balance": "",
    "train.run": "run", "train.data": "evolve.seeds.path", "train.generations": "generations", "train.limit": "records",
    "train.max_tokens": "tokens", "sweep.run": "run", "sweep.checkpoints": "generations", "sweep.grid": "",
    "sweep.watch": "",
}  # fmt: skip
FILES = (
    "evolve.seeds.path", "refine.contamination.benchmarks.*", "sweep.problems.*", "sweep.baselines.*",
    "sweep.references.*", "sweep.labels.*",
)  # fmt: skip
# A folder, or a name on the Hub.
MODELS = (
    "train.model", "refine.select.embedding_model", "sweep.evaluate.judge.model", "sweep.evaluate.lm_eval.tokenizer",
)  # fmt: skip
DEEPSPEED = "train.deepspeed"


def settle(config: AblationConfig) -> AblationConfig:
    """The config as the stages' jobs can read it. Raises UserError for a setting that is the ablation's own, a stage
    that it has not, and a file that is not there."""
    for stage in config.jobs.stages:
        if stage not in STAGES:
            near = difflib.get_close_matches(stage, STAGES, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected some of {', '.join(STAGES)}."
            raise UserError(f"jobs.stages.{stage}: an ablation has no such stage; {hint}")
    for stage in STAGES:
        for key, _ in _flat(getattr(config, stage), f"{stage}."):
            _refuse_own(key)
    base = config.jobs.working_dir
    settled = {stage: _settled(getattr(config, stage), f"{stage}.", base) for stage in STAGES}
    return replace(
        config, evolve=settled["evolve"], refine=settled["refine"], train=settled["train"], sweep=settled["sweep"]
    )


def _refuse_own(key: str) -> None:
    for own, instead in OWN.items():
        if f"{key}.".startswith(f"{own}."):
            hint = f"; give it as {instead}=VALUE." if instead else "."
            raise UserError(f"{own}: an ablation sets this itself{hint}")


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _settled(values: Mapping[str, Any], prefix: str, base: str | None) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping):
            settled[key] = _settled(value, f"{dotted}.", base)
        elif isinstance(value, str) and _is(dotted, FILES):
            settled[key] = file_place(dotted, value, base)
        elif isinstance(value, str) and _is(dotted, MODELS):
            settled[key] = model_place(value, base)
        elif dotted == DEEPSPEED:
            settled[key] = deepspeed_settings(dotted, value)
        else:
            settled[key] = value
    return settled


def _is(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(key, pattern) for pattern in patterns)
