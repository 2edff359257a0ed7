"""The verdicts of others on released data: openai/human-eval's on a model's samples, MBPP's on its own code."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolray.evaluate.execution import Limits, Ran, Sandbox

DATA = Path(__file__).parents[3] / "../shared/data"
SECONDS = 20.0  # human-eval allows 3; other work on the machine must not decide here

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the released data is not here"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap (bwrap) is not installed"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits()) as sandbox:
        yield sandbox


def lines(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def judge(sandbox: Sandbox, problem: dict[str, Any], completion: str) -> Ran:
    name = problem["entry_point"]
    return sandbox.check(
        f"{problem['prompt']}{completion}\n", f"{problem['test']}\ncheck({name})",
        setup=problem["prompt"], entry_point=name, seconds=SECONDS,
    )  # fmt: skip


def test_human_evals_solutions_pass(sandbox: Sandbox) -> None:
    problems = lines("humaneval/HumanEval.jsonl.gz")
    assert len(problems) == 164
    failed = {one["task_id"]: judge(sandbox, one, one["canonical_solution"]).message for one in problems}
    assert {name: message for name, message in failed.items() if message} == {}


def test_verdicts_on_wizardcoders_samples_equal_the_authors(sandbox: Sandbox) -> None:
    samples = {one["task_id"]: one for one in lines("generations/wizardcoder15b_humaneval_greedy_59.8.jsonl.gz")}
    verdicts = {
        problem["task_id"]: judge(sandbox, problem, samples[problem["task_id"]]["completion"]).outcome == "passed"
        for problem in lines("humaneval/HumanEval.jsonl.gz")
    }
    assert verdicts == {name: sample["passed"] for name, sample in samples.items()}
    assert sum(verdicts.values()) == 98


def test_mbpps_solutions_pass(sandbox: Sandbox) -> None:
    problems = lines("mbpp/mbpp.test.jsonl")
    assert len(problems) == 500
    failed = {}
    for one in problems:
        ran = sandbox.check(one["code"], "\n".join(one["test_list"]), setup=one["test_setup_code"], seconds=SECONDS)
        if ran.outcome != "passed":
            failed[one["task_id"]] = ran.message
    assert failed == {}
