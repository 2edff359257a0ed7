"""The report's page of a pool of 20,000 roots: its size, the time to write it, and the time until it shows itself.

    python benchmarks/report_page.py [--roots 20000] [--generations 4] [--max-mb 8] [--keep FOLDER]

Writes the pool's shards itself, with texts of the lengths that evolution gives them (40 words for a seed, 25 more with
every generation, responses of 120 words and more), drawn from 8,000 made-up words, so that they shrink less than real
ones do. Then `evolray report` runs as a process of its own, whose peak memory is measured, and headless Chromium opens
the page from its file three times with an empty profile, at 1280 and at 390 pixels, and searches it. Without Chromium
and playwright the page is written and weighed alone.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measuring import ROOT, Row, print_table
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import open_folder
from evolray.pool.shards import write_shard
from evolray.records import Eliminated, Failed, Outcome, Record, record_id

SHARD_ROOTS = 1000
OPERATORS = ("add_constraints", "deepen", "concretize", "add_reasoning_steps", "complicate_input", "mutate")
REASONS = ("no_information_gain", "refusal", "no_content", "prompt_leak", "empty", "truncated")
REPEAT = 3
MOST_SECONDS, MOST_MB = 3.0, 10.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
MEASURE = """
import resource, sys
from evolray.config import ReportConfig
from evolray.report.stage import report
report(ReportConfig(run=sys.argv[1], max_mb=float(sys.argv[2])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
"""


class Shown(NamedTuple):
    """Seconds from the start of the navigation to the first paint, to the list of lineages; and of the first search."""

    paint: float
    ready: float
    search: float
    lineages: str
    said: list[str]


def main() -> None:
    options = _options()
    folder = Path(options.keep or tempfile.mkdtemp())
    try:
        run = folder / "run"
        write_pool(run, options.roots, options.generations)
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(run), str(options.max_mb)],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        seconds = time.monotonic() - started
        page = run / "report.html"
        size = page.stat().st_size / 1e6
        rows = [
            Row("size of the page", f"{size:.2f} MB", "", size, MOST_MB),
            Row("time to write it, with its figures", f"{seconds:.1f} s", "", seconds),
            Row("peak memory of writing it", f"{float(done.stdout):,.0f} MB", "", float(done.stdout)),
        ]
        for width, height in ((1280, 900), (390, 844)):
            rows += _shown(page, width, height)
        print_table(f"A page of {options.roots:,} roots", rows, ("measured", "", "value"))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def write_pool(run: Path, roots: int, generations: int) -> None:
    """A finished evolve run, but for its seeds and its ledger."""
    folder, letters = open_folder(str(run)), Random(1)
    words = ["".join(letters.choice("aeiourstlnmdk") for _ in range(letters.randint(2, 10))) for _ in range(8000)]
    for shard, first in enumerate(range(0, roots, SHARD_ROOTS)):
        accounts = Accounts(usage={"evolve": Usage(SHARD_ROOTS * generations, 400_000, 90_000)})
        numbers = range(first, min(first + SHARD_ROOTS, roots))
        accounts.incoming.update(dict.fromkeys(range(generations + 1), len(numbers)))
        outcomes = [outcome for number in numbers for outcome in _lineage(number, generations, words)]
        for outcome in outcomes:
            accounts.count(outcome)
        write_shard(folder, shard, outcomes, accounts, generations)
    shards = {"finished": -(-roots // SHARD_ROOTS), "all": -(-roots // SHARD_ROOTS)}
    folder.write("manifest.json", json.dumps({"run": str(run), "status": "complete", "shards": shards}).encode())
    folder.write("run.yaml", b"config:\n  teacher: {kind: simulated}\n")


def _lineage(number: int, generations: int, words: list[str]) -> Iterator[Outcome]:
    random = Random(number)
    root, parent = f"{random.getrandbits(64):016x}", 0
    text = " ".join(random.choices(words, k=random.randint(15, 65)))

    def response() -> str:
        return " ".join(random.choices(words, k=random.randint(40, 300)))

    yield Record(root, 0, None, "open", "seed", "", text, response())
    for generation in range(1, generations + 1):
        operator, draw, parent_id = random.choice(OPERATORS), random.random(), record_id(root, parent)
        spent: dict[str, Any] = {"teacher": "m", "prompt_tokens": 400, "completion_tokens": 90}
        evolved = f"{text} {' '.join(random.choices(words, k=random.randint(10, 40)))}"
        if draw < 0.01:
            yield Failed(root, generation, operator, "timeout", "no answer in 300 s", parent_id)
        elif draw < 0.12:
            reason = random.choice(REASONS)
            yield Eliminated(root, generation, parent_id, "open", operator, "", reason, "judge", evolved, **spent)
        else:
            yield Record(root, generation, parent_id, "open", operator, "", evolved, response(), **spent, attempts=1)
            text, parent = evolved, generation


def _shown(page: Path, width: int, height: int) -> list[Row]:
    if (chromium := shutil.which("chromium")) is None:
        return []
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return []
    with sync_playwright() as api:
        shown = [_open(api, chromium, page, width, height) for _ in range(REPEAT)]
    paint, ready, search = (statistics.median(getattr(one, name) for one in shown) for name in Shown._fields[:3])
    print(f"{width} px: {shown[0].lineages}; said or asked for: {shown[0].said or 'nothing'}")
    return [
        Row(f"{width} px: first paint", f"{paint:.2f} s", "", paint, MOST_SECONDS),
        Row(f"{width} px: lineages listed", f"{ready:.2f} s", "", ready, MOST_SECONDS),
        Row(f"{width} px: first search", f"{search:.2f} s", "", search),
    ]


def _open(api: Any, chromium: str, path: Path, width: int, height: int) -> Shown:
    said: list[str] = []
    browser = api.chromium.launch(executable_path=chromium, args=list(FLAGS))
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(f"file://{path}")
    page.wait_for_selector("html[data-ready]")
    ready = float(page.evaluate("document.documentElement.dataset.ready")) / 1000
    paint = float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1000
    lineages = str(page.inner_text("#status"))
    started = time.monotonic()
    page.fill("#query", "kot")
    page.wait_for_selector("#status[data-query='kot']")
    search = time.monotonic() - started
    browser.close()
    return Shown(paint, ready, search, lineages, [one for one in said if not one.startswith("data:")])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roots", type=int, default=20_000)
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--max-mb", type=float, default=8.0)
    parser.add_argument("--keep", help="a folder for the run and its page, which stay there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
