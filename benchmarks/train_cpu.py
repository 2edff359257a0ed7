"""Training on CPU: how much faster is evolray than a script that pads to the longest of a batch?

    python benchmarks/train_cpu.py --data alpaca_data.json       # the tiny student, batches of 8 and 64; 5 minutes
    python benchmarks/train_cpu.py --batches 8 --steps 30        # on synthetic examples of Alpaca's lengths

The script is padded_script.py. Every training is of the same student (conf/train/tiny.yaml's) on the same examples at
every step. All go in turns, a few steps each, in threads of one process, and a line's ratio is the median over the
turns: what else the machine does hits all alike. Real tokens count, padding does not.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not
os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or DeepSpeed warns of it

import psutil
import torch

from benchmarks.measuring import ROOT, Row, print_table
from benchmarks.training import (
    Clock,
    Mark,
    Prepared,
    differing_losses,
    in_turns,
    padded_share,
    prepare,
    recipe_of,
    speed,
    synthetic_entries,
    times_as_fast,
    tiny_student,
    train_evolray,
    train_script,
)
from evolray.cluster.machine import Machine
from evolray.config import TrainConfig, load
from evolray.quiet import quiet
from evolray.train.student import describe

TARGETS = {8: 1.5, 64: 2.5}
SAME_LOSS = 1e-4
SCRIPT, TRAINER, EVOLRAY = "script", "script, with transformers' Trainer", "evolray"
ALPACA = (20_000, 32.0, 1.3)  # entries, median and sigma of the responses' words


def measure(prepared: Prepared, config: TrainConfig, skipped: int, only: Sequence[str]) -> None:
    """Prints the table of one batch size, of all sides or `only` some."""
    threads = torch.get_num_threads()
    sides = {name: side for name, side in _sides(prepared, config).items() if not only or name in only}
    taken = in_turns([partial(_with_threads, threads, side) for side in sides.values()])
    marks = dict(zip(sides, taken, strict=True))
    script = marks.pop(SCRIPT)
    rows = [_row(name, ours, script, skipped, TARGETS.get(config.global_batch)) for name, ours in marks.items()]
    difference = max(differing_losses(ours, script) for ours in marks.values())
    rows.append(Row("largest difference in loss", f"{difference:.0e}", "", difference, SAME_LOSS))
    padding = padded_share(prepared, config)
    rows.append(Row("padding, share of tokens", "0.0 %", f"{padding:.1%}", padding))
    title = f"batches of {config.global_batch}, {config.max_steps} steps, real tokens/s"
    print_table(title, rows, columns=("evolray", "script", "ratio"))


def _sides(prepared: Prepared, config: TrainConfig) -> dict[str, Callable[[Clock], None]]:
    machine = Machine("cpu", "CPU", psutil.virtual_memory().available)
    recipe = recipe_of(config, machine)
    ours = partial(train_evolray, prepared)
    return {
        SCRIPT: partial(train_script, prepared, config, recipe),
        TRAINER: partial(train_script, prepared, config, recipe, with_trainer=True),
        EVOLRAY: partial(ours, config, machine),
        "evolray, one pass per step": partial(ours, config, machine, one_pass=True),
        "evolray, attention=sdpa": partial(ours, replace(config, attention="sdpa"), machine),
        "evolray, packing=false": partial(ours, replace(config, packing=False), machine),
    }


def _with_threads(threads: int, side: Callable[[Clock], None], clock: Clock) -> None:
    torch.set_num_threads(threads)  # a thread's own
    side(clock)


def _row(name: str, ours: Sequence[Mark], script: Sequence[Mark], skipped: int, target: float | None) -> Row:
    ratio = times_as_fast(ours, script, skipped)
    target = target if name == EVOLRAY else None
    return Row(name, f"{speed(ours, skipped):,.0f}", f"{speed(script, skipped):,.0f}", ratio, target, at_least=True)


def synthetic(path: Path) -> str:
    path.write_text(json.dumps(list(synthetic_entries(*ALPACA))))
    return str(path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Real tokens per second on CPU, beside a script that pads.")
    parser.add_argument("--data", help="a file of instructions; none: synthetic ones of Alpaca's lengths")
    parser.add_argument("--batches", type=int, nargs="+", default=list(TARGETS), help="examples per step")
    parser.add_argument("--steps", type=int, help="per training; 60, or 20 where batches are of 32 and more")
    parser.add_argument("--turn", type=int, help="steps per turn; 3, or 1 where batches are of 32 and more")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch, for all sides")
    parser.add_argument("--only", action="store_true", help="only the line that has a target")
    options = parser.parse_args()
    quiet()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        data = options.data or synthetic(Path(name) / "synthetic.json")
        recipe = [str(ROOT / "conf/train/tiny.yaml"), f"data={data}", f"run={name}/run"]
        fixed = {"held_out": 0, "epochs": 1000}
        prepared = prepare(load(TrainConfig, recipe, fixed), tiny_student)
        student, tokens = describe(prepared.model), prepared.index.tokens
        print(
            f"{student.parameters / 1e6:.2f} M parameters (conf/train/tiny.yaml), fp32, {options.threads} threads; "
            f"{len(tokens):,} examples of {tokens.mean():.0f} tokens, {int(tokens.max())} at most",
            flush=True,
        )
        for batch in options.batches:
            steps, turn = (60, 3) if batch < 32 else (20, 1)
            steps, turn = options.steps or steps, options.turn or turn
            config = replace(prepared.config, global_batch=batch, max_steps=steps, log_steps=turn)
            measure(prepared, config, turn, [SCRIPT, EVOLRAY] if options.only else [])
    return 0


if __name__ == "__main__":
    sys.exit(main())
