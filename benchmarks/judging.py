"""Judging: is a judge's position bias measured right, do both orders cancel it, and is nothing paid for twice?

    python benchmarks/judging.py                    # 218 problems; about 2 minutes on two cores
    python benchmarks/judging.py --problems 60 --parts BC

A simulated judge over HTTP compares two models' answers by rule, with a bias of so many points for the answer that is
shown first and noise on every score. evolray runs as a user starts it (`evolray grade wizard_eval`).

A   biases of -1, 0, 1 and 2 points: what evolray measures, and by how many points the model leads, in one order alone
    and in both, beside the lead that a judge without bias sees
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
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

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
    measured, leads = [], {}
    for bias in BIASES:
        run = folder / f"bias{bias}"
        with running(ServerSettings(judge_bias=bias, judge_noise=NOISE, flaws=0.0)) as base_url:
            entry = judge(command(base_url, files, run), run, folder / "log")
        leads[bias] = leads_by_order(run)
        found = entry["reliability"]["position"]["bias"]
        shown = f"{found['score']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"
        half = (found["high"] - found["low"]) / 2
        measured.append(Row(f"bias {bias:+.0f}: measured", shown, f"{bias:+.2f}", abs(found["score"] - bias), half))
        print(f"  bias {bias:+}: {shown}", flush=True)
    true = leads[0.0]["both"]
    rows = [
        Row(f"bias {bias:+.0f}: lead, {order}", f"{lead:+.2f}", f"{true:+.2f}", abs(lead - true), target)
        for bias in BIASES
        for order, target in (("model_first", None), ("both", 0.05))
        for lead in (leads[bias][order],)
    ]
    return measured + rows


def leads_by_order(run: Path) -> dict[str, float]:
    """By how many points the model's score is above the baseline's, on average."""
    (file,) = run.glob("judged/*/verdicts.parquet")
    verdicts = pq.read_table(file).to_pylist()
    orders = {"model_first": ("model_first",), "both": ("model_first", "baseline_first")}
    return {
        name: fmean(one["model_score"] - one["baseline_score"] for one in verdicts if one["order"] in some)
        for name, some in orders.items()
    }


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
