"""From the config to cells: every checkpoint x every benchmark x every combination of the settings that vary.

A cell is one run of `evolray evaluate`, below cells/ of the sweep's run directory. Its name depends on the cell alone,
so more checkpoints, benchmarks or settings leave the finished ones where they are. Names hold no "=": Parquet readers
take "key=value" in a path for a column. Settings are checked against those of `evolray evaluate` here, before a
single job is submitted; all paths are absolute, as jobs work in another directory.

Judged benchmarks: every cell asks the judge itself, as a run of its own. Limits and budgets (judge.endpoint.
requests_per_minute, judge.endpoint.max_in_flight, judge.budget, and those of the model) hold for each cell, so that up
to `jobs` times as much reaches an endpoint at once: divide what it can take by `jobs`.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolray.config import EvaluateConfig, SweepConfig, from_mapping
from evolray.config.benchmarks import plain
from evolray.errors import UserError
from evolray.sweep.inputs import INPUTS, absolute_model, find_inputs, inputs_of
from evolray.sweep.sources import Student

CELLS = "cells"
OWN = ("run", "model", "benchmarks", "dry_run", *INPUTS)  # what the sweep itself decides for each cell
LONGEST_NAME = 100  # characters of the settings in a name; file systems allow 255


@dataclass(frozen=True)
class Cell:
    """`name` is its folder, relative to the run directory; `settings` what the grid set, by dotted name."""

    name: str
    student: Student
    benchmark: str
    settings: Mapping[str, Any]
    config: EvaluateConfig

    @property
    def title(self) -> str:
        return self.name.removeprefix(f"{CELLS}/")


class Grid:
    """What is the same for all checkpoints. Raises UserError for whatever is wrong with the config."""

    def __init__(self, config: SweepConfig) -> None:
        self._run = Path(config.run).expanduser().absolute()
        self._shared = _flat(config.evaluate, "evaluate")
        self._axes = _flat(config.grid, "grid")
        _check_axes(self._shared, self._axes)
        self._benchmarks = _check_benchmarks(config.benchmarks)
        self._inputs = find_inputs(config)
        self._combinations = [self._combine(values) for values in itertools.product(*self._axes.values())]
        _refuse_equal([settings for settings, _ in self._combinations])

    @property
    def endpoint(self) -> Student | None:
        """The student that the settings name, as an endpoint; None when they name none."""
        models = [config.endpoint.model for _, config in self._combinations]
        if None in models:
            return None
        name = str(models[0]).rpartition("/")[2] if len(set(models)) == 1 else "endpoint"
        return Student(_slug(name), None)

    def covers(self, benchmark: str, settings: Mapping[str, Any]) -> bool:
        """Whether cells of this kind are among this grid's."""
        return benchmark in self._benchmarks and _hash(settings) in {_hash(one) for one, _ in self._combinations}

    def cells(self, students: Sequence[Student]) -> list[Cell]:
        return [
            self._cell(student, benchmark, settings)
            for student in students
            for benchmark in self._benchmarks
            for settings, _ in self._combinations
        ]

    def _combine(self, values: Sequence[Any]) -> tuple[dict[str, Any], EvaluateConfig]:
        """The settings as the config understood them: 0 and 0.0 are the same temperature."""
        settings = dict(zip(self._axes, values, strict=True))
        config = self._load({**self._shared, **settings}, "run", "benchmark")
        return {key: _value(config, key, value) for key, value in settings.items()}, config

    def _cell(self, student: Student, benchmark: str, settings: Mapping[str, Any]) -> Cell:
        name = "/".join([CELLS, student.name, _slug(benchmark.replace("+", "_plus")), *_settings_name(settings)])
        values: dict[str, Any] = {**self._shared, **settings, "model": student.model}
        config = self._load(values, str(self._run / name), benchmark)
        for setting, files in inputs_of(benchmark, self._inputs).items():
            setattr(config, setting, files)
        if config.judge.model:
            config.judge.model = absolute_model(config.judge.model)
        if config.lm_eval.tokenizer:
            config.lm_eval.tokenizer = absolute_model(config.lm_eval.tokenizer)
        return Cell(name, student, benchmark, settings, config)

    def _load(self, values: Mapping[str, Any], run: str, benchmark: str) -> EvaluateConfig:
        try:
            return from_mapping(EvaluateConfig, {**values, "run": run, "benchmarks": [benchmark]})
        except UserError as error:
            raise UserError(f"evaluate or grid: {error}") from None


def settings_text(settings: Mapping[str, Any]) -> str:
    """For people: temperature 0.2, n 20."""
    return ", ".join(f"{setting_name(key)} {_text(value)}" for key, value in settings.items())


def setting_name(key: str) -> str:
    """For people: temperature for sampling.temperature, judge temperature for the judge's."""
    return f"{'judge ' if key.startswith('judge.') else ''}{key.rpartition('.')[2]}"


def _settings_name(settings: Mapping[str, Any]) -> list[str]:
    """For a path; with a hash behind it where the readable part does not say all."""
    if not settings:
        return []
    said = ",".join(f"{key}-{_text(value)}" for key, value in settings.items())
    name = re.sub(r"[^\w.,-]+", "-", said)[:LONGEST_NAME]
    return [name if name == said else f"{name}-{_hash(settings)}"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _hash(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text)


def _flat(values: Mapping[str, Any], origin: str, prefix: str = "") -> dict[str, Any]:
    """Nested and dotted keys, all dotted. A key that is there in both ways is refused."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, origin, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        for name, one in inner.items():
            if name in flat:
                raise UserError(f"{origin}: {name} is there twice.")
            flat[name] = one
    return flat


def _check_axes(shared: Mapping[str, Any], axes: Mapping[str, Any]) -> None:
    for key in (*shared, *axes):
        if key.partition(".")[0] in OWN:
            raise UserError(f"{key}: a sweep sets this itself, from its own run, checkpoints, benchmarks and files.")
    for key, values in axes.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise UserError(f"grid.{key}: expected a list of values to try, got {values!r}.")
        if key in shared:
            raise UserError(f"{key} is both in evaluate and in grid; expected it in one of them.")


def _check_benchmarks(benchmarks: Sequence[str]) -> list[str]:
    if not benchmarks:
        raise UserError("benchmarks is empty; expected at least one, for example benchmarks=[humaneval, gsm8k].")
    seen = {plain(name): name for name in reversed(benchmarks)}
    for name in benchmarks:
        if name not in seen.values():
            raise UserError(f"benchmarks: {name} is there twice; expected each benchmark once.")
    if len(seen) < len(benchmarks):
        raise UserError(f"benchmarks: {', '.join(benchmarks)}: expected each benchmark once.")
    return list(benchmarks)


def _refuse_equal(combinations: Sequence[Mapping[str, Any]]) -> None:
    seen = set()
    for settings in combinations:
        if (digest := _hash(settings)) in seen:
            raise UserError(f"grid: {settings_text(settings)} is there twice; expected each value once.")
        seen.add(digest)


def _value(config: Any, key: str, given: Any) -> Any:
    for part in key.split("."):
        if not hasattr(config, part):  # below a free-form setting, such as endpoint.extra_body
            return given
        config = getattr(config, part)
    return config
