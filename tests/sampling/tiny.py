"""Students of some thousand random weights with a byte-level tokenizer, and what is asked of them.

Weights as transformers draws them give logits that hardly differ, and rounding would decide between near ties; drawn
with a spread of `SPREAD` the likeliest token leads clearly (a test checks that), as it does in a trained model.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from evolray.chat import chat_template
from evolray.cluster.machine import Machine
from evolray.config import SamplerConfig, SamplingConfig
from evolray.records import Turn
from evolray.sampling.models.answering import Answering
from evolray.sampling.models.source import Source
from evolray.sampling.questions import Question, Sample

torch.set_num_threads(1)  # sums this small are slower on more, and crawl where others use the cores, too

SPREAD = 0.6
POSITIONS = 160
END = "</s>"
CPU = Machine("cpu", "CPU", 4_000_000_000)
TEXTS = (
    "Name a tree. Oak and birch are trees.",
    "Add 1, 2 and 3.\n\nThe sum is 6!",
    "def add(a, b):\n    return a + b\n",
)
PROMPTS = ("A", "def add(a, b):\n", "Name a tree. " * 6, "The sum of 1, 2 and 3 is", "x" * 40, "return", "Oak\n\n")


def tokenizer(begin: str | None = None, chat_format: str | None = "alpaca") -> Any:
    """`begin`: a mark that it puts before every text."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    specials = [END, *([begin] if begin else [])]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=alphabet, special_tokens=specials, show_progress=False
    )
    trained.train_from_iterator(TEXTS * 4, trainer)
    if begin:
        trained.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 1)])
    made: Any = PreTrainedTokenizerFast(tokenizer_object=trained, eos_token=END, bos_token=begin)  # type: ignore[no-untyped-call]
    if chat_format:
        made.chat_template = chat_template(chat_format, begin or "")
    return made


def llama(vocabulary: int, seed: int = 0, **more: Any) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=POSITIONS, initializer_range=SPREAD, bos_token_id=None,
        eos_token_id=0, pad_token_id=0, **more,
    )  # fmt: skip
    made: Any = LlamaForCausalLM(config)
    return made.eval()


def save_student(folder: Path, seed: int = 0, begin: str | None = None, chat_format: str | None = "alpaca") -> Path:
    words = tokenizer(begin, chat_format)
    llama(len(words), seed).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def configured(model: Path | str, batch_tokens: int | None = None, **sampling: Any) -> SamplerConfig:
    return SamplerConfig(model=str(model), batch_tokens=batch_tokens, sampling=SamplingConfig(**sampling))


def questions(max_tokens: int = 24, **more: Any) -> list[Question]:
    """Prompts of very different lengths."""
    return [Question(f"q{at}", 0, prompt=text, max_tokens=max_tokens, **more) for at, text in enumerate(PROMPTS)]


def said(text: str) -> tuple[Turn, ...]:
    return (Turn("user", text),)


def answering(config: SamplerConfig) -> Answering:
    return Answering(Source(str(config.model)), "tiny", config, CPU)


def answers(config: SamplerConfig, asked: list[Question]) -> list[Sample]:
    """In the order of the questions."""
    done = {(one.id, one.sample): one for one in answering(config)(asked, lambda written: None)}
    assert len(done) == len(asked)
    return [done[one.id, one.sample] for one in asked]


@lru_cache(maxsize=1)
def words() -> Any:
    return tokenizer()
