"""Refining: how long do a million records take, and how much memory?

    python benchmarks/refining.py                           # 1,000,000 records, 10 minutes on two cores
    python benchmarks/refining.py --records 100000 --memory-mb 256

A pool of synthetic lineages with planted copies, near-copies and benchmark items goes through all steps as a user
starts them. Counts of what was planted stand beside what was found. Memory is the kernel's own peak of each process
(VmHWM), and the peak of all processes' proportional share (Pss) together, which counts shared pages once: a third to
half of it is Ray itself. Linux only: it reads /proc.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import SAMPLE_SECONDS, Row, check_ended, print_table, process_tree, start
from evolray.pool.accounts import Accounts
from evolray.pool.layout import open_folder
from evolray.pool.shards import write_shard
from evolray.records import Record, Seed, record_id

MIB = 2**20
VOCABULARY = 30_000
GENERATIONS = 3  # beside the seeds
ROOTS_PER_SHARD = 256
ITEMS = 500  # of the planted benchmark
EVERY_COPY, EVERY_NEAR, EVERY_LEAK = 20, 21, 2_000  # one root in so many is a copy of an earlier one, and so on
LABELS = {"ray::_run": "worker", "ray::IDLE": "worker", "ray::MapWorker": "actor that asks the judge"}


class Texts:
    """Words by Zipf's law, so that common ones are shared by most texts and rare ones by few."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
        self._words = ["".join(self._random.choice(syllables, size=2 + n % 3)) + str(n % 7) for n in range(VOCABULARY)]
        weights = 1 / np.arange(1, VOCABULARY + 1)
        self._sums = np.cumsum(weights / weights.sum())

    def text(self, fewest: int, most: int) -> str:
        number = int(self._random.integers(fewest, most))
        drawn = np.searchsorted(self._sums, self._random.random(number))
        return " ".join(self._words[min(n, VOCABULARY - 1)] for n in drawn) + "."

    def edited(self, text: str, edits: int) -> str:
        """With so many words replaced by others."""
        words = text.split()
        for at in self._random.choice(len(words), size=min(edits, len(words)), replace=False):
            words[at] = self._words[int(self._random.integers(VOCABULARY))]
        return " ".join(words)


def benchmark_items() -> list[dict[str, str]]:
    texts = Texts(1)
    return [{"id": f"item-{n}", "question": texts.text(25, 60), "answer": texts.text(5, 40)} for n in range(ITEMS)]


def lineages(roots: int, planted: dict[str, int]) -> Iterator[list[Record]]:
    """Each root with its generations; what is planted is counted by the reason that it should be dropped for."""
    texts, items = Texts(2), benchmark_items()
    earlier: list[str] = []
    for n in range(roots):
        instruction = f"{texts.text(20, 60)} Number {n}."
        if n % EVERY_COPY == 7 and earlier:
            instruction = earlier[n % len(earlier)].upper()
            planted["exact_duplicate"] += 1
        elif n % EVERY_NEAR == 8 and earlier:
            instruction = texts.edited(earlier[n % len(earlier)], 2)
            planted["near_duplicate"] += 1
        elif n % EVERY_LEAK == 9:
            instruction = f"{texts.text(3, 9)} {items[n // EVERY_LEAK % ITEMS]['question']}"
            planted["leak"] += 1
        elif len(earlier) < 50_000:
            earlier.append(instruction)
        # Its root's name says nothing of its text, so that a copy is not taken for the same root.
        root, lineage = Seed(f"{n} {instruction}").root_id, list[Record]()
        for generation in range(GENERATIONS + 1):
            parent = record_id(root, generation - 1) if generation else None
            operator = "deepen" if generation else "seed"
            response = texts.text(80, 200)
            lineage.append(
                Record(root, generation, parent, "open", operator, "", instruction, response, teacher="none")
            )
            instruction = f"{instruction} {texts.text(10, 21)}"
        yield lineage


def make_pool(folder: Path, records: int) -> tuple[dict[str, int], int]:
    """A run directory as `evolray evolve` leaves it. What was planted, and the number of records."""
    planted: dict[str, int] = defaultdict(int)
    roots, shard, written = records // (GENERATIONS + 1), list[Record](), 0
    target, numbers = open_folder(str(folder)), iter(range(10**9))
    target.write("run.yaml", b"config: {}\nidentity: {}\n")
    manifest = {"run": str(folder), "status": "complete", "generations": GENERATIONS}
    target.write("manifest.json", json.dumps(manifest).encode())
    for n, lineage in enumerate(lineages(roots, planted), start=1):
        shard += lineage
        if n % ROOTS_PER_SHARD == 0 or n == roots:
            accounts = Accounts()
            for generation in range(GENERATIONS + 1):
                accounts.incoming[generation] = len(shard) // (GENERATIONS + 1)
            for record in shard:
                accounts.count(record)
            write_shard(target, next(numbers), shard, accounts, GENERATIONS)
            written, shard = written + len(shard), []
    return dict(planted), written


class Peaks:
    """What the processes of a run have used at most, in bytes."""

    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}
        self.together = 0

    def look(self, root: int) -> None:
        together = 0
        for process in process_tree(root):
            label = "driver" if process.pid == root else LABELS.get(process.name.partition("(")[0], "")
            if label:
                self.by_name[label] = max(self.by_name.get(label, 0), _field(process.pid, "status", "VmHWM:"))
            together += _field(process.pid, "smaps_rollup", "Pss:")
        self.together = max(self.together, together)


def _field(pid: int, file: str, name: str) -> int:
    """Bytes; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and memory of refining.")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--memory-mb", type=int, default=1024, help="memory_mb of the run")
    parser.add_argument("--judged", type=int, default=10_000, help="records that the simulated judge is asked about")
    parser.add_argument("--folder", type=Path, help="keep the pool there, and use one that is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        folder = options.folder or Path(name)
        facts = folder / "planted.json"
        if not facts.exists():
            begun = time.monotonic()
            planted, records = make_pool(folder / "pool", options.records)
            facts.write_text(json.dumps([planted, records]))
            print(f"made {records:,} records in {time.monotonic() - begun:.0f} s", flush=True)
        planted, records = json.loads(facts.read_text())
        items = folder / "items.jsonl"
        items.write_text("".join(json.dumps(item) + "\n" for item in benchmark_items()))
        seconds, peaks = run(folder, items, options.memory_mb, options.judged)
        manifest = json.loads((folder / "mix" / "manifest.json").read_text())
    print_table("planted and found", counts(planted, manifest), ("found", "planted", "ratio"))
    print_table(
        f"{records:,} records, memory_mb={options.memory_mb}", times(manifest, seconds, records), ("s", "", "s")
    )
    rows = [Row(name, f"{peak / MIB:.0f}", "", peak / MIB) for name, peak in sorted(peaks.by_name.items())]
    rows.append(Row("all together (Pss)", f"{peaks.together / MIB:.0f}", "", peaks.together / MIB))
    print_table("peak memory, MiB", rows, ("MiB", "", "MiB"))
    return 0


def run(folder: Path, items: Path, memory_mb: int, judged: int) -> tuple[float, Peaks]:
    shutil.rmtree(folder / "mix", ignore_errors=True)
    settings = {
        "data": folder / "pool",
        "run": folder / "mix",
        "contamination.benchmarks.items": items,
        "judging.difficulty": "true",
        "judging.skills": "true",
        "judging.sample": judged,
        "judge.kind": "simulated",
        "select.records": 70_000,
        "select.balance": "generation",
        "select.order": "diverse",
        "memory_mb": memory_mb,
        "engine.log_seconds": 10,
    }
    command = [sys.executable, "-m", "evolray.cli", "refine", *(f"{key}={value}" for key, value in settings.items())]
    log, peaks, begun = folder / "log", Peaks(), time.monotonic()
    log.unlink(missing_ok=True)
    child = start(command, log)
    try:
        while child.poll() is None:
            peaks.look(child.pid)
            time.sleep(SAMPLE_SECONDS)
    finally:
        child.kill()
        child.wait()
    check_ended(child, log)
    return time.monotonic() - begun, peaks


def counts(planted: dict[str, int], manifest: dict[str, object]) -> list[Row]:
    """A copy brings its whole lineage along: near-duplicates are more than were planted."""
    found = manifest["dropped"]
    assert isinstance(found, dict)
    return [
        Row(reason, f"{found.get(reason, 0):,}", f"{number:,}", found.get(reason, 0) / max(number, 1))
        for reason, number in sorted(planted.items())
    ]


def times(manifest: dict[str, object], seconds: float, records: int) -> list[Row]:
    steps = manifest["steps"]
    assert isinstance(steps, list)
    rows = [Row(step["name"], f"{step['seconds']:.1f}", "", step["seconds"]) for step in steps]
    rate = f"{records / seconds:,.0f} records/s"
    return [*rows, Row("in all, Ray's start included", f"{seconds:.1f}", rate, seconds)]


if __name__ == "__main__":
    sys.exit(main())
