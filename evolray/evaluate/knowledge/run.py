"""One knowledge benchmark of a run: checked, run by lm-eval, and kept.

knowledge/mmlu/results.json      lm-eval's results, with what they are of and the entry of scores.json
knowledge/mmlu/samples.parquet   every question with its choices, their log-likelihoods and the prediction
knowledge/mmlu/answers-*.db      an endpoint's answers, so that none is paid for twice

A finished benchmark is not run again: `results.json` comes last and says what it is of. A checkpoint that was
interrupted begins its benchmark anew; an endpoint is asked only for what is missing. In an object store nothing can be
appended to, so there the answers are written on this machine and copied when the run ends, however it ends.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evolray.config import WorkersConfig
from evolray.config.judge import LmEvalConfig
from evolray.errors import UserError
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.entry import make_entry
from evolray.evaluate.knowledge.job import Job
from evolray.evaluate.knowledge.rows import as_parquet
from evolray.evaluate.knowledge.source import EndpointSource, ModelSource, digest
from evolray.evaluate.knowledge.task_files import own_folder, read_task_files
from evolray.pool.layout import Folder, LocalFolder
from evolray.pool.scratch import scratch

RESULTS, SAMPLES = "results.json", "samples.parquet"
DATABASE = "_rank0.db"
"""What lm-eval puts behind the name of a cache."""
PACKAGES = ("evolray", "lm-eval", "transformers", "torch", "datasets")
# Where the Hub's and the data sets' files are found and whether they may be fetched; no secrets.
PASSED_ON = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_CACHE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT")


@dataclass(frozen=True)
class Prepared:
    """A benchmark that can be run: everything that can be wrong before a cluster starts was looked at."""

    job: Job

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the scores."""
        job = self.job
        return {
            "task": job.benchmark.task,
            "metric": job.benchmark.metric,
            "shots": job.shots,
            "limit": job.limit,
            "model": dict(job.source.identity),
            "task_files": job.files.sha256 if job.files else f"lm-eval {_versions()['lm-eval']}",
        }

    def finished(self, folder: Folder) -> dict[str, Any] | None:
        """The entry for scores.json, when the run directory has it."""
        name = f"{self.job.benchmark.folder}/{RESULTS}"
        if not folder.exists(name):
            return None
        try:
            kept = json.loads(folder.read(name))
            entry: dict[str, Any] = kept["entry"]
            return entry if kept["identity"] == json.loads(json.dumps(self.identity)) else None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{folder.url}/{name} cannot be read; was it edited or cut off? Delete it.") from None

    def run(self, folder: Folder, workers: WorkersConfig, show: Callable[[str], None]) -> dict[str, Any]:
        """The entry. Raises UserError, EndpointError, EvolrayError or Interrupted; then the same call goes on."""
        from evolray.evaluate.knowledge.on_ray import run_job

        with _Answers(folder, self.job) as cache:
            outcome = run_job(replace(self.job, cache=cache), workers, show)
        entry = make_entry(self.job, outcome, _versions())
        place = self.job.benchmark.folder
        folder.write(f"{place}/{SAMPLES}", as_parquet(outcome.rows))
        kept = {"identity": self.identity, "entry": entry, "lm_eval": outcome.results}
        text = json.dumps(kept, indent=1)
        folder.write(f"{place}/{RESULTS}", text.encode() + b"\n")
        return entry


def prepare(
    benchmark: KnowledgeBenchmark, source: ModelSource, settings: LmEvalConfig, problems: str | None, limit: int | None
) -> Prepared:
    """Raises UserError for what cannot work. `problems`: a folder of task files, or one; None: lm-eval's own."""
    own_folder()
    if settings.batch_size < 1 or (settings.shots is not None and settings.shots < 0):
        raise UserError(
            f"lm_eval.batch_size={settings.batch_size}, lm_eval.shots={settings.shots}: expected a batch size of 1 or "
            "more, and no shots or some."
        )
    job = Job(
        benchmark=benchmark,
        source=source,
        shots=benchmark.shots if settings.shots is None else settings.shots,
        batch_size=settings.batch_size,
        limit=limit,
        files=read_task_files(problems, benchmark.task) if problems else None,
        key=os.environ.get(source.api_key_env, "") if isinstance(source, EndpointSource) else "",
        environment={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    return Prepared(job)


def run_knowledge(
    folder: Folder,
    benchmark: KnowledgeBenchmark,
    source: ModelSource,
    settings: LmEvalConfig,
    problems: str | None,
    limit: int | None,
    workers: WorkersConfig,
    show: Callable[[str], None],
) -> dict[str, Any]:
    """What scores.json says of the benchmark, from an earlier run where there is one."""
    prepared = prepare(benchmark, source, settings, problems, limit)
    return prepared.finished(folder) or prepared.run(folder, workers, show)


class _Answers:
    """Where an endpoint's answers are kept while it is asked; None for a checkpoint."""

    def __init__(self, folder: Folder, job: Job) -> None:
        self._folder = folder
        self._is_kept = isinstance(job.source, EndpointSource)
        # Another model must not be taken for this one; another limit or number of shots may share what is the same.
        self._name = f"{job.benchmark.folder}/answers-{digest(job.source.identity)}"

    def __enter__(self) -> str | None:
        if not self._is_kept:
            return None
        if isinstance(self._folder, LocalFolder) and self._folder.is_local:
            self._local = self._folder.path / self._name
        else:
            name = hashlib.sha256(f"{self._folder.url}/{self._name}".encode()).hexdigest()[:16]
            self._local = scratch("answers") / name
        self._local.parent.mkdir(parents=True, exist_ok=True)
        if not self._folder.is_local and self._folder.exists(self._name + DATABASE):
            kept = self._folder.read(self._name + DATABASE)
            # The copy here is ahead when this machine was the last, and its process was killed.
            if not self._database.exists() or self._database.stat().st_size < len(kept):
                self._database.write_bytes(kept)
        return str(self._local)

    def __exit__(self, *_: object) -> None:
        if self._is_kept and not self._folder.is_local and self._database.exists():
            self._folder.put(self._name + DATABASE, self._database)

    @property
    def _database(self) -> Path:
        return Path(f"{self._local}{DATABASE}")


def _versions() -> Mapping[str, str]:
    versions = dict.fromkeys(PACKAGES, "not installed")
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
