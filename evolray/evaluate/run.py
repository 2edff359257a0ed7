"""One invocation of `evaluate` or `grade`: what is there already, what is to be done, and the manifest about both.

Phase after phase: the model is sampled, samples are graded, a judge is asked, lm-eval runs; then all is scored.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.errors import EvolrayError, Interrupted
from evolray.evaluate import manifest as manifests
from evolray.evaluate.chat.part import ChatPart
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.graded import storable, write_all
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.evaluate.manifest import SCORES, EvaluateManifest, JudgeAccount
from evolray.evaluate.progress import Progress
from evolray.evaluate.scored import Scored
from evolray.evaluate.selection import Selected, Selection, questions
from evolray.evaluate.todo import Todo, to_grade, to_sample
from evolray.pool.layout import Folder, shards_in
from evolray.sampling.questions import QUESTIONS, SAMPLED, Sample, read_samples, write_questions, write_samples
from evolray.sampling.sampler import Sampler, Sampling

logger = logging.getLogger("evolray")

REJECTED = "rejected.jsonl"
READY_SHARD_SIZE = 32
MANIFEST_SECONDS = 5.0
LOG_SECONDS = 30.0


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

    def take(self, samples: Sequence[Sample]) -> None:
        """Write ready samples down as if they had just been drawn."""
        there = {*shards_in(self._folder, SAMPLED)}
        (one,) = self._selection.sampled
        for start in range(0, len(samples), READY_SHARD_SIZE):
            shard = len(self._shards)
            self._shards[shard] = one
            if shard not in there:
                write_samples(self._folder, shard, samples[start : start + READY_SHARD_SIZE])
        self._manifest.questions = self._manifest.sampled = len(samples)

    def reject(self, rejected: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Keep the lines that cannot be used, with `line` and `reason`, by the file that they are in."""
        lines = [{"file": name, **one} for name, some in rejected.items() for one in some]
        self._manifest.rejected = len(lines)
        if lines:
            self._folder.write(REJECTED, "".join(f"{json.dumps(one)}\n" for one in lines).encode())
        for name, some in rejected.items():
            if some:
                logger.warning(
                    "%d lines of the %s cannot be used; line %d: %s (all in %s/%s)", len(some), name,
                    some[0]["line"], some[0]["reason"], self._folder.url, REJECTED,
                )  # fmt: skip

    def work(self, console: Console | None, sampler: Sampler | None, judge: Sampler | None, retry_failed: bool) -> None:
        """Do what is to be done, and score. Raises the error that stands for why it stopped."""
        parts, judge_again = self._chat_parts(), retry_failed or self._config.judge.retry_failed
        todo = self._todo(parts, sampler is not None, retry_failed, judge_again)
        if todo.is_nothing:
            if self._manifest.status == "complete":
                logger.info("%s: nothing to do, every sample is drawn and graded", self._folder.url)
            self._conclude(parts)
            return
        if sampler and (todo.sample or todo.lm_eval):
            sampler.check()
        if judge and todo.judge:
            judge.check()
        title = f"evaluating {self._manifest.model} on {', '.join(self._manifest.benchmarks)} into {self._folder.url}"
        logger.info("%s; %s", title, todo.said(len(self._shards)))
        seconds = self._config.engine.log_seconds if isinstance(self._config, EvaluateConfig) else LOG_SECONDS
        progress = Progress(title, self._manifest.questions, seconds, console)
        self._write("running")
        try:
            with _cluster(todo.needs_cluster), progress:
                if sampler and todo.sample:
                    sampler.run(self._folder, todo.sample, lambda now: self._follow(progress, now))
                if todo.grade:
                    self._grade(todo.grade, progress)
                for part in todo.judge:
                    self._judge(part, progress, judge_again)
                for known in todo.lm_eval:
                    self._run_lm_eval(known, progress)
        except EvolrayError as error:
            self._write("interrupted" if isinstance(error, Interrupted) else "stopped", str(error))
            raise
        self._conclude(parts)

    def _todo(self, parts: Sequence[ChatPart], samples: bool, retry_failed: bool, judge_again: bool) -> Todo:
        sample = to_sample(self._folder, [*self._shards], retry_failed) if samples else []
        keys = {shard: one.key for shard, one in self._shards.items() if isinstance(one, Selected)}
        return Todo(
            sample,
            to_grade(self._folder, keys, sample),
            [part for part in parts if {*part.shards} & {*sample} or not part.is_done(judge_again)],
            [part for part in self._knowledge if not part.is_done],
        )

    def _chat_parts(self) -> list[ChatPart]:
        return [
            ChatPart(
                self._folder, one, [shard for shard, whose in self._shards.items() if whose is one],
                self._config.judge.engine.shard_size,
            )
            for one in self._selection.chat
        ]  # fmt: skip

    def _grade(self, shards: Sequence[int], progress: Progress) -> None:
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

        def follow(now: Sampling, asked: int) -> None:
            progress.judging(now, asked, part.selected.benchmark.title)
            tokens = now.prompt_tokens + now.completion_tokens
            self._manifest.judging[part.selected.name] = JudgeAccount(asked, now.sampled, now.failed, tokens, now.cost)
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
        for part in parts:
            part.write_rows()
        write_all(self._folder, {shard: one.key for shard, one in self._shards.items()})
        scored = Scored(self._config, self._manifest.model)
        sampled = scored.graded(self._folder, self._selection.graded, self._shards) | scored.judged(parts)
        entries = sampled | scored.known(self._knowledge)
        scores = {name: entries[name] for name in self._selection.names}
        self._folder.write(SCORES, json.dumps(scores, indent=1, ensure_ascii=False).encode() + b"\n")
        self._manifest.failed = sum(entry["failed"] for entry in sampled.values())
        self._manifest.graded = sum(entry["samples"] for entry in sampled.values())
        self._manifest.sampled = self._manifest.graded - self._manifest.failed
        self._write("complete")

    def _write(self, status: str, message: str = "") -> None:
        self._manifest.status, self._manifest.message = status, storable(message)
        self._manifest.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        manifests.write(self._folder, self._manifest)
        self._written = time.monotonic()


@contextmanager
def _cluster(is_needed: bool) -> Iterator[None]:
    if not is_needed:
        yield
        return
    from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed

    with cluster():
        yield
