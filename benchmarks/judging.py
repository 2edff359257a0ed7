"""Judging: is a judge's position bias measured right, do both orders cancel it, and is nothing paid for twice?

    python benchmarks/judging.py                    # 218 problems; about 6 minutes on two cores
    python benchmarks/judging.py --problems 60 --parts BC

A simulated judge over HTTP compares two models' answers by rule, with a bias of so many points for the answer that is
shown first and noise on every score. evolray runs as a user starts it (`evolray grade wizard_eval`), once with both
orders and once with the papers' alternating one.

A   biases of -1, 0, 1 and 2 points: what evolray measures, and the score beside that of a judge without bias
B   faults of the endpoint, 2 % of each kind: what is lost, and what a rerun asks
C   kill -9 of the driver at half: requests beyond the number of verdicts
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from benchmarks.measuring import Row, check_ended, print_table, start
from evolray.teachers.simulated import MODEL
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import FAULTS, ServerSettings

BIASES = (-1.0, 0.0, 1.0, 2.0)
NOISE = 0.5  # standard deviation, in points
LATENCY_SECONDS, IN_FLIGHT = 0.05, 16
SKILLS = ("Math", "Code Generation", "Writting", "Reasoning", "History", "Law")
WORDS = "because the answer depends on how many parts there are and which of them come first in the list".split()


def write_files(folder: Path, number: int) -> dict[str, Path]:
    """Problems of WizardLM's form and the answers of two models, the one a little longer than the other."""
    files = {name: folder / f"{name}.jsonl" for name in ("problems", "samples", "baseline")}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    for n in range(1, number + 1):
        random = Random(n)
        instruction = f"Explain to reader {n} what {random.choice(WORDS)} and {random.choice(WORDS)} have in common."
        row = {"idx": n, "Skill": random.choice(SKILLS), "Difficulty": n % 10 + 1, "Instruction": instruction}
        rows["problems"].append(row)
        for name, most in (("samples", 80), ("baseline", 60)):
            text = " ".join(random.choice(WORDS) for _ in range(random.randrange(5, most)))
            rows[name].append({"idx": n, "output": f"For reader {n}: {text}."})
    for name, path in files.items():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
    return files


def command(base_url: str, files: dict[str, Path], run: Path, *more: str) -> list[str]:
    settings = {
        "problems": files["problems"], "samples": files["samples"], "baseline": files["baseline"], "run": run,
        "judge.endpoint.base_url": base_url, "judge.endpoint.model": MODEL,
        "judge.endpoint.max_in_flight": IN_FLIGHT, "judge.endpoint.timeout_seconds": 5,
    }  # fmt: skip
    words = [f"{key}={value}" for key, value in settings.items()]
    return [sys.executable, "-m", "evolray.cli", "grade", "wizard_eval", *words, *more]


def judge(words: Sequence[str], run: Path, log: Path) -> dict[str, Any]:
    """The benchmark's entry of scores.json."""
    child = start(words, log)
    child.wait()
    check_ended(child, log)
    entry: dict[str, Any] = json.loads((run / "scores.json").read_text())["wizard_eval"]
    return entry


def measure_biases(folder: Path, files: dict[str, Path]) -> list[Row]:
    rows, scores = [], {}
    for bias in BIASES:
        for order in ("both", "alternate"):
            settings = ServerSettings(judge_bias=bias, judge_noise=NOISE, flaws=0.0)
            run = folder / f"bias{bias}-{order}"
            with running(settings) as base_url:
                words = command(base_url, files, run, f"verdicts.order={order}")
                entry = judge(words, run, folder / "log")
            scores[bias, order] = entry["score"]
            print(f"  bias {bias:+}, {order}: {entry['score']:.1f} %", flush=True)
            if order == "both":
                found = entry["reliability"]["position"]["bias"]
                off = abs(found["score"] - bias)
                half = (found["high"] - found["low"]) / 2
                shown = f"{found['score']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"
                rows.append(Row(f"bias {bias:+.0f}: measured", shown, f"{bias:+.2f}", off, max(1.5 * half, 0.02)))
    for bias in BIASES:
        for order in ("both", "alternate"):
            beside, value = scores[0.0, "both"], scores[bias, order]
            target = 1.0 if order == "both" else None
            shown, known = f"{value:.1f} %", f"{beside:.1f} %"
            rows.append(Row(f"bias {bias:+.0f}: score, {order}", shown, known, abs(value - beside), target))
    return rows


def measure_faults(folder: Path, files: dict[str, Path], number: int) -> list[Row]:
    faults = {name: 0.02 for name in FAULTS}
    run = folder / "faults"
    with running(ServerSettings(faults=faults, flaws=0.05)) as base_url:
        words = command(base_url, files, run, "judge.endpoint.max_retries=1")
        first = judge(words, run, folder / "log")
        asked = fetch(base_url, "stats")["requests"]
        judge(words, run, folder / "log")
        again = fetch(base_url, "stats")["requests"] - asked
        for _ in range(5):
            last = judge([*words, "judge.retry_failed=true"], run, folder / "log")
            if not last["verdicts"]["failed"]:
                break
    total = sum(first["verdicts"].values())
    told = ", ".join(f"{name} {value}" for name, value in first["verdicts"].items())
    failed = last["verdicts"]["failed"]
    return [
        Row("faults: verdicts accounted for", told, f"{2 * number}", abs(total - 2 * number), 0),
        Row("faults: requests of a rerun", f"{again}", "", again, 0),
        Row("faults: failed after retry_failed=true", f"{failed}", "", failed, 0),
    ]


def measure_kill(folder: Path, files: dict[str, Path], number: int) -> list[Row]:
    run = folder / "killed"
    with running(ServerSettings(latency_seconds=LATENCY_SECONDS, sigma=0.5, flaws=0.0)) as base_url:
        words = command(base_url, files, run)
        child = start(words, folder / "log")
        while fetch(base_url, "stats")["answered"] < number and child.poll() is None:
            time.sleep(0.02)
        child.kill()
        child.wait()
        entry = judge(words, run, folder / "log")
        stats = fetch(base_url, "stats")
    extra = stats["requests"] - 2 * number
    assert entry["total"] == number
    return [
        Row("kill -9 at half: requests beyond the verdicts", f"{extra}", f"{IN_FLIGHT} in flight", extra, IN_FLIGHT)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=218)
    parser.add_argument("--parts", default="ABC")
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="evolray-") as name:
        folder = Path(name)
        files = write_files(folder, given.problems)
        if "A" in given.parts:
            rows += measure_biases(folder, files)
        if "B" in given.parts:
            rows += measure_faults(folder, files, given.problems)
        if "C" in given.parts:
            rows += measure_kill(folder, files, given.problems)
    print_table("judging", rows, ("evolray", "beside", "difference"))


if __name__ == "__main__":
    main()
