"""Training on CPU: how much faster is evolray than a script that pads to the longest of a batch?

    python benchmarks/train_cpu.py --data alpaca_data.json       # the tiny student, batches of 8 and 64; 5 minutes
    python benchmarks/train_cpu.py --batches 8 --steps 30        # on synthetic examples of Alpaca's lengths

What is compared is padded_script.py. Every training is of the same student (conf/train/tiny.yaml's) on the same examples
at every step. All go in turns, a few steps each, in threads of one process, and a line's ratio is the median over the
turns: what else the machine does hits all alike. Real tokens count, padding does not.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

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
from evolray.config import TrainConfig, load
from evolray.train.sizing import Machine
from evolray.train.student import describe

TARGETS = {8: 1.5, 64: 2.5}
SAME_LOSS = 1e-4
SCRIPT, TRAINER, EVOLRAY = "script", "script with transformers' Trainer", "evolray"
ALPACA = (20_000, 32.0, 1.3)  # entries, median and sigma of the responses' words


def measure(prepared: Prepared, config: TrainConfig, skipped: int, names: Sequence[str]) -> None:
    """Prints the table of one batch size."""
    machine = Machine("cpu", "CPU", psutil.virtual_memory().available)
    sides = {name: side for name, side in _sides(prepared, config, machine).items() if name in (SCRIPT, EVOLRAY, *names)}
    marks = dict(zip(sides, in_turns([partial(_with_threads, torch.get_num_threads(), one) for one in sides.values()])))
    script = marks.pop(SCRIPT)
    rows = [_row(name, ours, script, skipped, TARGETS.get(config.global_batch)) for name, ours in marks.items()]
    difference = max(differing_losses(ours, script) for ours in marks.values())
    rows.append(Row("largest difference in loss", "", "", difference, SAME_LOSS))
    padding = padded_share(prepared, config)
    rows.append(Row("padding, share of tokens", "0.0 %", f"{padding:.1%}", padding))
    title = f"batches of {config.global_batch}, {config.max_steps} steps, real tokens/s"
    print_table(title, rows, columns=(EVOLRAY, SCRIPT, "ratio"))


def _sides(
    prepared: Prepared, config: TrainConfig, machine: Machine
) -> dict[str, Callable[[Clock], None]]:
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
