"""A run that is small enough to train within a second: a LLaMA of some ten thousand weights and a dozen of examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from evolray.checkpoints import Checkpoint, Checkpoints
from evolray.cluster.machine import Machine
from evolray.config import TrainConfig
from evolray.pool.layout import open_folder
from evolray.train import settings as derived
from evolray.train.batches import accumulation_for
from evolray.train.job import Job, Outcome, Place, plan
from evolray.train.student import describe
from evolray.train.tokenising.examples import Example, Rejected
from evolray.train.tokenising.store import Document, Index, Store, read_index, write_index
from evolray.train.tokenising.tokenizer import dress
from evolray.train.tokenising.tokens import index_of, tokenise
from evolray.train.watching import Figures, Nobody
from evolray.train.worker import train
from tests.train import tokenizers

MACHINE = Machine("cpu", "CPU", 2**33)
ALONE = Place(0, 1, 0)
HEADS, KEY_VALUE_HEADS = 4, 2


@lru_cache(maxsize=1)
def tokenizer() -> PreTrainedTokenizerFast:
    made = tokenizers.byte_level()
    dress(made, "alpaca")
    return made


def examples(number: int, start: int = 0) -> list[Example]:
    """Conversations of 40 to 90 tokens, each of another length than the next."""
    return [
        Example(
            f"data.jsonl:{n + 1}",
            (
                {"role": "user", "content": f"Name a tree, and then count to {n}."},
                {"role": "assistant", "content": "Oak and birch are trees. " * (1 + n * 7 % 5) + f"Number {n}."},
            ),
        )
        for n in range(start, start + number)
    ]


def write_student(folder: Path, key_value_heads: int = KEY_VALUE_HEADS, tied: bool = False, seed: int = 1) -> Path:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer()),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer().eos_token_id,
        pad_token_id=tokenizer().pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def write_examples(run: Path, outcomes: Sequence[Example | Rejected], config: TrainConfig) -> Index:
    """Tokenise into the run directory, as the stage does, without Ray."""
    folder = open_folder(str(run))
    index, _ = index_of([tokenise(folder, 0, 0, outcomes, tokenizer(), config)])
    write_index(folder, index, {})
    return index


def config_of(run: Path, student: Path, **changes: Any) -> TrainConfig:
    config = TrainConfig(
        run=str(run),
        data="data.jsonl",
        model=str(student),
        max_length=128,
        epochs=2,
        global_batch=4,
        learning_rate=5e-3,
        warmup_steps=1,
        keep_checkpoints=10,
    )
    return replace(config, **changes)


def job_of(config: TrainConfig) -> Job:
    """What the stage would hand to its workers, for examples that are written."""
    found = read_index(open_folder(config.run))
    assert found is not None
    index = found[0]
    student = describe(config.model)
    settings = derived.resolve(config, student, MACHINE, int(index.tokens.max()), None, False)
    accumulation = accumulation_for(plan(config, index.tokens[~index.held_out], 1), settings.micro_batch_tokens)
    return Job(config, config.model, tokenizer(), student, MACHINE, settings, accumulation, {"model": config.model})


def documents_of(config: TrainConfig, held_out: bool = False) -> list[Document]:
    folder = open_folder(config.run)
    found = read_index(folder)
    assert found is not None
    store = Store(folder, found[0])
    return [store[int(number)] for number in np.flatnonzero(found[0].held_out == held_out)]


@dataclass
class Recorder(Nobody):
    """Remembers what it is told; wants a stop from step `stop_at` on."""

    stop_at: int | None = None
    told: list[Figures] = field(default_factory=list)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, figures: Figures) -> None:
        self.told.append(figures)

    def wants_stop(self) -> bool:
        return self.stop_at is not None and self.told[-1].step >= self.stop_at

    def saved(self, checkpoint: dict[str, Any]) -> None:
        self.checkpoints.append(checkpoint)

    @property
    def losses(self) -> list[float]:
        return [figures.loss for figures in self.told if figures.loss is not None]


@dataclass(frozen=True)
class Trained:
    outcome: Outcome
    recorder: Recorder
    checkpoints: list[Checkpoint]

    @property
    def last(self) -> Checkpoint:
        return self.checkpoints[-1]


def trained(config: TrainConfig, stop_at: int | None = None) -> Trained:
    recorder = Recorder(stop_at)
    outcome = train(job_of(config), ALONE, recorder)
    return Trained(outcome, recorder, Checkpoints(config.run).all())


def loaded(folder: Path) -> LlamaForCausalLM:
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model
