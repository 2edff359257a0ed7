"""What a run will do, from its config: checked, files of benchmarks read, nothing started."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evolray.config import RefineConfig
from evolray.engine.checking import check_endpoints, check_least, check_settings
from evolray.engine.roles import Script
from evolray.errors import UserError
from evolray.pool.export import FORMATS
from evolray.refine.duplicates.signatures import ALGORITHM
from evolray.refine.intake import plan as intake_plan
from evolray.refine.intake.sources import Source, find_sources, shown_path
from evolray.refine.judging.work import Judging, make_judging
from evolray.refine.leaks.execution import FindPassing, make_finder
from evolray.refine.leaks.items import Item, read_benchmarks
from evolray.refine.leaks.step import FindLeaks, find_leaks
from evolray.refine.selection.embedding import check_model
from evolray.refine.selection.settings import check_select
from evolray.refine.steps.state import step_key

COMPARED = ("instruction", "response", "both")
DIVERSE, EMBEDDING = "diverse", "embedding"


@dataclass(frozen=True)
class Plan:
    """`leaks`, `passing` and `judging` are about no record yet."""

    config: RefineConfig
    sources: tuple[Source, ...]
    intake: intake_plan.Plan
    items: tuple[Item, ...]
    leaks: FindLeaks | None
    passing: FindPassing | None
    judging: Judging | None

    @property
    def weights(self) -> list[float] | None:
        """By source; None when none has one."""
        weights = [source.weight for source in self.sources if source.weight is not None]
        return weights or None

    @property
    def needs_signatures(self) -> bool:
        return self.config.near_duplicates.enabled or self.config.select.order == DIVERSE

    @property
    def keys(self) -> dict[str, str]:
        """Of each step, by its name: what its files depend on. A key holds those of the steps before it."""
        near, leaks, config = self.config.near_duplicates, self.config.contamination, self.config
        intake = step_key("intake", self.intake.fingerprint)
        signatures = step_key(intake, asdict(near), self.needs_signatures, ALGORITHM)
        duplicates = step_key(signatures, config.memory_mb)  # which decides what its units are, if not what they find
        items = [
            digest_of([item for item in self.items if item.benchmark == name]) for name in sorted(leaks.benchmarks)
        ]
        ngrams = step_key(duplicates, items, leaks.ngram, leaks.overlap, leaks.similarity)
        passing = step_key(ngrams, self.passing.identity if self.passing else None)
        asked = self.judging.identity if self.judging else None
        mix = step_key(passing, asked, config.judging.sample, asdict(config.select), self.weights)
        return {
            "intake": intake,
            "features": step_key(intake, "features"),
            "signatures": signatures,
            "duplicates": duplicates,
            "leaks": ngrams,
            "passing": passing,
            "mix": mix,
            "all": step_key(mix, sorted(config.formats)),
        }

    def described(self) -> list[dict[str, object]]:
        """The benchmarks, as the manifest lists them before any leak is found."""
        rows: list[dict[str, object]] = []
        for name, path in sorted(self.config.contamination.benchmarks.items()):
            items = [item for item in self.items if item.benchmark == name]
            shown = shown_path(path)
            rows.append({"name": name, "path": shown, "items": len(items), "sha256": digest_of(items), "leaks": 0})
        return rows


def make_plan(config: RefineConfig, script: Script | None = None) -> Plan:
    """Check the config and read what it names. `script` stands in for `judge.script`.

    Raises UserError for what cannot work, and EndpointError for a judge that cannot answer.
    """
    _check(config)
    sources = find_sources(config)
    check_select(config, len(sources), any(source.weight is not None for source in sources))
    if config.select.order == EMBEDDING:
        check_model(config.select.embedding_model)
    items = read_benchmarks(config.contamination.benchmarks)
    leaks = find_leaks(items, config.contamination)
    passing, judging = make_finder(config.contamination), make_judging(config, script)
    if judging:
        check_endpoints(judging)
    intake = intake_plan.plan(sources, config.shard_size, config.limit)
    return Plan(config, sources, intake, items, leaks, passing, judging)


def digest_of(items: Sequence[Item]) -> str:
    """64 hex digits of a benchmark's content."""
    texts = [[item.id, item.question, item.solution] for item in items]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _check(config: RefineConfig) -> None:
    near = config.near_duplicates
    check_settings(config.engine, config.budget)
    check_least(
        {
            "shard_size": (config.shard_size, 1),
            "workers": (config.workers, 1),
            "memory_mb": (config.memory_mb, 64),
            "near_duplicates.shingle": (near.shingle, 1),
            "near_duplicates.permutations": (near.permutations, 8),
        }
    )
    if near.of not in COMPARED:
        raise UserError(f"near_duplicates.of={near.of}: expected {', '.join(COMPARED)}.")
    if not 0 < near.threshold <= 1:
        raise UserError(f"near_duplicates.threshold={near.threshold}: expected more than 0, and at most 1.")
    if unknown := [name for name in config.formats if name not in FORMATS]:
        raise UserError(f"formats: {', '.join(unknown)} is none; expected some of {', '.join(FORMATS)}.")
