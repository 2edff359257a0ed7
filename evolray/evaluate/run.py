"""One invocation of `evaluate` or `grade`: what is there already, what is to be done, and the manifest about both."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.errors import EvolrayError, Interrupted
from evolray.evaluate import manifest as manifests
from evolray.evaluate.graded import FAILED, GRADED, read_graded, storable, write_all
from evolray.evaluate.manifest import SCORES, EvaluateManifest
from evolray.evaluate.progress import Progress
from evolray.evaluate.ready_samples import ReadySamples
from evolray.evaluate.scores import Tally
from evolray.evaluate.selection import Selected, described_data, questions
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.sampling.questions import QUESTIONS, SAMPLED, read_samples, write_questions, write_samples
from evolray.sampling.sampler import Sampler, Sampling

logger = logging.getLogger("evolray")

REJECTED = "rejected.jsonl"
READY_SHARD_SIZE = 32
PACKAGES = ("evolray", "transformers", "torch", "openai", "math-verify", "sympy")
MANIFEST_SECONDS = 5.0
LOG_SECONDS = 30.0

WARNINGS = {
    "missing": "problems have no sample",
    "failed": "questions got no answer (evolray samples RUN --failed shows why, retry_failed=true asks again)",
}


class Run:
    def __init__(
        self, config: EvaluateConfig | GradeConfig, folder: Folder, selected: Sequence[Selected], model: str
    ) -> None:
        self._started = self._written = time.monotonic()
        self._config, self._folder, self._selected = config, folder, selected
        before = manifests.read(folder)
        self._seconds_before = before.seconds if before else 0.0
        self._manifest = before or EvaluateManifest(folder.url, "running")
        self._manifest.model, self._manifest.message = model, ""
        self._manifest.benchmarks = [one.name for one in selected]
        self._shards: dict[int, Selected] = {}  # all there will be, with their benchmark

    def ask(self, config: EvaluateConfig) -> None:
        """Write down what is asked, as far as an earlier invocation has not done so."""
        there = {*shards_in(self._folder, QUESTIONS)}
        asked = 0
        for one in self._selected:
            all_questions = list(questions(one, config))
            for start in range(0, len(all_questions), config.engine.shard_size):
                shard, some = len(self._shards), all_questions[start : start + config.engine.shard_size]
                self._shards[shard] = one
                if shard not in there:
                    write_questions(self._folder, shard, some)
                asked += len(some)
        self._manifest.questions = asked

    def take(self, ready: ReadySamples) -> None:
        """Write ready samples down as if they had just been drawn."""
        there = {*shards_in(self._folder, SAMPLED)}
        for start in range(0, len(ready.samples), READY_SHARD_SIZE):
            shard = len(self._shards)
            self._shards[shard] = self._selected[0]
            if shard not in there:
                write_samples(self._folder, shard, ready.samples[start : start + READY_SHARD_SIZE])
        self._manifest.questions, self._manifest.rejected = len(ready.samples), len(ready.rejected)
        if ready.rejected:
            lines = "".join(f"{json.dumps(one)}\n" for one in ready.rejected)
            self._folder.write(REJECTED, lines.encode())
            logger.warning(
                "%d lines of the samples cannot be used; line %d: %s (all in %s/%s)", len(ready.rejected),
                ready.rejected[0]["line"], ready.rejected[0]["reason"], self._folder.url, REJECTED,
            )  # fmt: skip

    def work(self, console: Console | None, sampler: Sampler | None = None, retry_failed: bool = False) -> None:
        """Sample and grade what is to be done, and score. Raises the error that stands for why it stopped."""
        to_sample = self._to_sample(retry_failed) if sampler else []
        to_grade = self._to_grade(to_sample)
        if not to_sample and not to_grade:
            logger.info("%s: nothing to do, every sample is drawn and graded", self._folder.url)
            self._conclude()
            return
        if sampler and to_sample:
            sampler.check()
        from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed

        title = f"evaluating {self._manifest.model} on {', '.join(self._manifest.benchmarks)} into {self._folder.url}"
        ask = f"{len(to_sample)} of {len(self._shards)} shards to sample, " if sampler else ""
        logger.info("%s; %s%d to grade", title, ask, len(to_grade))
        seconds = self._config.engine.log_seconds if isinstance(self._config, EvaluateConfig) else LOG_SECONDS
        progress = Progress(title, self._manifest.questions, seconds, console)
        self._write("running")
        try:
            with cluster(), progress:
                if sampler and to_sample:
                    sampler.run(self._folder, to_sample, lambda now: self._follow(progress, now))
                self._grade(to_grade, progress)
        except EvolrayError as error:
            self._write("interrupted" if isinstance(error, Interrupted) else "stopped", str(error))
            raise
        self._conclude()

    def _to_sample(self, retry_failed: bool) -> list[int]:
        done = {*shards_in(self._folder, SAMPLED)}
        if retry_failed:
            done = {shard for shard in done if not any(one.cause for one in read_samples(self._folder, shard))}
        return [shard for shard in self._shards if shard not in done]

    def _to_grade(self, to_sample: Sequence[int]) -> list[int]:
        """A verdict on a question without a sample may be out of date: those shards are looked at again."""
        found = []
        for shard, one in self._shards.items():
            key = one.assignment.key
            if shard in to_sample or not self._folder.exists(shard_name(f"{GRADED}/{key}", shard)):
                found.append(shard)
                continue
            failed = [row.outcome == FAILED for row in read_graded(self._folder, key, shard)]
            if any(failed) and failed != [bool(one.cause) for one in read_samples(self._folder, shard)]:
                found.append(shard)
        return found

    def _grade(self, shards: list[int], progress: Progress) -> None:
        from evolray.evaluate import on_ray

        progress.begin()
        todo = sum(len(read_samples(self._folder, shard)) for shard in shards)
        on_ray.grade_shards(
            self._folder,
            shards,
            {one.name: one.assignment for one in self._selected},
            {one.name: one.problems.all for one in self._selected},
            self._config.execution.parallel,
            lambda graded, passed: progress.grading(graded, passed, todo),
        )

    def _follow(self, progress: Progress, now: Sampling) -> None:
        progress.sampling(now)
        self._manifest.sampled, self._manifest.failed, self._manifest.cost = now.sampled, now.failed, now.cost
        self._manifest.tokens = {"prompt": now.prompt_tokens, "completion": now.completion_tokens}
        if time.monotonic() - self._written > MANIFEST_SECONDS:
            self._write("running")

    def _conclude(self) -> None:
        tallies = {one.name: Tally(one.benchmark, one.problems) for one in self._selected}
        for shard, one in self._shards.items():
            tallies[one.name].add(read_graded(self._folder, one.assignment.key, shard))
        write_all(self._folder, {shard: one.assignment.key for shard, one in self._shards.items()})
        scores = {one.name: self._entry(one, tallies[one.name]) for one in self._selected}
        self._folder.write(SCORES, json.dumps(scores, indent=1, ensure_ascii=False).encode() + b"\n")
        outcomes = [tally.outcomes for tally in tallies.values()]
        self._manifest.failed = sum(one[FAILED] for one in outcomes)
        self._manifest.graded = sum(sum(one.values()) for one in outcomes)
        self._manifest.sampled = self._manifest.graded - self._manifest.failed
        self._write("complete")

    def _entry(self, one: Selected, tally: Tally) -> dict[str, Any]:
        entry = tally.entry(self._config.k)
        for name, number in (("missing", entry["missing"]), ("failed", entry["failed"])):
            if number:
                logger.warning("%s: %d %s; they count as not passed", one.benchmark.title, number, WARNINGS[name])
        sampling = self._config.sampling if isinstance(self._config, EvaluateConfig) else None
        return entry | {
            "model": self._manifest.model,
            "prompt": one.form.name if one.form else None,
            "sampling": asdict(sampling) if sampling else None,
            "rules": one.rules,
            "data": described_data(one.problems),
            "versions": _versions(),
        }

    def _write(self, status: str, message: str = "") -> None:
        self._manifest.status, self._manifest.message = status, storable(message)
        self._manifest.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        manifests.write(self._folder, self._manifest)
        self._written = time.monotonic()


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
