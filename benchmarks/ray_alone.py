"""What Ray costs before evolray does anything: the smallest pipeline of the same shape, which only waits.

    python benchmarks/ray_alone.py [--seconds 90]

One Ray Data actor, one call to it that sleeps. Prints the seconds from the start of the process to that call and the
CPU seconds of all processes: the part of evolray's own start and CPU that is Ray's on this machine. Linux only.
"""

import argparse
import logging
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measuring import CLOCK_TICKS, process_tree

BOOTED = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class Sleeper:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, batch: dict[str, object]) -> dict[str, object]:
        import numpy as np

        started = time.time()
        time.sleep(self._seconds)
        return {"started": np.array([started])}


def main() -> int:
    parser = argparse.ArgumentParser(description="Ray's own start and CPU.")
    parser.add_argument("--seconds", type=float, default=90.0, help="how long the actor sleeps")
    options = parser.parse_args()
    import ray
    import ray.data

    ray.init(address="local", log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    pool = ray.data.ActorPoolStrategy(size=1)
    dataset = ray.data.from_items([{"shard": 0}]).map_batches(
        Sleeper, fn_constructor_args=(options.seconds,), batch_size=None, num_cpus=0, compute=pool
    )
    rows = dataset.take_all()
    process = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    first_call = rows[0]["started"] - BOOTED - int(process[19]) / CLOCK_TICKS
    cpu = sum(one.cpu_seconds for one in process_tree(os.getpid()))
    print(f"start to first call: {first_call:.1f} s")
    print(f"CPU of all processes, with {options.seconds:g} s of doing nothing: {cpu:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
