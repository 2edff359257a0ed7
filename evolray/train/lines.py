"""What a training says before its first step, a line each: what it trains on, and what it has decided."""

from typing import Any

from evolray.cluster.machine import Machine
from evolray.config import TrainConfig
from evolray.train.settings import Settings
from evolray.train.sizing import GIB
from evolray.train.student import Student


def accounts_line(accounts: dict[str, Any]) -> str:
    rejected = sum(accounts["rejected"].values())
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in accounts["rejected"].items())
    return (
        f"{accounts['entries']:,} entries = {accounts['train']:,} to train on + {accounts['held_out']:,} held out + "
        f"{rejected:,} rejected{f' ({reasons})' if reasons else ''}; {accounts['cut']:,} cut; {accounts['tokens']:,} "
        f"tokens, {accounts['trained_tokens']:,} of them trained; the longest example has {accounts['longest']:,}"
    )


def settings_line(
    config: TrainConfig,
    student: Student,
    machine: Machine,
    settings: Settings,
    accumulation: int,
    steps: int,
) -> str:
    zero = "data parallel" if settings.stage is None else f"ZeRO-{settings.stage}"
    return (
        f"{student.architecture} of {student.parameters / 1e6:,.1f} M parameters, {settings.precision}, "
        f"{settings.attention} attention, {zero}; {steps:,} steps of {config.global_batch} examples = "
        f"{_plural(config.workers.number, 'worker')} ({machine.name}, {machine.memory / GIB:.1f} GiB) x "
        f"{_plural(accumulation, 'pass', 'passes')} of at most {settings.micro_batch_tokens:,} tokens; "
        f"state {settings.state_bytes / GIB:.2f} GiB per worker"
    )


def _plural(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
