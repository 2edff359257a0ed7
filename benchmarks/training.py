"""What the benchmarks of training share: tokenised examples on disk, and one training of evolray with its moments.

Imported by the scripts beside it, not run. Ray is left out: the worker runs in this process, as in each of Ray Train's.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.padded_script import Recipe, Row, by_loop, by_trainer, rows_of
from evolray.config import TrainConfig
from evolray.pool.layout import LocalFolder
from evolray.train.batches import Batches, accumulation_for
from evolray.train.examples import Encoded, Example
from evolray.train.figures import Figures
from evolray.train.settings import resolve
from evolray.train.sizing import Machine
from evolray.train.sources import find_sources, read
from evolray.train.store import Index, Store, read_index, write_index
from evolray.train.student import describe, load_student, make_scratch
from evolray.train.tokenizer import dress, load_tokenizer
from evolray.train.tokens import index_of, tokenise
from evolray.train.worker import Job, Place, plan, train

BATCH = 1024  # examples tokenised at a time


class Mark(NamedTuple):
    """A moment of a training: seconds, steps and real tokens so far, the mean loss since the last mark."""

    seconds: float
    step: int
    tokens: int
    loss: float


class Enough(Exception):
    """Ends a training that has been watched for long enough, without a checkpoint."""


@dataclass(frozen=True)
class Prepared:
    """A run directory with tokenised examples, and the student to train on them."""

    folder: Path
    config: TrainConfig
    model: str
    tokenizer: Any
    index: Index

    def batches(self, config: TrainConfig) -> Batches:
        return plan(config, self.index.tokens, 1)

    def rows(self, config: TrainConfig) -> list[list[Row]]:
        """The examples of every step of evolray's plan, in the order of its shuffle."""
        store, batches = Store(LocalFolder(str(self.folder)), self.index), self.batches(config)
        rows = rows_of([store[number] for number in range(len(self.index))])
        return [[rows[number] for number in batches.examples(step)] for step in range(batches.steps)]


def prepare(config: TrainConfig, make_student: Callable[[TrainConfig, Path], None]) -> Prepared:
    """Write the student and the tokenised examples of `config.data` into the run directory."""
    folder = Path(config.run)
    make_student(config, folder / "student")
    tokenizer = load_tokenizer(str(folder / "student"))
    dress(tokenizer, config.chat_format)
    target, outcomes = LocalFolder(config.run), read(find_sources(config)[0])
    done = []
    while some := list(islice(outcomes, BATCH)):
        done.append(tokenise(target, 0, len(done), some, tokenizer, config))
    index, _ = index_of(done)
    write_index(target, index, {})
    return Prepared(folder, config, str(folder / "student"), tokenizer, index)


def tiny_student(config: TrainConfig, target: Path) -> None:
    """As `model=scratch` makes it: random weights, a tokenizer trained on the examples."""
    texts = (message["content"] for one in _examples(config) for message in one.messages)
    make_scratch(config.scratch, config.max_length, texts, config.seed, target)


def _examples(config: TrainConfig) -> Iterable[Example]:
    return (one for one in read(find_sources(config)[0]) if isinstance(one, Example))


class Turns:
    """Lets several trainings in threads of one process go in turns, so that what else the machine does hits all alike."""

    def __init__(self, number: int) -> None:
        self._waiting, self._changed = list(range(number)), threading.Condition()

    def take(self, who: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting[0] == who)

    def pass_on(self, again: bool = True) -> None:
        """To the next; `again`: with another turn in the end."""
        with self._changed:
            who = self._waiting.pop(0)
            if again:
                self._waiting.append(who)
            self._changed.notify_all()


class Clock:
    """Takes the marks of one training, whose seconds pass in its own turns only."""

    def __init__(self, who: int = 0, turns: Turns | None = None) -> None:
        self.marks: list[Mark] = []
        self._who, self._turns = who, turns or Turns(1)
        self._passed, self._since = 0.0, 0.0

    def start(self) -> None:
        self._turns.take(self._who)
        self._since = time.perf_counter()

    def mark(self, step: int, tokens: int, loss: float) -> None:
        self._passed += time.perf_counter() - self._since
        self.marks.append(Mark(self._passed, step, tokens, loss))
        self._turns.pass_on()
        self.start()

    def stop(self) -> None:
        self._turns.pass_on(again=False)


def in_turns(sides: Sequence[Callable[[Clock], None]]) -> list[list[Mark]]:
    """The marks of several trainings, from one mark to the next in turns. Raises what one of them raised."""
    turns = Turns(len(sides))
    clocks = [Clock(who, turns) for who in range(len(sides))]
    with ThreadPoolExecutor(len(sides)) as pool:
        done = [pool.submit(_timed, side, clock) for side, clock in zip(sides, clocks, strict=True)]
    for one in done:
        one.result()
    return [clock.marks for clock in clocks]


def _timed(side: Callable[[Clock], None], clock: Clock) -> None:
    clock.start()
    try:
        side(clock)
    finally:
        clock.stop()


def train_evolray(
    prepared: Prepared, config: TrainConfig, machine: Machine, clock: Clock, one_pass: bool = False
) -> None:
    """Train by `config` in a run directory of its own up to its last log; `one_pass`: no accumulation, whatever fits."""

    class Stopwatch:
        def tell(self, figures: Figures) -> None:
            assert figures.loss is not None
            clock.mark(figures.step, figures.tokens, figures.loss)
            if figures.step + config.log_steps > figures.steps:
                raise Enough

        def wants_stop(self) -> bool:
            return False

        def saved(self, checkpoint: dict[str, Any]) -> None: ...

    with tempfile.TemporaryDirectory(prefix="evolray-") as run:
        shutil.copytree(prepared.folder / "data", Path(run) / "data", copy_function=os.link)
        job = job_for(prepared, TrainConfig(**{**vars(config), "run": run}), machine, one_pass)
        with suppress(Enough):
            train(job, Place(0, 1, 0), Stopwatch())


def job_for(prepared: Prepared, config: TrainConfig, machine: Machine, one_pass: bool) -> Job:
    student, lengths = describe(prepared.model), prepared.index.tokens
    if one_pass:
        batches = prepared.batches(config)
        most = max(int(lengths[batches.examples(step)].sum()) for step in range(batches.steps))
        config = TrainConfig(**{**vars(config), "micro_batch_tokens": most})
    settings = resolve(config, student, machine, int(lengths.max()), None, False)
    accumulation = accumulation_for(plan(config, lengths, 1), settings.micro_batch_tokens)
    return Job(config, prepared.model, prepared.tokenizer, student, machine, settings, accumulation, {})


def train_script(
    prepared: Prepared, config: TrainConfig, recipe: Recipe, clock: Clock, with_trainer: bool = False
) -> None:
    """The padded script over the same examples, step by step."""
    model = load_student(prepared.model, "sdpa", "auto")
    by = by_trainer if with_trainer else by_loop
    by(model, prepared.rows(config), prepared.tokenizer.pad_token_id, recipe, clock.mark)


def recipe_of(config: TrainConfig, machine: Machine, **settings: Any) -> Recipe:
    return Recipe(
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        steps=config.max_steps or 0,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        log_steps=config.log_steps,
        device="cuda" if machine.device == "gpu" else "cpu",
        **settings,
    )


def speed(marks: Sequence[Mark], skipped: int) -> float:
    """Real tokens per second, from the first mark at or after so many steps to the last."""
    first = next(mark for mark in marks if mark.step >= skipped)
    return (marks[-1].tokens - first.tokens) / (marks[-1].seconds - first.seconds)


def differing_losses(some: Sequence[Mark], others: Sequence[Mark]) -> float:
    """The largest difference between two trainings' losses at the same steps."""
    return max(abs(a.loss - b.loss) for a, b in zip(some, others, strict=True))


def padded_share(prepared: Prepared, config: TrainConfig) -> float:
    """The share of padding when batches are padded as given."""
    batches = prepared.batches(config)
    lengths = [prepared.index.tokens[batches.examples(step)] for step in range(batches.steps)]
    return 1 - sum(int(some.sum()) for some in lengths) / sum(int(some.max()) * len(some) for some in lengths)
