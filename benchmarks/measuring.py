"""What the benchmarks share: seeds, evolray started as a user starts it, the processes of a run, and tables.

Imported by the scripts beside it, not run. Linux only: it reads /proc.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from evolray.teachers.simulated import MODEL

ROOT = Path(__file__).parents[1]
SIGMA = 0.8  # of the lognormal latencies
SAMPLE_SECONDS = 0.5  # between two looks at the processes
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

_WHO = "a beginner|an engineer|a nurse|a teacher|a farmer|a child|a pilot|a librarian|a cook|a gardener".split("|")
_DO = "explain|compare|summarise|plan|repair|measure|describe|classify|design|improve".split("|")
_WHAT = "bridges|budgets|harvests|engines|recipes|maps|schedules|sorting methods|storms|contracts".split("|")


def synthetic_seeds(number: int) -> Iterator[dict[str, str]]:
    """Distinct entries of Alpaca's form with responses; instructions of 10 to 30 words, always the same ones."""
    for n in range(number):
        random = Random(n)
        who, do, what, other = (random.choice(words) for words in (_WHO, _DO, _WHAT, _WHAT))
        instruction = f"Help {who} {do} {what} of type {n} and say what {other} have to do with it."
        given = " ".join(f"Note {k}: {random.choice(_WHAT)}." for k in range(random.randrange(6)))
        response = f"To {do} {what} of type {n}, begin with the {other}. " + "Then look at each part in turn. " * 4
        yield {"instruction": instruction, "input": given, "output": response}


def evolve_command(base_url: str, seeds: Path, run: Path, max_in_flight: int | str, actors: int = 1) -> list[str]:
    """evolray as a user types it."""
    settings = {
        "seeds.path": seeds,
        "run": run,
        "domain": "open",
        "generations": 1,
        "teacher.base_url": base_url,
        "teacher.model": MODEL,
        "teacher.max_in_flight": max_in_flight,
        "engine.actors": actors,
    }
    return [sys.executable, "-m", "evolray.cli", "evolve", *(f"{key}={value}" for key, value in settings.items())]


def start(command: Sequence[str], log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    """Start a command on this checkout, with a Ray of its own, its output in `log`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    whole = os.environ | {"PYTHONPATH": path, "RAY_ADDRESS": "local"} | environment
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=ROOT, env=whole, stdout=output, stderr=subprocess.STDOUT)


def check_ended(child: "subprocess.Popen[bytes]", log: Path, codes: tuple[int, ...] = (0,)) -> None:
    """RuntimeError with the end of the log when a command ended in another way than it should."""
    if child.returncode not in codes:
        raise RuntimeError(f"exit code {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}")


class Process(NamedTuple):
    pid: int
    parent: int
    cpu_seconds: float
    started: int

    @property
    def name(self) -> str:
        """Short, for people: Ray's own names, or the script or module that was started; "" when it has ended."""
        try:
            words = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").replace("\0", " ").split()
        except OSError:
            return ""
        scripts = (word for word in words[1:] if word.startswith("evolray.") or word.endswith(".py"))
        named = words[:1] if words and words[0].startswith("ray") else [next(scripts, words[0] if words else "")]
        return Path(named[0]).name


def process_tree(root: int) -> list[Process]:
    """The process and all its descendants that live now, from /proc."""
    found: dict[int, Process] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        cpu_seconds = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
        found[int(name)] = Process(int(name), int(fields[1]), cpu_seconds, int(fields[19]))
    return [process for process in found.values() if _descends(process, root, found)]


def _descends(process: Process, root: int, found: dict[int, Process]) -> bool:
    seen: Process | None = process
    while seen is not None and seen.pid != root:
        seen = found.get(seen.parent)
    return seen is not None


class Row(NamedTuple):
    """One line of a table. A `value` without a target is for information."""

    what: str
    evolray: str
    beside: str
    value: float
    target: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "PASS" if (self.value >= self.target if self.at_least else self.value <= self.target) else "MISS"


def print_table(title: str, rows: Sequence[Row], columns: tuple[str, str, str] = ("evolray", "loop", "ratio")) -> None:
    cells = [("", *columns, "target", "")]
    for row in rows:
        target = "" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:g}"
        cells.append((row.what, row.evolray, row.beside, f"{row.value:.3f}", target, row.verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    print(f"\n{title}")
    for line in cells:
        aligned = [line[0].ljust(widths[0])]
        aligned += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(aligned).rstrip(), flush=True)
