"""What the benchmarks of training share: tokenised examples on disk, and one training of evolray with its moments.

Imported by the scripts beside it, not run. Ray is left out: the worker runs in this process, as in each of Ray Train's.
"""

import importlib.util
import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from benchmarks.padded_script import Recipe, Row, by_loop, by_trainer, rows_of
from evolray.cluster.machine import Machine
from evolray.config import TrainConfig
from evolray.pool.layout import LocalFolder
from evolray.train.batches import Batches, accumulation_for
from evolray.train.job import Job, Place, plan
from evolray.train.settings import resolve
from evolray.train.student import describe, load_student, make_scratch
from evolray.train.tokenising.examples import Example
from evolray.train.tokenising.sources import find_sources, read
from evolray.train.tokenising.store import Index, Store, write_index
from evolray.train.tokenising.tokenizer import dress, load_tokenizer
from evolray.train.tokenising.tokens import Batch, index_of, tokenise
from evolray.train.watching import Figures
from evolray.train.worker import train

CHUNK = 1024  # examples tokenised at a time
WORDS = "a the of to and is in it you that he was for on are with as his they at this from have or by one had".split()


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
    done: list[Batch] = []
    while some := list(islice(outcomes, CHUNK)):
        done.append(tokenise(target, 0, len(done), some, tokenizer, config))
    index, _ = index_of(done)
    write_index(target, index, {})
    return Prepared(folder, config, str(folder / "student"), tokenizer, index)


def installed_flash() -> str | None:
    """As evolray looks for it."""
    for module, name in (("flash_attn_interface", "flash_attention_3"), ("flash_attn", "flash_attention_2")):
        if importlib.util.find_spec(module):
            return name
    return None


def tiny_student(config: TrainConfig, target: Path) -> None:
    """As `model=scratch` makes it: random weights, a tokenizer trained on the examples."""
    texts = (message["content"] for one in _examples(config) for message in one.messages)
    make_scratch(config.scratch, config.max_length, texts, config.seed, target)


def _examples(config: TrainConfig) -> Iterable[Example]:
    return (one for one in read(find_sources(config)[0]) if isinstance(one, Example))


class Turns:
    """Lets trainings in threads of one process go in turns, so that what else the machine does hits all alike."""

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
    """Train by `config` in a run directory of its own, without a checkpoint; `one_pass`: never accumulate."""

    class Stopwatch:
        def tell(self, figures: Figures) -> None:
            assert figures.loss is not None
            clock.mark(figures.step, figures.tokens, figures.loss)
            if figures.step + config.log_steps > figures.steps:  # or it would go on to a checkpoint
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
    gpu = machine.device == "gpu"
    flash, liger = (installed_flash(), bool(importlib.util.find_spec("liger_kernel"))) if gpu else (None, False)
    settings = resolve(config, student, machine, int(lengths.max()), flash, liger)
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


def times_as_fast(marks: Sequence[Mark], others: Sequence[Mark], skipped: int) -> float:
    """How much faster the first is: the median over the turns, both of which train the same steps."""
    pairs = zip(_turns(marks, skipped), _turns(others, skipped), strict=True)
    return median(theirs / ours for ours, theirs in pairs)


def _turns(marks: Sequence[Mark], skipped: int) -> list[float]:
    return [mark.seconds - before.seconds for before, mark in pairwise(marks) if before.step >= skipped]


def differing_losses(some: Sequence[Mark], others: Sequence[Mark]) -> float:
    """The largest difference between two trainings' losses at the same steps."""
    return max(abs(one.loss - other.loss) for one, other in zip(some, others, strict=False))


def padded_share(prepared: Prepared, config: TrainConfig, rows: int | None = None) -> float:
    """The share of padding when the batches, or every so many rows of them, are padded as they come."""
    batches, lengths, computed, real = prepared.batches(config), prepared.index.tokens, 0, 0
    for step in range(batches.steps):
        examples = batches.examples(step)
        for first in range(0, len(examples), rows or len(examples)):
            some = lengths[examples[first : first + (rows or len(examples))]]
            real, computed = real + int(some.sum()), computed + int(some.max()) * len(some)
    return 1 - real / computed


def synthetic_entries(number: int, median_words: float, sigma: float) -> Iterator[dict[str, str]]:
    """Entries of Alpaca's form, always the same, with lognormal lengths; instructions as in Alpaca (e^2.48, 0.5).

    Alpaca's own responses have a median of 32 words and a sigma of 1.3, evolved ones are longer and more alike.
    """
    for n in range(number):
        random = Random(n)
        asked = f"Entry {n}: {_words(random, random.lognormvariate(2.48, 0.5))}"
        yield {"instruction": asked, "output": _words(random, random.lognormvariate(math.log(median_words), sigma))}


def _words(random: Random, number: float) -> str:
    return " ".join(random.choice(WORDS) for _ in range(max(1, round(number))))
