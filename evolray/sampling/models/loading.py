"""A model and its tokenizer, loaded by transformers: safetensors only, none of the code that may come with them."""

import inspect
from pathlib import Path
from typing import Any

from evolray.chat import FORMATS, begin_mark, chat_template
from evolray.cluster.machine import Machine
from evolray.errors import UserError
from evolray.quiet import quiet

PRECISIONS = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def compute_with(threads: int) -> None:
    """Of this process; left alone, torch takes every core of the machine."""
    import torch

    torch.set_num_threads(threads)


def look_up(name: str) -> tuple[str | None, bool]:
    """The revision that a name on the Hub stands for now, and whether its tokenizer has a chat template."""
    from transformers import AutoConfig

    quiet()
    try:
        config: Any = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # the library and the Hub's client raise all sorts
        raise UserError(
            f"model={name}: no such folder here, and as a name on the Hub it cannot be loaded ({first_line(error)}). "
            "Expected a Hugging Face folder or its URL, a run of evolray train, or a name on the Hub that this "
            "machine can reach."
        ) from None
    revision = getattr(config, "_commit_hash", None)
    return revision, bool(load_tokenizer(name, revision, None).chat_template)


def load_tokenizer(source: str | Path, revision: str | None, chat_format: str | None) -> Any:
    """With `chat_format`'s template in place of its own, when that is given."""
    from transformers import AutoTokenizer

    quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except Exception as error:
        raise UserError(f"model={source}: no tokenizer can be loaded ({first_line(error)}).") from None
    if chat_format is not None:
        if chat_format not in FORMATS:
            raise UserError(f"chat_format={chat_format}: expected one of {', '.join(FORMATS)}.")
        tokenizer.chat_template = chat_template(chat_format, begin_mark(tokenizer))
    return tokenizer


def choose_precision(precision: str, machine: Machine) -> str:
    """bf16, fp16 or fp32. On CPU the half types are slower than fp32 almost everywhere."""
    if precision != "auto":
        return precision
    if machine.device == "cpu":
        return "fp32"
    return "bf16" if machine.has_bf16 else "fp16"


def load_model(source: str | Path, revision: str | None, precision: str, device: str) -> Any:
    """In evaluation mode, on the device. Raises UserError when it cannot be loaded or does not fit."""
    import torch
    from transformers import AutoModelForCausalLM

    quiet()
    options: dict[str, Any] = {
        "revision": revision,
        "dtype": getattr(torch, PRECISIONS[precision]),
        "use_safetensors": True,
        "trust_remote_code": False,
    }
    model: Any
    try:
        try:
            model = AutoModelForCausalLM.from_pretrained(source, attn_implementation="sdpa", **options)
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error):
                raise
            # Some older architectures have nothing but an attention of their own.
            model = AutoModelForCausalLM.from_pretrained(source, attn_implementation="eager", **options)
        model = model.to(device).eval()
    except (torch.OutOfMemoryError, MemoryError):
        raise UserError(
            f"model={source}: does not fit into the memory of a worker's {device}. Use a smaller model, larger "
            "machines, or precision=bf16."
        ) from None
    except Exception as error:
        raise UserError(f"model={source}: cannot be loaded ({first_line(error)}).") from None
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise UserError(
            f"model={source}: {type(model).__name__} keeps no keys and values to go on from (as Mamba does not), so it "
            "is not sampled with transformers here; backend=vllm may know it."
        )
    return model


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
