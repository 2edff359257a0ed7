"""One invocation of `evaluate` or `grade`: what is there already, what is to be done, and the manifest about both.

Phase after phase: the model is sampled, samples are graded, a judge is asked, lm-eval runs; then all is scored.
"""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.errors import EvolrayError, Interrupted
from evolray.evaluate import manifest as manifests
from evolray.evaluate.chat.part import ChatPart
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.graded import FAILED, GRADED, read_graded, storable, write_all
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.evaluate.manifest import SCORES, EvaluateManifest
from evolray.evaluate.progress import Progress
from evolray.evaluate.scores import Tally
from evolray.evaluate.selection import Selected, Selection, described_data, questions
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.sampling.questions import QUESTIONS, SAMPLED, Sample, read_samples, write_questions, write_samples
from evolray.sampling.sampler import Sampler, Sampling

logger = logging.getLogger("evolray")

REJECTED = "rejected.jsonl"
READY_SHARD_SIZE = 32
PACKAGES = ("evolray", "transformers", "torch", "openai", "math-verify", "sympy", "lm-eval")
MANIFEST_SECONDS = 5.0
LOG_SECONDS = 30.0

WARNINGS = {
    "missing": "problems have no sample",
    "failed": "questions got no answer (evolray samples RUN --failed shows why, retry_failed=true asks again)",
}


class Run:
    """`knowledge`: the parts that lm-eval runs, in place of samples of ours."""

    def __init__(
        self, config: EvaluateConfig | GradeConfig, folder: Folder, selection: Selection, model: str,
        knowledge: Sequence[KnowledgePart] = (),
    ) -> None:  # fmt: skip
        self._started = self._written = time.monotonic()
        self._config, self._folder, self._selection, self._knowledge = config, folder, selection, knowledge
        before = manifests.read(folder)
        self._seconds_before = before.seconds if before else 0.0
        self._manifest = before or EvaluateManifest(folder.url, "running")
        self._manifest.model, self._manifest.message = model, ""
        self._manifest.benchmarks = list(selection.names)
        self._shards: dict[int, Selected | SelectedChat] = {}  # all there will be, with their benchmark

    def ask(self, config: EvaluateConfig) -> None:
        """Write down what is asked, as far as an earlier invocation has not done so."""
        there = {*shards_in(self._folder, QUESTIONS)}
        asked = 0
        for one in self._selection.sampled:
            all_questions = list(questions(one, config))
            for start in range(0, len(all_questions), config.engine.shard_size):
                shard, some = len(self._shards), all_questions[start : start + config.engine.shard_size]
                self._shards[shard] = one
                if shard not in there:
                    write_questions(self._folder, shard, some)
                asked += len(some)
        self._manifest.questions = asked

    def take(self, samples: Sequence[Sample], rejected: Sequence[Any]) -> None:
        """Write ready samples down as if they had just been drawn."""
        there = {*shards_in(self._folder, SAMPLED)}
        (one,) = self._selection.sampled
        for start in range(0, len(samples), READY_SHARD_SIZE):
            shard = len(self._shards)
            self._shards[shard] = one
            if shard not in there:
                write_samples(self._folder, shard, samples[start : start + READY_SHARD_SIZE])
        self._manifest.questions = self._manifest.sampled = len(samples)
        self._manifest.rejected = len(rejected)
        if rejected:
            lines = "".join(f"{json.dumps(one)}\n" for one in rejected)
            self._folder.write(REJECTED, lines.encode())
            logger.warning(
                "%d lines of the samples cannot be used; line %d: %s (all in %s/%s)", len(rejected),
                rejected[0]["line"], rejected[0]["reason"], self._folder.url, REJECTED,
            )  # fmt: skip

    def work(self, console: Console | None, sampler: Sampler | None, judge: Sampler | None, retry_failed: bool) -> None:
        """Do what is to be done, and score. Raises the error that stands for why it stopped."""
        to_sample = self._to_sample(retry_failed) if sampler else []
        to_grade = self._to_grade(to_sample)
        parts, judge_again = self._chat_parts(), retry_failed or self._config.judge.retry_failed
        to_judge = [part for part in parts if {*part.shards} & {*to_sample} or not part.is_done(judge_again)]
        to_run = [part for part in self._knowledge if not part.is_done]
        if not (to_sample or to_grade or to_judge or to_run):
            if self._manifest.status == "complete":
                logger.info("%s: nothing to do, every sample is drawn and graded", self._folder.url)
            self._conclude(parts)
            return
        if sampler and (to_sample or to_run):
            sampler.check()
        if judge and to_judge:
            judge.check()
        title = f"evaluating {self._manifest.model} on {', '.join(self._manifest.benchmarks)} into {self._folder.url}"
        todo = (
            (len(to_sample), f"{len(to_sample)} of {len(self._shards)} shards to sample"),
            (len(to_grade), f"{len(to_grade)} to grade"),
            (len(to_judge), f"{len(to_judge)} benchmarks to judge"),
            (len(to_run), f"{len(to_run)} for lm-eval"),
        )
        logger.info("%s; %s", title, ", ".join(text for number, text in todo if number))
        seconds = self._config.engine.log_seconds if isinstance(self._config, EvaluateConfig) else LOG_SECONDS
        progress = Progress(title, self._manifest.questions, seconds, console)
        self._write("running")
        try:
            with ExitStack() as stack:
                if to_sample or to_grade or to_run or any(part.asks for part in to_judge):
                    from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed

                    stack.enter_context(cluster())
                stack.enter_context(progress)
                if sampler and to_sample:
                    sampler.run(self._folder, to_sample, lambda now: self._follow(progress, now))
                if to_grade:
                    self._grade(to_grade, progress)
                for part in to_judge:
                    self._judge(part, progress, judge_again)
                for known in to_run:
                    self._run_lm_eval(known, progress)
        except EvolrayError as error:
            self._write("interrupted" if isinstance(error, Interrupted) else "stopped", str(error))
            raise
        self._conclude(parts)

    def _to_sample(self, retry_failed: bool) -> list[int]:
        done = {*shards_in(self._folder, SAMPLED)}
        if retry_failed:
            done = {shard for shard in done if not any(one.cause for one in read_samples(self._folder, shard))}
        return [shard for shard in self._shards if shard not in done]

    def _to_grade(self, to_sample: Sequence[int]) -> list[int]:
        """A verdict on a question without a sample may be out of date: those shards are looked at again."""
        found = []
        for shard, one in self._shards.items():
            if isinstance(one, SelectedChat):
                continue
            key = one.key
            if shard in to_sample or not self._folder.exists(shard_name(f"{GRADED}/{key}", shard)):
                found.append(shard)
                continue
            failed = [row.outcome == FAILED for row in read_graded(self._folder, key, shard)]
            if any(failed) and failed != [bool(one.cause) for one in read_samples(self._folder, shard)]:
                found.append(shard)
        return found

    def _chat_parts(self) -> list[ChatPart]:
        return [
            ChatPart(
                self._folder, one, [shard for shard, whose in self._shards.items() if whose is one],
                self._config.judge.engine.shard_size,
            )
            for one in self._selection.chat
        ]  # fmt: skip

    def _grade(self, shards: list[int], progress: Progress) -> None:
        from evolray.evaluate import on_ray

        progress.begin()
        todo = sum(len(read_samples(self._folder, shard)) for shard in shards)
        on_ray.grade_shards(
            self._folder,
            shards,
            {one.name: one.assignment for one in self._selection.graded},
            {one.name: one.problems.all for one in self._selection.graded},
            self._config.execution.parallel,
            lambda graded, passed: progress.grading(graded, passed, todo),
        )

    def _judge(self, part: ChatPart, progress: Progress, retry_failed: bool) -> None:
        progress.begin()

        def follow(now: Sampling, todo: int) -> None:
            progress.judging(now, todo, part.selected.benchmark.title)
            self._manifest.judged, self._manifest.to_judge = now.sampled, todo
            self._manifest.judge_cost = now.cost
            self._manifest.judge_tokens = {"prompt": now.prompt_tokens, "completion": now.completion_tokens}
            self._write_now_and_then()

        part.judge(retry_failed, follow)

    def _run_lm_eval(self, part: KnowledgePart, progress: Progress) -> None:
        progress.begin()
        title = part.selected.benchmark.title
        part.work(lambda line: progress.saying(f"{title}: {line}"))

    def _follow(self, progress: Progress, now: Sampling) -> None:
        progress.sampling(now)
        self._manifest.sampled, self._manifest.failed, self._manifest.cost = now.sampled, now.failed, now.cost
        self._manifest.tokens = {"prompt": now.prompt_tokens, "completion": now.completion_tokens}
        self._write_now_and_then()

    def _write_now_and_then(self) -> None:
        if time.monotonic() - self._written > MANIFEST_SECONDS:
            self._write("running")

    def _conclude(self, parts: Sequence[ChatPart]) -> None:
        entries, outcomes = self._graded_entries()
        for part in parts:
            part.write_rows()
            entries[part.selected.name] = self._entry(part.selected, part.entry())
        write_all(self._folder, {shard: one.key for shard, one in self._shards.items()})
        entries |= {one.selected.name: one.entry() | self._described() for one in self._knowledge}
        scores = {name: entries[name] for name in self._selection.names}
        self._folder.write(SCORES, json.dumps(scores, indent=1, ensure_ascii=False).encode() + b"\n")
        chat = [entries[part.selected.name] for part in parts]
        self._manifest.failed = sum(one[FAILED] for one in outcomes) + sum(entry["failed"] for entry in chat)
        answered = sum(sum(one.values()) for one in outcomes) + sum(entry["samples"] for entry in chat)
        self._manifest.graded, self._manifest.sampled = answered, answered - self._manifest.failed
        self._write("complete")

    def _graded_entries(self) -> tuple[dict[str, dict[str, Any]], list[dict[str, int]]]:
        tallies = {one.name: Tally(one.benchmark, one.problems) for one in self._selection.graded}
        for shard, one in self._shards.items():
            if one.name in tallies:
                tallies[one.name].add(read_graded(self._folder, one.key, shard))
        entries = {
            one.name: self._entry(one, tallies[one.name].entry(self._config.k)) for one in self._selection.graded
        }
        return entries, [tally.outcomes for tally in tallies.values()]

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
        sampling = self._config.sampling if isinstance(self._config, EvaluateConfig) else None
        return {
            "model": self._manifest.model,
            "sampling": asdict(sampling) if sampling else None,
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
