"""One knowledge benchmark within a run of `evaluate`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evolray.config import EvaluateConfig
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.run import prepare
from evolray.evaluate.knowledge.source import CheckpointSource, ModelSource, endpoint_source
from evolray.pool.layout import Folder
from evolray.sampling.resolve import resolve


@dataclass(frozen=True)
class SelectedKnowledge:
    """`problems`: a folder of task files; None for those that lm-eval comes with."""

    benchmark: KnowledgeBenchmark
    problems: str | None = None

    @property
    def name(self) -> str:
        return self.benchmark.name

    def described(self) -> dict[str, Any]:
        """For the run's identity. Shots and task files are rules: other ones measure the same model anew."""
        return {"task": self.benchmark.task}


class KnowledgePart:
    """Raises UserError for what lm-eval cannot run."""

    def __init__(self, folder: Folder, selected: SelectedKnowledge, config: EvaluateConfig) -> None:
        self.selected = selected
        self._folder, self._workers = folder, config.workers
        self._prepared = prepare(selected.benchmark, _source(config), config.lm_eval, selected.problems, config.limit)
        self._entry = self._prepared.finished(folder)

    @property
    def is_done(self) -> bool:
        return self._entry is not None

    def work(self, show: Callable[[str], None]) -> None:
        """Raises UserError, EndpointError, EvolrayError or Interrupted; then the same call goes on."""
        self._entry = self._prepared.run(self._folder, self._workers, show)

    def entry(self) -> dict[str, Any]:
        """What scores.json says of the benchmark."""
        assert self._entry is not None
        return self._entry


def _source(config: EvaluateConfig) -> ModelSource:
    if config.model:
        return CheckpointSource(resolve(config.model), config.precision)
    return endpoint_source(config.endpoint, config.lm_eval)
