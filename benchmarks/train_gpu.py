"""Training on a GPU: tokens/s, MFU and memory of evolray for about 1B parameters, beside a script that pads.

    python benchmarks/train_gpu.py                                  # synthetic examples; 10 minutes
    python benchmarks/train_gpu.py --data alpaca_data.json --seconds 60
    python benchmarks/train_gpu.py --dry                            # a tiny student on the CPU: does the script work?

A LLaMA of 1.1 B parameters with random weights, so nothing is downloaded; bf16 by autocast over fp32 weights, AdamW,
batches of 64. evolray packs, uses flash attention (flash-attn where installed, else torch's own kernel) and Liger where
installed. The script (padded_script.py) is plain transformers and pads batches as they come, `--script-rows` rows per
forward pass. Both compute the same losses. MFU counts 6 N + 12 L H T operations per real token (PaLM, appendix B):
neither padding nor recomputation.
"""

import argparse
import gc
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one GPU: with more, transformers would spread the model over them

import psutil
import torch

from benchmarks.measuring import ROOT
from benchmarks.training import (
    Clock,
    Mark,
    Prepared,
    differing_losses,
    installed_flash,
    padded_share,
    prepare,
    recipe_of,
    speed,
    synthetic_entries,
    tiny_student,
    train_evolray,
    train_script,
)
from evolray.cluster.machine import Machine
from evolray.config import TrainConfig, load
from evolray.quiet import quiet
from evolray.train.figures import mean_context
from evolray.train.sizing import GIB, flops_per_token
from evolray.train.student import describe, train_tokenizer
from evolray.train.tokenising.sources import find_sources, read

# TinyLlama's shape (arXiv 2401.02385).
SHAPE: dict[str, Any] = {
    "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
    "num_key_value_heads": 4, "vocab_size": 32_000, "max_position_embeddings": 2048, "tie_word_embeddings": False,
}  # fmt: skip
TEXTS = 20_000  # examples that the tokenizer is trained on
EVOLVED = (20_000, 180.0, 0.8)  # entries, median and sigma of the responses' words
DRY = (400, 30.0, 0.8)
WARM_UP = 3  # steps
SAME_LOSS = 0.05  # bf16, other kernels
SCRIPT = "transformers, padded"

Side = Callable[[Clock], None]
Found = tuple[list[Mark], int] | str
"""Marks and peak memory in bytes, or why there are none."""


def large_student(config: TrainConfig, target: Path) -> None:
    """SHAPE with random weights, and a tokenizer trained on the examples."""
    from transformers import LlamaConfig, LlamaForCausalLM

    examples = (one for _, one in zip(range(TEXTS), read(find_sources(config)[0]), strict=False))
    texts = (message["content"] for one in examples for message in getattr(one, "messages", ()))
    tokenizer = train_tokenizer(texts, SHAPE["vocab_size"])
    torch.manual_seed(config.seed)
    end = tokenizer.eos_token_id
    with torch.device("cuda"):
        model = LlamaForCausalLM(LlamaConfig(**SHAPE, bos_token_id=None, eos_token_id=end, pad_token_id=end))
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


class TimedClock(Clock):
    """Ends a training after so many seconds past the warm-up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def mark(self, step: int, tokens: int, loss: float) -> None:
        super().mark(step, tokens, loss)
        warm = [mark for mark in self.marks if mark.step >= WARM_UP]
        if len(warm) > 1 and warm[-1].seconds - warm[0].seconds >= self._seconds:
            raise TimeUp


class TimeUp(Exception):
    pass


def measure(side: Side, seconds: float) -> Found:
    """The marks and the peak memory in bytes; or why there are none."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = TimedClock(seconds)
    clock.start()
    try:
        side(clock)
    except TimeUp:
        pass
    except torch.cuda.OutOfMemoryError:
        return "out of memory"
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
    return clock.marks, peak


def sides_of(
    prepared: Prepared, config: TrainConfig, machine: Machine, rows: int
) -> dict[str, Callable[[Clock], None]]:
    sides: dict[str, Callable[[Clock], None]] = {}
    for checkpointing in (True, False):
        how = "checkpointing" if checkpointing else "no checkpointing"
        ours = replace(config, gradient_checkpointing=checkpointing)
        sides[f"evolray, {how}"] = partial(train_evolray, prepared, ours, machine)
        if machine.device == "gpu" and importlib.util.find_spec("liger_kernel"):
            without = replace(ours, liger=False)
            sides[f"evolray, {how}, no Liger"] = partial(train_evolray, prepared, without, machine)
        recipe = recipe_of(config, machine, precision=config.precision, checkpointing=checkpointing, rows_per_pass=rows)
        sides[f"{SCRIPT}, {how}"] = partial(train_script, prepared, config, recipe)
    return sides


def report(
    name: str, found: tuple[list[Mark], int] | str, flops: float, peak_flops: float | None, padding: float
) -> None:
    if isinstance(found, str):
        print(f"{name:45}  {found}", flush=True)
        return
    marks, memory = found
    tokens = speed(marks, WARM_UP)
    mfu = f"{tokens * flops / peak_flops:8.1%}" if peak_flops else f"{'-':>8}"
    print(
        f"{name:45}  {tokens:11,.0f}  {tokens * flops / 1e12:8.2f}  {mfu}  {memory / GIB:8.1f}  {padding:7.1%}  "
        f"{marks[-1].step:5}",
        flush=True,
    )


def find_machine(dry: bool) -> Machine:
    if dry:
        return Machine("cpu", "CPU", psutil.virtual_memory().available)
    if not torch.cuda.is_available():
        sys.exit("train_gpu.py: torch sees no GPU here; --dry tries the script on the CPU.")
    properties = torch.cuda.get_device_properties(0)
    return Machine("gpu", properties.name, int(properties.total_memory), torch.cuda.is_bf16_supported())


def config_for(run: str, data: str, batch: int, dry: bool) -> TrainConfig:
    values = {
        "run": run, "data": data, "max_length": 512 if dry else 2048, "held_out": 0, "epochs": 100, "max_steps": 2000,
        "global_batch": batch, "learning_rate": 1e-4, "warmup_steps": 10, "log_steps": 1,
        "precision": "fp32" if dry else "bf16",
    }  # fmt: skip
    return load(TrainConfig, [str(ROOT / "conf/train/tiny.yaml")], values)


def compare(prepared: Prepared, config: TrainConfig, machine: Machine, seconds: float, rows: int) -> None:
    """Prints a line per training as it ends."""
    flops = flops_per_token(describe(prepared.model), mean_context(prepared.index.tokens))
    padding = padded_share(prepared, replace(config, max_steps=200), rows)
    heads = ("real tok/s", "TFLOP/s", "MFU", "peak GiB", "padding", "steps")
    print(f"{'':45}  {heads[0]:>11}  {heads[1]:>8}  {heads[2]:>8}  {heads[3]:>8}  {heads[4]:>7}  {heads[5]:>5}")
    losses: list[Sequence[Mark]] = []
    for name, side in sides_of(prepared, config, machine, rows).items():
        found = measure(side, seconds)
        report(name, found, flops, machine.peak_flops, padding if name.startswith(SCRIPT) else 0.0)
        if not isinstance(found, str):
            losses.append(found[0])
    difference = max((differing_losses(losses[0], one) for one in losses[1:]), default=0.0)
    print(f"largest difference in loss: {difference:.4f} ({'PASS' if difference < SAME_LOSS else 'MISS'})")


def main() -> int:
    parser = argparse.ArgumentParser(description="Tokens per second and MFU on a GPU, beside a script that pads.")
    parser.add_argument("--data", help="a file of instructions; none: synthetic ones, as long as evolved ones")
    parser.add_argument("--seconds", type=float, default=60.0, help="per training, after its warm-up")
    parser.add_argument("--batch", type=int, default=64, help="examples per step")
    parser.add_argument("--script-rows", type=int, default=8, help="rows per forward pass of the script")
    parser.add_argument("--dry", action="store_true", help="a tiny student on the CPU")
    options = parser.parse_args()
    quiet()
    machine = find_machine(options.dry)
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        data = options.data
        if not data:
            data = f"{name}/synthetic.json"
            Path(data).write_text(json.dumps(list(synthetic_entries(*(DRY if options.dry else EVOLVED)))))
        config = config_for(f"{name}/run", data, options.batch, options.dry)
        started = time.monotonic()
        prepared = prepare(config, tiny_student if options.dry else large_student)
        student, tokens = describe(prepared.model), prepared.index.tokens
        print(
            f"{machine.name}, {date.today()}, torch {torch.__version__}; {student.parameters / 1e9:.2f} B parameters, "
            f"{config.precision}, flash attention: {installed_flash() or 'torch'}; {len(tokens):,} examples of "
            f"{tokens.mean():.0f} tokens, {int(tokens.max())} at most; batches of {options.batch}; made ready in "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )
        compare(prepared, config, machine, options.seconds, options.script_rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
