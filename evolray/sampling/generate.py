"""`generate`: instructions in, answers out, by a checkpoint or an endpoint.

What the papers' inference scripts do (inference_wizardlm.py and its siblings), but in batches, resumable, and without
cutting an input short: one that does not fit fails, and is counted. Files in the run directory:

    questions/, sampled/    what is asked and answered, shard by shard; ledger/: an endpoint's answers
    rejected.jsonl          entries that could not be read, with their reason
    failed.jsonl            instructions that got no answer, with the cause; retry_failed=true asks again
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from rich.console import Console

from evolray.config import GenerateConfig
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.layout import Folder, hold, open_folder, shards_in
from evolray.pool.manifest import check_same_run, describe_run, read_stage, write_stage
from evolray.pool.seed_formats import without_credentials
from evolray.sampling.answers import FAILED, SUFFIXES, Answers, write_answers
from evolray.sampling.instructions import Instruction, Unusable, read_instructions
from evolray.sampling.opening import open_sampler
from evolray.sampling.progress import Progress
from evolray.sampling.questions import QUESTIONS, SAMPLED, Question, read_samples, write_questions
from evolray.sampling.sampler import Sampler, Sampling

logger = logging.getLogger("evolray")

STAGE, REJECTED = "generate", "rejected.jsonl"
MAX_TOKENS = 2048  # of an answer, as in the papers' scripts
MANIFEST_SECONDS = 5.0


@dataclass
class GenerateManifest:
    """Entries = instructions + rejected; instructions x n = answered + failed + those still to be asked."""

    run: str
    status: str
    stage: str = STAGE
    model: str = ""
    data: str = ""
    output: str = ""
    instructions: int = 0
    rejected: int = 0
    answered: int = 0
    failed: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    seconds: float = 0.0
    message: str = ""
    updated_at: float = field(default_factory=time.time)


def generate(config: GenerateConfig, *, console: Console | None = None) -> Answers:
    """Answer all instructions, or go on where an earlier run of `config.run` ended, and write them to `config.output`.

    Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; after all of them the same call goes on.
    """
    if not config.output.endswith(SUFFIXES):
        raise UserError(f"output={config.output}: expected a file that ends in {', '.join(SUFFIXES)}.")
    sampler = open_sampler(config)
    if not sampler.has_chat_template:
        raise UserError(f"{sampler.name} has no chat template to put an instruction in; name a chat_format.")
    folder = open_folder(config.run)
    intake = take_in(config)
    identity = {
        "stage": STAGE, "sampler": {**sampler.identity}, "n": config.sampling.n, "instructions": intake.digest,
        "max_tokens": config.sampling.max_tokens, "stop": list(config.sampling.stop),
        "shard_size": config.engine.shard_size,
    }  # fmt: skip
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        return Run(config, folder, sampler, intake).work(console)


@dataclass
class Intake:
    """`digest` is over the questions in their order, so that a file that changed is noticed."""

    instructions: int
    digest: str
    rejected: list[Unusable]


def take_in(config: GenerateConfig) -> Intake:
    """Read the input once. Raises UserError when there is nothing to answer."""
    digest, number = hashlib.sha256(), 0
    rejected: list[Unusable] = []
    for outcome in _read(config):
        if isinstance(outcome, Unusable):
            rejected.append(outcome)
            continue
        number += 1
        digest.update(repr(outcome).encode())
    if not number:
        why = f": {rejected[0].reason}" if rejected else ", since it is empty"
        raise UserError(f"data={without_credentials(config.data)}: holds no instruction{why}.")
    return Intake(number, digest.hexdigest(), rejected)


class Run:
    """One invocation: what is there already, what is to be done, and the manifest about both."""

    def __init__(self, config: GenerateConfig, folder: Folder, sampler: Sampler, intake: Intake) -> None:
        self._started = self._written = time.monotonic()
        self._config, self._folder, self._sampler = config, folder, sampler
        before = read_stage(folder, GenerateManifest)
        self._seconds_before = before.seconds if before else 0.0
        self._manifest = replace(
            before or GenerateManifest(folder.url, "running"), model=sampler.name, message="",
            data=without_credentials(config.data), output=without_credentials(config.output),
            instructions=intake.instructions, rejected=len(intake.rejected),
        )  # fmt: skip
        if intake.rejected:
            folder.write(REJECTED, "".join(f"{json.dumps(asdict(one))}\n" for one in intake.rejected).encode())
            first = f"the first: {intake.rejected[0].reason}"
            logger.warning(
                "%d entries cannot be answered (%s/%s); %s", len(intake.rejected), folder.url, REJECTED, first
            )

    def work(self, console: Console | None) -> Answers:
        shards = self._ask()
        todo = [shard for shard in shards if shard not in self._done()]
        questions = self._manifest.instructions * self._config.sampling.n
        if todo:
            self._sampler.check()
            from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed

            title = f"answering {questions:,} questions by {self._sampler.name} into {self._folder.url}"
            logger.info("%s; %d of %d shards to do", title, len(todo), len(shards))
            progress = Progress(title, questions, self._config.engine.log_seconds, console)
            self._write("running")
            try:
                with cluster(), progress:
                    self._sampler.run(self._folder, todo, lambda now: self._follow(progress, now))
            except EvolrayError as error:
                self._write("interrupted" if isinstance(error, Interrupted) else "stopped", str(error))
                raise
        else:
            logger.info("%s: nothing to ask, every instruction is answered", self._folder.url)
        answers = write_answers(self._folder, shards, self._config.output, self._config.answer_key)
        if answers.failed:
            logger.warning("%d questions got no answer (%s/%s)", answers.failed, self._folder.url, FAILED)
        self._manifest.answered, self._manifest.failed = answers.answered, answers.failed
        self._write("complete")
        return answers

    def _ask(self) -> list[int]:
        """Write down what is asked, as far as an earlier invocation has not done so; the numbers of all shards."""
        there = {*shards_in(self._folder, QUESTIONS)}
        asked = _questions(self._config)
        shards: list[int] = []
        while some := list(islice(asked, self._config.engine.shard_size)):
            if len(shards) not in there:
                write_questions(self._folder, len(shards), some)
            shards.append(len(shards))
        return shards

    def _done(self) -> set[int]:
        done = {*shards_in(self._folder, SAMPLED)}
        if self._config.retry_failed:
            done = {shard for shard in done if not any(one.cause for one in read_samples(self._folder, shard))}
        return done

    def _follow(self, progress: Progress, now: Sampling) -> None:
        progress.sampling(now)
        self._manifest.answered, self._manifest.failed, self._manifest.cost = now.sampled, now.failed, now.cost
        self._manifest.tokens = {"prompt": now.prompt_tokens, "completion": now.completion_tokens}
        if time.monotonic() - self._written > MANIFEST_SECONDS:
            self._write("running")

    def _write(self, status: str, message: str = "") -> None:
        self._manifest.status, self._manifest.message = status, message
        self._manifest.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        write_stage(self._folder, self._manifest)
        self._written = time.monotonic()


def _read(config: GenerateConfig) -> Iterator[Instruction | Unusable]:
    return islice(read_instructions(config.data, config.columns), config.limit)


def _questions(config: GenerateConfig) -> Iterator[Question]:
    sampling = config.sampling
    for one in _read(config):
        if isinstance(one, Instruction):
            for sample in range(sampling.n):
                yield Question(
                    one.id, sample, one.messages, max_tokens=sampling.max_tokens or MAX_TOKENS,
                    stop=tuple(sampling.stop), given_input=one.given_input,
                )  # fmt: skip


def _described(config: GenerateConfig, folder: Folder) -> dict[str, Any]:
    """The full config as run.yaml may show it: URLs without credentials."""
    described = asdict(config)
    described["run"] = folder.url
    for key in ("data", "output", "model"):
        if described[key]:
            described[key] = without_credentials(described[key])
    if config.endpoint.base_url:
        described["endpoint"]["base_url"] = without_credentials(config.endpoint.base_url).partition("?")[0]
    return described
