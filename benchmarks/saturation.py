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
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from evolray.method.domains import DOMAINS
from evolray.method.elimination import Evolved, parse_verdict, reject_instruction
from evolray.method.evolution import VERDICT_ATTEMPTS
from evolray.method.operators import render
from evolray.method.teacher import Completion
from evolray.records import Seed
from evolray.teachers.endpoint import Endpoint, open_client, read_completion
from evolray.teachers.simulated import MODEL
from evolray.teachers.simulated_server import fetch, running
from evolray.teachers.simulated_settings import ServerSettings

ROOT = Path(__file__).parents[1]
MEDIAN_SECONDS, SIGMA = 1.0, 0.8
FULL = 0.95  # of the limit counts as full
SAMPLE_SECONDS = 0.5
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

LOOP, RAW, EVOLRAY, TWO = "loop", "raw loop", "evolray", "evolray, two actors"
NOW = " at no latency"
RUNS = {
    "A": (LOOP,),
    "B": (LOOP, EVOLRAY),
    "C": (LOOP + NOW, RAW + NOW, EVOLRAY + NOW),
    "D": (EVOLRAY, TWO),
}

_WHO = "a beginner|an engineer|a nurse|a teacher|a farmer|a child|a pilot|a librarian|a cook|a gardener".split("|")
_DO = "explain|compare|summarise|plan|repair|measure|describe|classify|design|improve".split("|")
_WHAT = "bridges|budgets|harvests|engines|recipes|maps|schedules|sorting methods|storms|contracts".split("|")


# ---- what all benchmarks share ----


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


def start(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a command on this checkout, with a Ray of its own, its output in `log`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "RAY_ADDRESS": "local"}
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)


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


# ---- one run, seen from outside ----


@dataclass(frozen=True)
class Measured:
    """What the server and the kernel saw of one run. Times in seconds."""

    calls: int
    asked: tuple[int, ...]
    """Requests, distinct prompts and tokens: equal for runs that asked the same."""
    first_call: float
    """After the process was started."""
    span: float
    """From the first call to the end of the last."""
    work: float
    """All calls' seconds at the server."""
    full: float
    """Share of the time until the last root starts with at least `FULL` of the limit in flight."""
    peak: int
    cpu: float
    processes: dict[str, float]
    """CPU seconds by name of process."""

    @property
    def rate(self) -> float:
        return self.calls / self.span

    @property
    def cpu_per_1000(self) -> float:
        return 1000 * self.cpu / self.calls


def measure(command: Sequence[str], base_url: str, limit: int, log: Path) -> Measured:
    """Run a command to its end. The server's clock starts with the process."""
    fetch(base_url, "reset")
    child = start(command, log)
    cpu: dict[tuple[int, int], tuple[str, float]] = {}
    try:
        while child.poll() is None:
            cpu |= {(one.pid, one.started): (one.name, one.cpu_seconds) for one in process_tree(child.pid) if one.name}
            time.sleep(SAMPLE_SECONDS)
    finally:
        child.kill()
        child.wait()
    check_ended(child, log)
    stats, timeline = fetch(base_url, "stats"), fetch(base_url, "timeline")
    first = min(start for start, _, _ in timeline)
    return Measured(
        calls=len(timeline),
        asked=tuple(stats[one] for one in ("requests", "distinct_prompts", "prompt_tokens", "completion_tokens")),
        first_call=first,
        span=max(end for _, end, _ in timeline) - first,
        work=sum(end - start for start, end, _ in timeline),
        full=share_full(timeline, math.ceil(FULL * limit)),
        peak=stats["peak_in_flight"],
        cpu=sum(seconds for _, seconds in cpu.values()),
        processes=_by_name(cpu.values()),
    )


def _by_name(processes: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for name, seconds in processes:
        total[name] = total.get(name, 0.0) + seconds
    return total


def share_full(timeline: Sequence[tuple[float, float, str]], wanted: int) -> float:
    """Share of the time from the first call to the last root's first one with at least `wanted` in flight."""
    first = min(start for start, _, _ in timeline)
    until = max(start for start, _, kind in timeline if kind == "evolve")
    changes = sorted([(start, 1) for start, _, _ in timeline] + [(end, -1) for _, end, _ in timeline])
    full = in_flight = 0.0
    before = first
    for at, change in changes:
        if at > until:
            break
        full += (at - before) * (in_flight >= wanted)
        before, in_flight = at, in_flight + change
    return full / (until - first) if until > first else 0.0


# ---- the loop ----


Ask = Callable[[str], Awaitable[Completion]]


async def bare_loop(base_url: str, seeds: Sequence[Seed], limit: int, raw: bool) -> None:
    """What one would write by hand: `limit` workers, each taking a root through its calls. Nothing is written down."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    endpoint = Endpoint(base_url=base_url, model=MODEL)
    client = open_client(endpoint, "none") if raw else AsyncOpenAI(
        base_url=base_url, api_key="none", http_client=DefaultAioHttpClient()
    )  # fmt: skip
    create: Any = client.chat.completions.create
    fields = endpoint.request_fields()

    async def ask(prompt: str) -> Completion:
        messages = [{"role": "system", "content": endpoint.system}, {"role": "user", "content": prompt}]
        if raw:  # as evolray.teachers.endpoint does it: without the client's models of request and answer
            body = json.dumps({**fields, "messages": messages}).encode("ascii")
            completion = read_completion(await client.post("/chat/completions", cast_to=bytes, content=body), 0, MODEL)
            assert completion is not None
            return completion
        answer = await create(messages=messages, **fields)
        choice = answer.choices[0]
        return Completion(choice.message.content, choice.finish_reason)

    roots = iter(seeds)

    async def work() -> None:
        for seed in roots:
            await chain(seed, ask)

    await asyncio.gather(*(work() for _ in range(limit)))
    await client.close()


async def chain(seed: Seed, ask: Ask) -> None:
    """The calls of generation 1 of a seed that has a response: none after a rejection."""
    domain = DOMAINS["open"]
    random = Random(f"0/{seed.root_id}/1")
    operator = domain.choose(random)
    variant = operator.choose_variant(random)
    evolved = Evolved(seed.text, await ask(operator.render(seed.text, variant, ())))
    if reject_instruction(domain.instruction_rules, evolved):
        return
    question = render(domain.equality_prompt, first=seed.text, second=evolved.text)
    for _ in range(VERDICT_ATTEMPTS):
        verdict = parse_verdict((await ask(question)).text)
        if verdict is not None:
            break
    if verdict is False:
        await ask(render(domain.response_prompt, instruction=evolved.text))


# ---- the benchmark ----


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
        mode = "raw" if name == RAW else "create"
        script = [sys.executable, __file__, "--loop", mode, "--base-url", base_url]
        return [*script, "--seeds-file", str(seeds), "--limit", str(limit)]
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
    parser.add_argument("--loop", choices=("create", "raw"), help=argparse.SUPPRESS)  # how the script starts the loop
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        entries = json.loads(Path(options.seeds_file).read_text())
        seeds = [Seed(one["instruction"], one["input"], one["output"]) for one in entries]
        asyncio.run(bare_loop(options.base_url, seeds, options.limit, raw=options.loop == "raw"))
        return 0
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
