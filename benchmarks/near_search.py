"""The search for near-duplicates alone, among as many records as the machine has room for.

    python benchmarks/near_search.py --records 10000000 --memory-mb 512     # 3 minutes, 4 GB of disk

Signatures are drawn at random, as if texts had been there, so that what is measured is the search and not the making of
texts. One record in twenty is nearly a copy of an earlier one: a tenth of its values differ. All units run in this one
process; on Ray each worker is such a process. Peak memory is the kernel's own (VmHWM). Linux only: it reads /proc.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import Row, print_table
from evolray.config import NearDuplicatesConfig
from evolray.pool.layout import Folder, open_folder
from evolray.refine.duplicates.search import find_duplicates
from evolray.refine.duplicates.signatures import HASHES, band_hashes, rows_per_band
from evolray.refine.index import Index
from evolray.refine.steps.step import ShardStep
from evolray.refine.tables import BANDS, SIGNATURES, write_array

SHARD_SIZE = 10_000
EVERY = 20  # one record in so many is nearly a copy
CHANGED = 0.1  # of its values
ORIGINALS = 50_000  # that may be copied
MIB = 2**20


def draw(folder: Folder, records: int, config: NearDuplicatesConfig) -> tuple[Index, int]:
    """The files of so many records, what is known of them, and how many are copies."""
    random, rows = np.random.default_rng(0), rows_per_band(config.threshold, config.permutations)
    originals = np.empty((0, config.permutations), np.uint32)
    shards, copies = records // SHARD_SIZE, 0
    for shard in range(shards):
        values = random.integers(2**32, size=(SHARD_SIZE, config.permutations), dtype=np.uint32)
        if len(originals) == ORIGINALS:
            near = values[::EVERY].copy()
            values[::EVERY] = originals[random.integers(ORIGINALS, size=len(near))]
            values[::EVERY][random.random(near.shape) < CHANGED] = 0
            values[::EVERY] = np.where(values[::EVERY] == 0, near, values[::EVERY])
            copies += len(near)
        else:
            originals = np.concatenate([originals, values])[:ORIGINALS]
        write_array(folder, SIGNATURES, shard, (values & 255).astype(np.uint8))
        write_array(folder, BANDS, shard, band_hashes(values, rows))
        write_array(folder, HASHES, shard, random.integers(1, 2**63, size=(SHARD_SIZE, 2), dtype=np.uint64))
    number = shards * SHARD_SIZE
    index = Index(
        tuple(range(shards)),
        np.arange(0, number + 1, SHARD_SIZE),
        np.arange(number, dtype=np.uint64),
        np.zeros(number, np.int16),
        np.zeros(number, np.int16),
        ("random",),
    )
    return index, copies


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and memory of the search for near-duplicates.")
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--memory-mb", type=int, default=512)
    options = parser.parse_args()
    config = NearDuplicatesConfig()
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        folder = open_folder(name)
        index, copies = draw(folder, options.records, config)
        before, begun, units = peak_bytes(), time.monotonic(), 0

        def run_units(step: ShardStep, numbers: Iterable[int]) -> None:
            nonlocal units
            for unit in numbers:
                step.run(folder, unit)
                units += 1
            print(f"{time.monotonic() - begun:6.0f} s: {units} units, {peak_bytes() / MIB:.0f} MiB", flush=True)

        found = find_duplicates(folder, index, config, options.memory_mb, run_units)
    seconds, dropped, peak = time.monotonic() - begun, int((found.kept >= 0).sum()), peak_bytes()
    rows = [
        Row("dropped", f"{dropped:,}", f"{copies:,} copies", dropped / max(copies, 1)),
        Row("seconds", f"{seconds:.0f}", f"{units} units", seconds),
        Row("peak memory, MiB", f"{peak / MIB:.0f}", f"{before / MIB:.0f} before", peak / MIB),
        Row("bytes per record", f"{peak / len(index):.0f}", "", peak / len(index)),
    ]
    print_table(f"{len(index):,} records, memory_mb={options.memory_mb}", rows, ("search", "", "value"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
