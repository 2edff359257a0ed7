"""Memory: do the driver and the actor need more of it for 100,000 seeds than for 10,000?

    python benchmarks/memory.py                            # 10,000 and 100,000 seeds over HTTP; about 8 minutes
    python benchmarks/memory.py --large 20000 --small 2000 --form jsonl

evolray runs as a user starts it, for one generation, against a simulated endpoint without latency. What counts is the
kernel's own peak of each process's resident memory (VmHWM), so no peak falls between two looks. The driver is the
process that the user started; the actor is Ray Data's that runs the shards. Linux only: it reads /proc.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import (
    SAMPLE_SECONDS,
    Row,
    check_ended,
    evolve_command,
    print_table,
    process_tree,
    start,
    synthetic_seeds,
)
from evolray.teachers.simulated.server import running
from evolray.teachers.simulated.settings import ServerSettings

MIB = 2**20
PROGRESS_SECONDS = 15.0
DRIVER, ACTOR, COORDINATOR = "driver", "actor", "coordinator"
NAMES = {"MapBatches(Shards)": ACTOR, "CoordinatorActor": COORDINATOR}  # parts of what Ray calls its processes


def peaks_of(number: int, form: str, limit: int, in_process: bool) -> dict[str, int]:
    """Peak resident memory in bytes, by process, of a run over so many seeds."""
    with tempfile.TemporaryDirectory(prefix="evolray-") as name, _teacher(in_process) as base_url:
        folder = Path(name)
        seeds = folder / f"seeds.{form}"
        write_seeds(seeds, number)
        command = evolve_command(base_url, seeds, folder / "run", limit)
        if in_process:
            command.append("teacher.kind=simulated")
        child = start(command, folder / "log")
        started = shown = time.monotonic()
        peaks: dict[str, int] = {}
        try:
            while child.poll() is None:
                for process in process_tree(child.pid):
                    label = DRIVER if process.pid == child.pid else _label(process.name)
                    if label:
                        peaks[label] = max(peaks.get(label, 0), peak_bytes(process.pid))
                if time.monotonic() - shown > PROGRESS_SECONDS:
                    shown = time.monotonic()
                    print(_progress(folder / "run", shown - started, peaks), flush=True)
                time.sleep(SAMPLE_SECONDS)
        finally:
            child.kill()
            child.wait()
        check_ended(child, folder / "log")
        print(f"  done after {time.monotonic() - started:.0f} s", flush=True)
    return peaks


@contextmanager
def _teacher(in_process: bool) -> Iterator[str]:
    """The base URL of a server of its own, unless the teacher is to answer inside the actor."""
    if in_process:
        yield "http://localhost/v1"
        return
    with running(ServerSettings()) as base_url:
        yield base_url


def write_seeds(path: Path, number: int) -> None:
    """One entry at a time, as a JSON array on one line or as JSON lines by the name's end."""
    lines = path.suffix == ".jsonl"
    with path.open("w") as file:
        for n, entry in enumerate(synthetic_seeds(number)):
            file.write(("" if lines else "," if n else "[") + json.dumps(entry) + ("\n" if lines else ""))
        file.write("" if lines else "]")


def peak_bytes(pid: int) -> int:
    """VmHWM of a process; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _label(name: str) -> str | None:
    return next((label for part, label in NAMES.items() if part in name and "Autoscaling" not in name), None)


def _progress(run: Path, seconds: float, peaks: dict[str, int]) -> str:
    """Where the run stands, by its own manifest."""
    shown = ", ".join(f"{label} {peak / MIB:.0f} MiB" for label, peak in sorted(peaks.items()))
    try:
        calls = json.loads((run / "manifest.json").read_text()).get("live", {}).get("calls", 0)
    except (OSError, ValueError):
        calls = 0
    return f"  {seconds:4.0f} s: {calls:,} calls; {shown}"


def rows_of(small: dict[str, int], large: dict[str, int]) -> Sequence[Row]:
    targets = {DRIVER: 1.2, ACTOR: 1.2, COORDINATOR: None}
    return [
        Row(
            f"{label}, MiB",
            f"{large[label] / MIB:.0f}",
            f"{small[label] / MIB:.0f}",
            large[label] / small[label],
            target,
        )
        for label, target in targets.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Peak memory of evolray by the number of seeds.")
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--form", choices=("json", "jsonl"), default="json", help="json is Alpaca's array")
    parser.add_argument(
        "--limit", type=int, default=256, help="calls in flight; the shards that are open follow from it"
    )
    parser.add_argument("--in-process", action="store_true", help="the simulated teacher in the actor, without HTTP")
    options = parser.parse_args()
    peaks = []
    for number in (options.small, options.large):
        print(f"{number:,} seeds ({options.form})", flush=True)
        peaks.append(peaks_of(number, options.form, options.limit, options.in_process))
    columns = (f"{options.large:,}", f"{options.small:,}", "ratio")
    print_table(f"peak resident memory by seeds, {options.form}", rows_of(*peaks), columns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
