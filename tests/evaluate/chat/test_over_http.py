"""The offline judge over HTTP: its bias is measured and cancelled; faults and kill -9 lose and repeat nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import FAULTS, ServerSettings
from tests.waiting import wait_for_answers

pytestmark = pytest.mark.slow

PROBLEMS, IN_FLIGHT = 60, 8
VERDICTS = 2 * PROBLEMS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Problems, and answers to them that differ in what the judge goes by, their length most of all."""
    folder = tmp_path_factory.mktemp("files")
    rows: dict[str, list[dict[str, Any]]] = {"problems": [], "samples": [], "baseline": []}
    for n in range(PROBLEMS):
        text = f"Describe harbour {n} and its ships."
        rows["problems"].append({"idx": n, "Skill": "Art", "Difficulty": n % 10 + 1, "Instruction": text})
        rows["samples"].append({"idx": n, "output": f"Harbour {n} " + "has ships and cranes " * (n % 7 * 3)})
        rows["baseline"].append({"idx": n, "output": f"Ships of harbour {n} " + "lie at the quay " * (n % 5 * 4)})
    paths = {name: folder / f"{name}.jsonl" for name in rows}
    for name, path in paths.items():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
    return paths


def start(url: str, files: Mapping[str, Path], run: Path, *more: str) -> subprocess.Popen[str]:
    """As a user starts it, with a Ray of its own."""
    settings = {
        **files, "run": run, "judge.endpoint.base_url": url, "judge.endpoint.model": "simulated",
        "judge.endpoint.max_in_flight": IN_FLIGHT, "judge.engine.shard_size": 30, "judge.endpoint.timeout_seconds": 2,
    }  # fmt: skip
    words = [f"{key}={value}" for key, value in settings.items()]
    command = [sys.executable, "-m", "evolray.cli", "grade", "wizard_eval", *words, *more]
    environment = os.environ | {"RAY_ADDRESS": "local"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def judge(url: str, files: Mapping[str, Path], run: Path, *more: str) -> dict[str, Any]:
    """The benchmark's entry of scores.json."""
    child = start(url, files, run, *more)
    output, _ = child.communicate()
    assert child.returncode == 0, output
    entry: dict[str, Any] = json.loads((run / "scores.json").read_text())["wizard_eval"]
    return entry


def scores_of(run: Path) -> dict[tuple[str, str], tuple[float, float]]:
    (file,) = run.glob("judged/*/verdicts.parquet")
    rows = pq.read_table(file).to_pylist()
    return {(row["problem"], row["order"]): (row["model_score"], row["baseline_score"]) for row in rows}


def test_a_bias_is_measured_and_both_orders_cancel_it(files: Mapping[str, Path], tmp_path: Path) -> None:
    leads, entries = {}, {}
    for bias in (0.0, 1.5):
        with running(ServerSettings(judge_bias=bias, flaws=0)) as url:
            entries[bias] = judge(url, files, tmp_path / str(bias))
        scores = scores_of(tmp_path / str(bias))
        assert len(scores) == VERDICTS
        leads[bias] = {
            order: sum(model - baseline for (_, one), (model, baseline) in scores.items() if one == order) / PROBLEMS
            for order in ("model_first", "baseline_first")
        }
    position = entries[1.5]["reliability"]["position"]
    assert position["pairs"] == PROBLEMS and position["bias"]["score"] == 1.5
    assert position["first"] > 0 and position["second"] == 0
    assert entries[0.0]["reliability"]["position"]["bias"]["score"] == 0.0
    assert entries[0.0]["reliability"]["position"]["agree"] == PROBLEMS
    unbiased = leads[0.0]["model_first"]
    assert unbiased == leads[0.0]["baseline_first"] != 0
    assert leads[1.5]["model_first"] == pytest.approx(unbiased + 1.5)
    assert sum(leads[1.5].values()) / 2 == pytest.approx(unbiased)


@pytest.mark.long
def test_faults_lose_nothing_and_a_rerun_asks_nothing(files: Mapping[str, Path], tmp_path: Path) -> None:
    faults = {name: 0.03 for name in FAULTS}
    with running(ServerSettings(faults=faults, flaws=0.2, seed=5)) as url:
        first = judge(url, files, tmp_path, "judge.endpoint.max_retries=0", "verdicts.attempts=1")
        assert sum(first["verdicts"].values()) == VERDICTS
        assert min(first["verdicts"].values()) > 0, first["verdicts"]
        assert first["total"] + first["no_verdict"] == PROBLEMS
        asked = fetch(url, "stats")["requests"]
        assert judge(url, files, tmp_path, "judge.endpoint.max_retries=0", "verdicts.attempts=1") == first
        assert fetch(url, "stats")["requests"] == asked
        last = judge(url, files, tmp_path, "verdicts.attempts=12", "judge.retry_failed=true")
    assert last["verdicts"] == {"read": VERDICTS, "no_verdict": 0, "failed": 0}
    assert last["total"] == PROBLEMS


@pytest.mark.long
def test_kill_9_costs_the_calls_in_flight_alone(files: Mapping[str, Path], tmp_path: Path) -> None:
    with running(ServerSettings(latency_seconds=0.1, sigma=0.5, flaws=0)) as url:
        whole = judge(url, files, tmp_path / "whole")
        fetch(url, "reset")
        child = start(url, files, tmp_path / "killed")
        wait_for_answers(url, VERDICTS // 2, lambda: child.poll() is None)
        child.kill()
        child.communicate()
        killed = judge(url, files, tmp_path / "killed")
        assert VERDICTS <= fetch(url, "stats")["requests"] <= VERDICTS + IN_FLIGHT
    assert scores_of(tmp_path / "killed") == scores_of(tmp_path / "whole")
    same = ("score", "low", "high", "wins", "ties", "losses", "groups", "reliability", "verdicts")
    assert {name: killed[name] for name in same} == {name: whole[name] for name in same}
