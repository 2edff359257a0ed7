"""The same work by what one would otherwise take: evolray, a bare asyncio loop, curator and distilabel.

    python -m venv curator && curator/bin/pip install bespokelabs-curator
    python -m venv distilabel && distilabel/bin/pip install "distilabel[openai]" requests
    python benchmarks/beside_others.py --curator curator/bin/python --distilabel distilabel/bin/python   # 15 minutes

The work: for every seed an evolved instruction and a response to it, by one simulated endpoint, with up to `--limit`
calls in flight. curator and distilabel make two calls for that, as their documentation has it (others/); evolray and
the loop, which makes evolray's calls, three: the third is WizardLM's question whether anything was gained.

    part    the endpoint                                 what happens
    speed   lognormal latency, median 0.5 s, sigma 0.8   nothing
    faults  0.3 s; 5 % of the calls fail: 429, 500,      nothing
            dropped connections, malformed bodies
    kill    0.3 s                                        kill -9 of all processes when 40 % of the calls are answered
                                                         (--kill-at), then the same command again

Times are the endpoint's, but for `wall`. `busy` is the share of the limit's places in use from the first call to the
last: the seconds of all calls by the seconds of all places. Linux only: it reads /proc.
"""

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import ROOT, SAMPLE_SECONDS, SIGMA, evolve_command, process_tree, start, synthetic_seeds
from benchmarks.one_run import follow
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings

FAULTS = {"429": 0.0125, "500": 0.0125, "drop": 0.0125, "malformed": 0.0125}
SLOW = ServerSettings(latency_seconds=0.5, sigma=SIGMA, flaws=0)
STEADY = ServerSettings(latency_seconds=0.3, flaws=0)
FAULTY = ServerSettings(latency_seconds=0.3, flaws=0, faults=FAULTS)
LOOP = "bare loop"


@dataclass(frozen=True)
class Tool:
    """`command` of the endpoint's URL, the seeds and a folder; `good` counts whole records in that folder."""

    name: str
    command: Callable[[str, Path, Path], list[str]]
    good: Callable[[Path], int]


@dataclass(frozen=True)
class Ran:
    """One run. Times in seconds; `code` is None when it did not end by itself."""

    code: int | None
    wall: float
    first_call: float
    span: float
    work: float
    calls: int
    cpu: float
    good: int

    def busy(self, limit: int) -> float:
        return self.work / (limit * self.span) if self.span else 0.0

    @property
    def end(self) -> str:
        return {None: "does not end", 0: ""}.get(self.code, f"exit code {self.code}")


def tools_of(options: argparse.Namespace) -> list[Tool]:
    def other(python: str, script: str) -> Callable[[str, Path, Path], list[str]]:
        return lambda url, seeds, folder: [
            str(Path(python).absolute()), str(ROOT / "benchmarks" / "others" / script), url, str(seeds),
            str(options.limit), str(folder),
        ]  # fmt: skip

    loop = [sys.executable, str(ROOT / "benchmarks" / "bare_loop.py"), "--limit", str(options.limit)]
    tools = [
        Tool(LOOP, lambda url, seeds, _: [*loop, "--base-url", url, "--seeds-file", str(seeds)], lambda _: 0),
        Tool(
            "evolray", lambda url, seeds, folder: evolve_command(url, seeds, folder / "run", options.limit),
            lambda folder: _kept(folder / "run" / "manifest.json"),
        ),
    ]  # fmt: skip
    for name in ("curator", "distilabel"):
        if python := getattr(options, name):
            tools.append(Tool(name, other(python, f"{name}_evol.py"), lambda folder: _lines(folder / "records.jsonl")))
    return tools


def _kept(manifest: Path) -> int:
    """By evolray, in the first generation."""
    accounts = json.loads(manifest.read_text())["accounts"] if manifest.exists() else []
    return sum(one["kept"] for one in accounts if one["generation"] == 1)


def _lines(records: Path) -> int:
    """With both texts."""
    rows = map(json.loads, records.read_text().splitlines()) if records.exists() else ()
    return sum(bool(row["instruction"] and row["output"]) for row in rows)


def run(tool: Tool, url: str, seeds: Path, folder: Path, patience: float, answers: float = math.inf) -> Ran:
    """To the end, or until so many answers are given or `patience` seconds are over, and then kill -9 of all."""
    began = time.monotonic()
    child = start(tool.command(url, seeds, folder), folder / "log", HOME=str(folder))
    pause = SAMPLE_SECONDS if answers == math.inf else 0.05
    cpu = follow(child, lambda: time.monotonic() - began > patience or answered(url) >= answers, pause)
    wall, code = time.monotonic() - began, child.poll()
    kill(child)
    timeline = fetch(url, "timeline")
    first = min((one for one, _, _ in timeline), default=0.0)
    return Ran(
        code=code,
        wall=wall,
        first_call=first,
        span=max((end for _, end, _ in timeline), default=0.0) - first,
        work=sum(end - one for one, end, _ in timeline),
        calls=len(timeline),
        cpu=sum(cpu.values()),
        good=tool.good(folder),
    )


def answered(url: str) -> int:
    return int(fetch(url, "stats")["answered"])


def kill(child: "subprocess.Popen[bytes]") -> None:
    """With all its descendants, as when a machine is taken away."""
    for one in process_tree(child.pid):
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    child.wait()


def speed(tools: Sequence[Tool], seeds: Path, options: argparse.Namespace) -> None:
    rounds: dict[str, list[Ran]] = {one.name: [] for one in tools}
    with running(SLOW) as url:
        for _ in range(options.repeat):
            for tool in tools:
                rounds[tool.name].append(_fresh(tool, url, seeds, options))
    rows = [("", "wall s", "to first call s", "calls", "calls/s", "busy", "of the loop's", "CPU s per 1,000 calls", "")]
    loops = statistics.median(one.busy(options.limit) for one in rounds[LOOP])
    for name, runs in rounds.items():
        busy = statistics.median(one.busy(options.limit) for one in runs)
        rows.append((
            name, _median(one.wall for one in runs), _median(one.first_call for one in runs),
            _median((one.calls for one in runs), 0), _median(one.calls / max(one.span, 1e-9) for one in runs),
            f"{busy:.2f}", f"{busy / loops:.2f}", _median(1000 * one.cpu / max(one.calls, 1) for one in runs),
            ", ".join(filter(None, (one.end for one in runs))),
        ))  # fmt: skip
    print_table(f"speed, {options.seeds:,} seeds, medians of {options.repeat}", rows)


def faults(tools: Sequence[Tool], seeds: Path, options: argparse.Namespace) -> None:
    rows = [("", f"good of {options.few_seeds:,}, by run", "wall s, by run", "")]
    for tool in tools:
        runs = []
        for n in range(options.repeat):
            with running(ServerSettings(**{**vars(FAULTY), "seed": n})) as url:
                runs.append(_fresh(tool, url, seeds, options))
        rows.append((
            tool.name, ", ".join(str(one.good) for one in runs), ", ".join(f"{one.wall:.0f}" for one in runs),
            ", ".join(filter(None, (one.end for one in runs))),
        ))  # fmt: skip
    print_table(f"faults, {options.few_seeds:,} seeds, {options.repeat} runs", rows)


def killed(tools: Sequence[Tool], seeds: Path, options: argparse.Namespace) -> None:
    rows = [("", "calls without a kill", "answered at the kill", "answered in all", "paid again", "good", "")]
    for tool in tools:
        with running(STEADY) as url, tempfile.TemporaryDirectory() as name:
            whole = _fresh(tool, url, seeds, options)
            fetch(url, "reset")
            folder = Path(name)
            before = run(tool, url, seeds, folder, options.patience, options.kill_at * whole.calls)
            again = run(tool, url, seeds, folder, options.patience)
            paid = max(0, again.calls - whole.calls)
            rows.append((
                tool.name, f"{whole.calls:,}", f"{before.calls:,}", f"{again.calls:,}",
                f"{paid:,} ({paid / max(before.calls, 1):.0%})", f"{again.good:,}", again.end,
            ))  # fmt: skip
    print_table(f"kill -9 at {options.kill_at:.0%} and the same command again, {options.few_seeds:,} seeds", rows)


def _fresh(tool: Tool, url: str, seeds: Path, options: argparse.Namespace) -> Ran:
    """A run in a folder of its own. The endpoint's clock starts with the process."""
    with tempfile.TemporaryDirectory() as folder:
        fetch(url, "reset")
        ran = run(tool, url, seeds, Path(folder), options.patience)
        if ran.code and options.logs:
            shutil.copy(Path(folder) / "log", f"{options.logs}/{tool.name}-{time.time_ns()}.log")
    print(f"{tool.name}: {ran.calls:,} calls in {ran.wall:.1f} s {ran.end}", flush=True)
    return ran


def _median(values: Iterable[float], digits: int = 1) -> str:
    return f"{statistics.median(values):,.{digits}f}"


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}")
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="evolray beside a bare loop, curator and distilabel.")
    parser.add_argument("--parts", nargs="+", default=["speed", "faults", "kill"], choices=["speed", "faults", "kill"])
    parser.add_argument("--curator", help="a Python with bespokelabs-curator; without it, curator is left out")
    parser.add_argument("--distilabel", help="a Python with distilabel[openai]; without it, distilabel is left out")
    parser.add_argument("--seeds", type=int, default=2000, help="of the speed")
    parser.add_argument("--few-seeds", type=int, default=500, help="of faults and kills")
    parser.add_argument("--limit", type=int, default=256, help="calls in flight")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of speed and faults")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds until a run is given up")
    parser.add_argument("--kill-at", type=float, default=0.4, help="share of the calls that are answered then")
    parser.add_argument("--logs", help="a folder for what failed runs have said")
    options = parser.parse_args()
    tools = tools_of(options)
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        seeds, few = Path(name) / "seeds.json", Path(name) / "few.json"
        seeds.write_text(json.dumps(list(synthetic_seeds(options.seeds))))
        few.write_text(json.dumps(list(synthetic_seeds(options.few_seeds))))
        print(f"{options.limit} in flight, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        if "speed" in options.parts:
            speed(tools, seeds, options)
        keeping = [one for one in tools if one.name != LOOP]  # a loop writes nothing down
        if "faults" in options.parts:
            faults(keeping, few, options)
        if "kill" in options.parts:
            killed(keeping, few, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
