"""`train`: from a config to checkpoints. Everything that can be wrong is found before a worker starts."""

import importlib.util
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from evolray.checkpoints import Checkpoints
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import TrainConfig
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.layout import Folder, LocalFolder, hold, open_folder
from evolray.pool.manifest import check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials
from evolray.quiet import quiet
from evolray.train import manifest as manifests
from evolray.train import settings as derived
from evolray.train.batches import accumulation_for
from evolray.train.identity import described, identity_of, versions
from evolray.train.job import Job, Outcome, plan
from evolray.train.lines import accounts_line, settings_line
from evolray.train.manifest import TrainManifest
from evolray.train.progress import Progress
from evolray.train.student import SCRATCH, Student, describe, grow_student, make_scratch, written
from evolray.train.tokenising.examples import Example
from evolray.train.tokenising.sources import Source, find_sources, read
from evolray.train.tokenising.store import DATA, INDEX, read_index, write_index
from evolray.train.tokenising.tokenizer import dress, load_tokenizer
from evolray.train.tokenising.tokens import REJECTED, index_of, to_metadata
from evolray.train.watching import Figures, read_log

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from evolray.cluster.machine import Machine
    from evolray.train.tokenising.store import Index

logger = logging.getLogger("evolray")

STUDENT = "student"  # a folder of the run: the student before training, where it had to be made or changed
SCRATCH_EXAMPLES = 20_000  # what the tokenizer of a student from scratch is trained on
MANIFEST_SECONDS = 5.0


def train(config: TrainConfig, *, console: Console | None = None) -> Checkpoints:
    """Train a student, or go on where an earlier run of `config.run` ended. A finished run is left as it is.

    Raises UserError, Interrupted or EvolrayError; after all of them the same call goes on.
    """
    derived.check(config)
    quiet()
    deepspeed = derived.read_deepspeed(config.deepspeed)
    folder = open_folder(config.run)
    if isinstance(folder, LocalFolder):  # workers have a working directory of their own
        config = replace(config, run=folder.url)
    if config.model == SCRATCH and not isinstance(folder, LocalFolder):
        raise UserError(f"model={SCRATCH} needs a run directory on a file system that all nodes share, not a URL.")
    try:
        manifests.refuse_other_stage(folder)
    except OSError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise UserError(f"run={folder.url}: cannot be read ({reason}).") from None
    identity, is_settled = identity_of(config, deepspeed), folder.exists(INDEX)
    if is_settled:  # until the examples are tokenised, a wrong setting can be put right
        check_same_run(folder, {}, identity)
    done = manifests.read(folder)
    if done and done.status == "complete":
        logger.info("%s: nothing to do, all %s steps are done", folder.url, f"{done.steps:,}")
        return Checkpoints(config.run)
    sources = find_sources(config)
    if config.model != SCRATCH:
        describe(config.model)
    with hold(folder):
        describe_run(folder, described(config, folder), {}, identity, anew=not is_settled)
        if not is_settled and isinstance(folder, LocalFolder):
            for leftover in (DATA, REJECTED, STUDENT):
                shutil.rmtree(folder.path / leftover, ignore_errors=True)
        Run(config, folder, sources, done).work(console)
    return Checkpoints(config.run)


class Run:
    """One invocation, up to the last step or to what stops it."""

    def __init__(
        self, config: TrainConfig, folder: Folder, sources: list[Source], before: TrainManifest | None
    ) -> None:
        self._started, self._written = time.monotonic(), 0.0
        self._seconds_before = before.seconds if before else 0.0
        self._config, self._folder, self._sources = config, folder, sources
        self._manifest = before or TrainManifest(folder.url, "running")
        self._manifest.model, self._manifest.data = config.model, without_credentials(config.data)

    def work(self, console: Console | None) -> None:
        """Raises the error that stands for why the training stopped, if it did."""
        model = self._student()
        tokenizer = load_tokenizer(model)
        outfit = dress(tokenizer, self._config.chat_format)
        if outfit.added_tokens:
            logger.info("%s has no end mark: %s is added to its vocabulary", model, ", ".join(outfit.added_tokens))
            model = self._grown(model, tokenizer)
        student = describe(model)

        from evolray.cluster.on_ray import (  # Ray takes a second to import: not before it is needed
            cluster,
            find_machine,
            with_cpus,
        )
        from evolray.train import on_ray

        title = f"training {_short_name(self._config.model)} into {self._folder.url}"
        logger.info(title)
        progress = Progress(title, self._config.log_seconds, console)
        try:
            with cluster(), interrupted_by_sigterm(), progress:
                workers = with_cpus(self._config.workers)
                self._config = replace(self._config, workers=workers)
                machine = find_machine(workers)
                index = self._tokenised(tokenizer, progress)
                job = self._job(model, tokenizer, student, machine, index)
                self._write("running")
                outcome = on_ray.fit(job, lambda figures: self._follow(progress, figures))
                on_ray.forget_notes(self._config.run)
        except KeyboardInterrupt:  # before there was a worker to be told
            self._write("interrupted")
            raise Interrupted("interrupted before the training began") from None
        except EvolrayError as error:
            self._write("interrupted" if isinstance(error, Interrupted) else "stopped", str(error))
            raise
        self._conclude(outcome)

    def _student(self) -> str:
        """The folder or name to train from; for one from scratch, it is made first."""
        if self._config.model != SCRATCH:
            return self._config.model
        place = self._place_for_student()
        if not (place / "config.json").exists():
            config = self._config
            _write_aside(place, lambda aside: make_scratch(
                config.scratch, config.max_length, _texts(self._sources, config.chat_format), config.seed, aside
            ))  # fmt: skip
        return str(place)

    def _grown(self, model: str, tokenizer: "PreTrainedTokenizerFast") -> str:
        place = self._place_for_student()
        if not (place / "config.json").exists():
            _write_aside(place, lambda aside: grow_student(model, tokenizer, aside))
        return str(place)

    def _place_for_student(self) -> Path:
        if not isinstance(self._folder, LocalFolder):
            raise UserError(
                f"model={self._config.model} needs tokens added to its vocabulary, for which run= must be on a file "
                "system that all nodes share, not a URL."
            )
        return self._folder.path / STUDENT

    def _tokenised(self, tokenizer: "PreTrainedTokenizerFast", progress: Progress) -> "Index":
        from evolray.train.tokenising.on_ray import tokenise_all

        found = read_index(self._folder)
        if found is None:
            batches = tokenise_all(self._sources, tokenizer, self._config, progress.tokenised)
            index, accounts = index_of(batches)
            self._manifest.examples = accounts
            _check_examples(accounts, self._config)
            write_index(self._folder, index, to_metadata(accounts, {"data": self._manifest.data}))
        else:
            index, metadata = found
            self._manifest.examples = json.loads(metadata["accounts"])
        logger.info(accounts_line(self._manifest.examples))
        return index

    def _job(
        self,
        model: str,
        tokenizer: "PreTrainedTokenizerFast",
        student: Student,
        machine: "Machine",
        index: "Index",
    ) -> Job:
        config = self._config
        longest = int(index.tokens.max(initial=0))
        settings = derived.resolve(config, student, machine, longest, _installed_flash(), _is_installed("liger_kernel"))
        _check_resumable(Checkpoints(config.run), settings.stage, config.workers.number)
        lengths = index.tokens[~index.held_out]
        accumulation = accumulation_for(plan(config, lengths, 1), settings.micro_batch_tokens)
        batches = plan(config, lengths, accumulation)
        self._manifest.steps = batches.steps
        self._manifest.settings = {
            **{key: value for key, value in asdict(settings).items() if key != "deepspeed"},
            "device": machine.name,
            "workers": config.workers.number,
            "accumulation": accumulation,
            "deepspeed": settings.deepspeed_config(accumulation, config.workers.number, config.max_grad_norm),
        }
        logger.info(settings_line(config, student, machine, settings, accumulation, batches.steps))
        if latest := Checkpoints(config.run).latest():
            logger.info("going on from the checkpoint of step %s", f"{latest.step:,}")
        about = {
            "model": config.model,
            "data": self._manifest.data,
            "examples": self._manifest.examples,
            "config": described(config, self._folder),
            "versions": versions(),
        }
        return Job(config, model, tokenizer, student, machine, settings, accumulation, about)

    def _follow(self, progress: Progress, figures: Figures) -> None:
        progress.show(figures)
        self._manifest.step = figures.step
        self._manifest.figures |= {key: value for key, value in asdict(figures).items() if value is not None}
        if time.monotonic() - self._written > MANIFEST_SECONDS:
            self._write("running")

    def _conclude(self, outcome: Outcome) -> None:
        self._manifest.step = outcome.step
        if outcome.diverged:
            self._write("stopped", outcome.diverged)
            raise EvolrayError(outcome.diverged)
        if not outcome.finished:
            message = f"stopped at step {outcome.step:,} of {self._manifest.steps:,}, with a checkpoint"
            self._write("interrupted", message)
            raise Interrupted(message)
        # A training that was killed behind its last checkpoint has nothing left to tell.
        self._manifest.figures |= {**read_log(self._folder, outcome.step), "steps": self._manifest.steps}
        self._write("complete")

    def _write(self, status: str, message: str = "") -> None:
        one = self._manifest
        one.status, one.message = status, message
        one.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        one.checkpoints = [
            {"step": checkpoint.step, "loss": checkpoint.loss, "held_out_loss": checkpoint.held_out_loss}
            for checkpoint in Checkpoints(self._config.run).all()
        ]
        manifests.write(self._folder, one)
        self._written = time.monotonic()


# --- checks ---


def _check_examples(accounts: dict[str, Any], config: TrainConfig) -> None:
    if not accounts["train"]:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in accounts["rejected"].items()) or "none read"
        raise UserError(
            f"data={without_credentials(config.data)}: no example is left to train on, of {accounts['entries']:,} "
            f"entries: {reasons}. The rejected ones are in {config.run}/rejected/."
        )
    if config.held_out and not accounts["held_out"]:
        raise UserError(
            f"held_out={config.held_out}: no root fell into this share of {accounts['train']:,} examples. Set a larger "
            "one, or held_out=0 to hold out nothing."
        )


def _check_resumable(checkpoints: Checkpoints, stage: int | None, workers: int) -> None:
    latest = checkpoints.latest()
    if latest and stage and latest.about.get("workers") != workers:
        raise UserError(
            f"{latest.url}: ZeRO-{stage} has shared out its optimizer state over {latest.about.get('workers')} "
            f"workers; expected workers.number={latest.about.get('workers')}, got {workers}. Or train from it as "
            "model=, in a new run."
        )


def _short_name(model: str) -> str:
    return os.path.basename(model.rstrip("/")) or model


def _texts(sources: list[Source], chat_format: str) -> Iterator[str]:
    """The first examples as the student will read them, for a tokenizer to be trained on."""
    outcomes = (outcome for source in sources for outcome in read(source))
    examples = (outcome for outcome in outcomes if isinstance(outcome, Example))
    return written([example.messages for example in islice(examples, SCRATCH_EXAMPLES)], chat_format)


def _write_aside(place: Path, write: Any) -> None:
    aside = place.with_name(f".{place.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    write(aside)
    aside.rename(place)


def _installed_flash() -> str | None:
    """The flash attention that transformers can use, by its name there."""
    for module, name in (("flash_attn_interface", "flash_attention_3"), ("flash_attn", "flash_attention_2")):
        if _is_installed(module):
            return name
    return None


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
