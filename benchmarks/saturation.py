"""Saturation: does evolray keep the teacher as busy as a bare asyncio loop that makes the same calls?

    python benchmarks/saturation.py                        # 5,000 seeds, 256 in flight; about 8 minutes
    python benchmarks/saturation.py --seeds 300 --limit 64 --parts AB

    part  what runs                                                     latency of a call
    A     the loop: one process, openai's client, a worker per slot     lognormal, median 1 s, sigma 0.8
    B     evolray as a user starts it, one actor                        the same
    C     the loop, the loop without the client's models, evolray       none
    D     evolray, one actor and two                                    as A

Both sides make the same calls in the same chains (evolve, rules, judge, respond) to one simulated endpoint in a process
of its own, which draws the latency from the prompt: what takes long in one run takes long in all. Times are the
server's, CPU is that of the whole process tree (Ray's processes included), processes that end count up to half a second
too little. A loop writes nothing down; evolray writes its ledger and pool. Linux only: it reads /proc.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import ROOT, SIGMA, Row, evolve_command, print_table, synthetic_seeds
from benchmarks.one_run import FULL, Measured, measure
from evolray.records import Seed
from evolray.teachers.simulated.server import running
from evolray.teachers.simulated.settings import ServerSettings

MEDIAN_SECONDS = 1.0

LOOP, RAW, EVOLRAY, TWO = "loop", "raw loop", "evolray", "evolray, two actors"
NOW = " at no latency"
RUNS = {
    "A": (LOOP,),
    "B": (LOOP, EVOLRAY),
    "C": (LOOP + NOW, RAW + NOW, EVOLRAY + NOW),
    "D": (EVOLRAY, TWO),
}


def run_round(options: argparse.Namespace, folder: Path, seeds: Path) -> dict[str, Measured]:
    """Every run that the parts need, one after the other."""
    names = list(dict.fromkeys(name for part in options.parts for name in RUNS[part]))
    runs: dict[str, Measured] = {}
    slow = ServerSettings(latency_seconds=options.latency, sigma=SIGMA)
    for settings, group in (
        (slow, [name for name in names if not name.endswith(NOW)]),
        (ServerSettings(), [name for name in names if name.endswith(NOW)]),
    ):
        if not group:
            continue
        with running(settings) as base_url:
            for name in group:
                print(f"{name} ...", end=" ", flush=True)
                with tempfile.TemporaryDirectory(dir=folder) as run:
                    command = _command(name.removesuffix(NOW), base_url, seeds, Path(run), options.limit)
                    runs[name] = measure(command, base_url, options.limit, folder / "log")
                one = runs[name]
                print(f"{one.calls:,} calls in {one.span:.1f} s, {one.rate:.0f}/s, CPU {one.cpu:.1f} s", flush=True)
                if options.processes:
                    for process, seconds in sorted(one.processes.items(), key=lambda item: -item[1]):
                        print(f"    {seconds:7.2f} s CPU  {process}", flush=True)
    return runs


def _command(name: str, base_url: str, seeds: Path, run: Path, limit: int) -> list[str]:
    if name in (LOOP, RAW):
        script = [sys.executable, str(ROOT / "benchmarks" / "bare_loop.py"), "--base-url", base_url]
        return [*script, "--seeds-file", str(seeds), "--limit", str(limit), *(["--raw"] if name == RAW else [])]
    return evolve_command(base_url, seeds, run / "run", limit, actors=2 if name == TWO else 1)


def rows_of(runs: dict[str, Measured], limit: int) -> list[Row]:
    """The table's lines for which there are runs."""
    rows = []
    loop, one, two = (runs.get(name) for name in (LOOP, EVOLRAY, TWO))
    if loop:
        ideal = loop.work / limit
        rows.append(Row("loop: span by work / limit, s", f"{loop.span:.2f}", f"{ideal:.2f}", loop.span / ideal))
    if loop and one:
        allowed = 1.3 * loop.cpu + 3.0
        rows += [
            Row("same calls asked (1 = yes)", f"{one.calls:,}", f"{loop.calls:,}", one.asked == loop.asked, 1, True),
            Row("span, first to last call, s", f"{one.span:.2f}", f"{loop.span:.2f}", one.span / loop.span, 1.03),
            Row(f"share of time {FULL:.0%} full", f"{one.full:.4f}", f"{loop.full:.4f}", one.full, 0.99, True),
            Row("peak in flight by limit", str(one.peak), str(loop.peak), one.peak / limit, 1.0),
            Row("start to first call, s", f"{one.first_call:.2f}", f"{loop.first_call:.2f}", one.first_call, 8.0),
            Row("CPU s by 1.3 x loop + 3 s", f"{one.cpu:.2f}", f"{loop.cpu:.2f}", one.cpu / allowed, 1.0),
            Row("CPU s per 1,000 calls", f"{one.cpu_per_1000:.2f}", f"{loop.cpu_per_1000:.2f}", one.cpu / loop.cpu),
        ]
    if one and two:
        rows += [
            Row("two actors: span by one's, s", f"{two.span:.2f}", f"{one.span:.2f}", two.span / one.span, 1.1),
            Row("two actors: peak by limit", str(two.peak), str(one.peak), two.peak / limit, 1.0),
        ]
    if EVOLRAY + NOW in runs:
        rows += _rows_at_no_latency(runs[EVOLRAY + NOW], runs[LOOP + NOW], runs[RAW + NOW])
    return rows


def _rows_at_no_latency(one: Measured, loop: Measured, raw: Measured) -> list[Row]:
    return [
        Row("no latency: calls/s", f"{one.rate:.0f}", f"{loop.rate:.0f}", one.rate / loop.rate, 0.95, True),
        Row("  beside the raw loop", f"{one.rate:.0f}", f"{raw.rate:.0f}", one.rate / raw.rate),
        Row("  CPU s per 1,000 calls", f"{one.cpu_per_1000:.2f}", f"{loop.cpu_per_1000:.2f}", one.cpu / loop.cpu),
        Row("  beside the raw loop", f"{one.cpu_per_1000:.2f}", f"{raw.cpu_per_1000:.2f}", one.cpu / raw.cpu),
    ]


def write_seeds(options: argparse.Namespace, path: Path) -> int:
    """The seeds in Alpaca's form. Of a given file: distinct ones with a response and no conversation before them."""
    if not options.seeds_file:
        path.write_text(json.dumps(list(synthetic_seeds(options.seeds))))
        return int(options.seeds)
    from evolray.pool.seeds import read_seeds

    roots: dict[str, Seed] = {}
    for seed in read_seeds(options.seeds_file):
        if isinstance(seed, Seed) and seed.response.strip() and not seed.context and len(roots) < options.seeds:
            roots.setdefault(seed.root_id, seed)
    entries = [{"instruction": one.instruction, "input": one.input, "output": one.response} for one in roots.values()]
    path.write_text(json.dumps(entries))
    return len(entries)


def main() -> int:
    parser = argparse.ArgumentParser(description="evolray beside a bare asyncio loop.")
    parser.add_argument("--parts", default="ABCD", help="which runs; see the top of the file")
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--seeds-file", help="take them from a file instead of making them up")
    parser.add_argument("--limit", type=int, default=256, help="calls in flight")
    parser.add_argument("--latency", type=float, default=MEDIAN_SECONDS, help="median, in seconds, of parts A, B and D")
    parser.add_argument("--repeat", type=int, default=1, help="rounds; the last table then holds the medians")
    parser.add_argument("--processes", action="store_true", help="also print which processes the CPU time went to")
    options = parser.parse_args()
    if not options.parts or set(options.parts) - set(RUNS):
        parser.error(f"--parts {options.parts}: expected some of {''.join(RUNS)}")
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        folder = Path(name)
        number = write_seeds(options, folder / "seeds.json")
        print(f"{number:,} seeds, {options.limit} in flight, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        rounds = []
        for n in range(options.repeat):
            rounds.append(rows_of(run_round(options, folder, folder / "seeds.json"), options.limit))
            print_table(f"round {n + 1} of {options.repeat}", rounds[-1])
    if len(rounds) > 1:
        medians = [_median(rows) for rows in zip(*rounds, strict=True)]
        print_table("medians of the ratios (the other columns: last round)", medians)
    return 0


def _median(rows: tuple[Row, ...]) -> Row:
    return rows[-1]._replace(value=statistics.median(row.value for row in rows))


if __name__ == "__main__":
    sys.exit(main())
