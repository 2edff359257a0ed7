"""scores.json: an entry per benchmark, with everything that the score depends on beside it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evolray.config import EvaluateConfig, GradeConfig
from evolray.evaluate.chat.part import ChatPart
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.graded import read_graded
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.evaluate.scores import Tally
from evolray.evaluate.selection import Selected, described_data
from evolray.pool.layout import Folder

logger = logging.getLogger("evolray")

PACKAGES = ("evolray", "transformers", "torch", "openai", "math-verify", "sympy", "lm-eval")
WARNINGS = {
    "missing": "problems have no sample",
    "failed": "questions got no answer (evolray samples RUN --failed shows why, retry_failed=true asks again)",
}

Entries = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Scored:
    """Makes the entries of one run. `model`: who was sampled, as it is shown."""

    config: EvaluateConfig | GradeConfig
    model: str

    def graded(
        self, folder: Folder, graded: Sequence[Selected], shards: Mapping[int, Selected | SelectedChat]
    ) -> Entries:
        tallies = {one.name: Tally(one.benchmark, one.problems) for one in graded}
        for shard, one in shards.items():
            if one.name in tallies:
                tallies[one.name].add(read_graded(folder, one.key, shard))
        return {one.name: self._entry(one, tallies[one.name].entry(self.config.k)) for one in graded}

    def judged(self, parts: Sequence[ChatPart]) -> Entries:
        return {part.selected.name: self._entry(part.selected, part.entry()) for part in parts}

    def known(self, parts: Sequence[KnowledgePart]) -> Entries:
        return {part.selected.name: part.entry() | self._described() for part in parts}

    def _entry(self, one: Selected | SelectedChat, entry: dict[str, Any]) -> dict[str, Any]:
        for name, number in (("missing", entry["missing"]), ("failed", entry["failed"])):
            if number:
                logger.warning("%s: %d %s; they count as not passed", one.benchmark.title, number, WARNINGS[name])
        form = one.form if isinstance(one, Selected) else None
        described = self._described()
        if described["sampling"] and described["sampling"]["temperature"] is None:
            described["sampling"]["temperature"] = one.temperature if isinstance(one, SelectedChat) else 0.0
        about = {"prompt": form.name if form else None, "rules": one.rules, "data": described_data(one.problems)}
        return entry | described | about

    def _described(self) -> dict[str, Any]:
        sampling = self.config.sampling if isinstance(self.config, EvaluateConfig) else None
        return {"model": self.model, "sampling": asdict(sampling) if sampling else None, "versions": _versions()}


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
