"""The student: what is known of it before training, a small one from scratch, and how a worker loads it."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolray.chat import Message
from evolray.config import LoraConfig, ScratchConfig
from evolray.errors import UserError
from evolray.train.tokenising.tokenizer import dress, grow_embeddings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SCRATCH = "scratch"
END, BEGIN_WORDS = "</s>", 256  # byte-level BPE starts from the 256 bytes
SPACE = "\u0120"  # how byte-level BPE writes a space
WRITTEN_AT_ONCE = 1000
NUMBER = " ?[1-9]?[0-9]"


@dataclass(frozen=True)
class Student:
    """What memory and speed depend on. `matrix_parameters`: those that every token is multiplied with."""

    architecture: str
    parameters: int
    matrix_parameters: int
    hidden: int
    layers: int
    vocabulary: int
    positions: int | None
    sliding_window: int | None
    isolates: bool = True
    """Whether packed examples can be kept apart (`attention.isolates`)."""


def describe(model: str) -> Student:
    """Read a student's config and count its parameters, without its weights.

    Raises UserError when there is no such model, or its code or weights could run code of their own when loaded.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from evolray.train.attention import isolates

    path = os.path.expanduser(model)
    if os.path.isdir(path):
        _check_folder(Path(path))
    elif model.startswith(("/", ".", "~")):
        raise UserError(f"model={model}: there is no such folder. Expected one, a name on the Hub, or {SCRATCH}.")
    try:
        config = AutoConfig.from_pretrained(path if os.path.isdir(path) else model)
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    except Exception as error:  # the library and the Hub's client raise all sorts
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise UserError(
            f"model={model}: no such student, or it cannot be loaded ({reason}). Expected a Hugging Face folder, a "
            f"name on the Hub that this machine can reach, or {SCRATCH}."
        ) from None
    text = config.get_text_config()
    parameters = sum(one.numel() for one in empty.parameters())
    embedding = empty.get_input_embeddings()
    output = empty.get_output_embeddings()
    tied = output is not None and output.weight is embedding.weight
    return Student(
        architecture=type(empty).__name__,
        parameters=parameters,
        matrix_parameters=parameters - (0 if tied else embedding.weight.numel()),
        hidden=int(text.hidden_size),
        layers=int(text.num_hidden_layers),
        vocabulary=int(text.vocab_size),
        positions=getattr(text, "max_position_embeddings", None),
        sliding_window=getattr(text, "sliding_window", None),
        isolates=isolates(config),
    )


def _check_folder(folder: Path) -> None:
    """Only safetensors: other weight files are pickles, which run code when they are loaded."""
    if not (folder / "config.json").exists():
        raise UserError(f"model={folder}: no config.json there; expected a Hugging Face folder.")
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"model={folder}: no *.safetensors there. Pickled weights (*.bin) are not loaded, since they can run code; "
            "save the model anew with transformers' save_pretrained."
        )


def make_scratch(config: ScratchConfig, positions: int, texts: Iterable[str], seed: int, target: Path) -> None:
    """Write a LLaMA with random weights and a byte-level BPE tokenizer trained on `texts` to the folder `target`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = train_tokenizer(texts, config.vocabulary, config.numbers)
    torch.manual_seed(seed)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden,
        intermediate_size=config.feed_forward,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(shape).save_pretrained(target)
    tokenizer.save_pretrained(target)


def train_tokenizer(texts: Iterable[str], vocabulary: int, numbers: bool = False) -> "PreTrainedTokenizerFast":
    """Byte-level BPE. `numbers`: 0-99 are one token each, with or without a space before them.

    Raises UserError when the vocabulary has no room for what is in it whatever the texts: the 256 bytes, the end mark
    and the numbers.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    known = number_merges() if numbers else []
    if vocabulary <= BEGIN_WORDS + len(known):
        what = f"bytes and {len(known)} numbers" if numbers else "bytes"
        raise UserError(f"scratch.vocabulary={vocabulary}: expected more than the {BEGIN_WORDS} {what} it starts from.")
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    apart = pre_tokenizers.Split(Regex(NUMBER), "removed")  # nothing is left to learn about them
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([apart, words]) if numbers else words
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(known),
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if numbers:
        learned = json.loads(tokenizer.to_str())["model"]
        entries = learned["vocab"] | {a + b: len(learned["vocab"]) + place for place, (a, b) in enumerate(known)}
        tokenizer.model = models.BPE(vocab=entries, merges=[*known, *map(tuple, learned["merges"])])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(NUMBER), "isolated"), words])
    made: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END, pad_token=END
    )
    return made


def written(conversations: Sequence[Sequence[Message]], chat_format: str) -> Iterator[str]:
    """The conversations in their format, without end marks, before there is a tokenizer for them.

    A tokenizer trained on contents alone would spell the format's own words letter by letter, in every example.
    """
    writer: Any = train_tokenizer([], BEGIN_WORDS + 1)
    dress(writer, chat_format)
    for start in range(0, len(conversations), WRITTEN_AT_ONCE):
        some = [[*one] for one in conversations[start : start + WRITTEN_AT_ONCE]]
        yield from (text.replace(END, "") for text in writer.apply_chat_template(some, tokenize=False))


def number_merges() -> list[tuple[str, str]]:
    """What makes one token of each number: first two digits, then a space and what follows it."""
    digits = "0123456789"
    pairs = [(tens, ones) for tens in digits[1:] for ones in digits]
    return [*pairs, *((SPACE, number) for number in (*digits, *(tens + ones for tens, ones in pairs)))]


def load_student(model: str, attention: str, dtype: Any) -> "PreTrainedModel":
    """The model with its weights, on the CPU. Under ZeRO-3 transformers loads each worker's part only."""
    from transformers import AutoModelForCausalLM

    loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        os.path.expanduser(model), dtype=dtype, attn_implementation=attention, use_safetensors=True
    )
    return loaded


def lora(config: LoraConfig) -> Any:
    """peft's config, None for full fine-tuning."""
    if not config.rank:
        return None
    from peft import LoraConfig as PeftConfig

    targets: Any = list(config.targets) or "all-linear"
    return PeftConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
    )


def merge_adapter(base: str, adapter: Path, target: Path, dtype: Any) -> None:
    """Write the base with the adapter merged into it: a plain model, loadable without peft.

    From the base's own weights every time: unmerging in place would leave rounding errors in them. Random states stay
    as they are, although peft fills the adapter at random before it reads it: when a checkpoint is written must not
    change what comes after.
    """
    import torch
    from peft import PeftModel

    with torch.random.fork_rng(devices=[]):
        merged = PeftModel.from_pretrained(load_student(base, "sdpa", dtype), str(adapter)).merge_and_unload()
    merged.save_pretrained(target)


def grow_student(model: str, tokenizer: "PreTrainedTokenizerFast", target: Path) -> None:
    """Write the student with rows for its new tokens to the folder `target`."""
    loaded = load_student(model, "sdpa", "auto")
    grow_embeddings(loaded, tokenizer)
    loaded.save_pretrained(target)
    tokenizer.save_pretrained(target)
