"""What a campaign finds out about its settings before anything starts."""

import re
from pathlib import Path
from typing import Any

import pytest

from evolray.campaign.settings import read_settings
from evolray.errors import UserError
from tests.campaign.scripted import config


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rounds": 0}, "rounds=0: expected 1 or more"),
        ({"patience": 0}, "patience=0: expected 1 or more"),
        ({"tolerance": -0.5}, "tolerance=-0.5: expected 0 or more"),
        ({"operators.least": 1.5}, "operators.least=1.5: expected at most 1"),
        ({"evolve.generations": 3}, "evolve.generations: a campaign sets this itself"),
        ({"evolve.run": "here"}, "evolve.run: a campaign sets this itself"),
        ({"refine": {"select": {"generations": [0]}}}, "refine.select.generations: a campaign sets this itself"),
        ({"refine.data": "here"}, "refine.data: a campaign sets this itself"),
        ({"train.generations": [1]}, "train.generations: a campaign sets this itself"),
        ({"evaluate.model": "here"}, "evaluate.model: a campaign sets this itself"),
        ({"evaluate.endpoint.model": "gpt"}, "evaluate.endpoint.model: a campaign sets this itself"),
        ({"evolve.temperatur": 1}, "evolve.temperatur: unknown key in the keywords; did you mean teacher.temperature?"),
        ({"train.model": "???"}, "train.model is missing"),
        ({"evaluate.benchmarks": []}, "evaluate.benchmarks is empty"),
        ({"evolve.seeds.path": "nowhere.json"}, "evolve.seeds.path=nowhere.json: no such file"),
        ({"evaluate.problems": {"gsm8k": "nowhere.jsonl"}}, "evaluate.problems.gsm8k=nowhere.jsonl: no such file"),
        (
            {"refine.contamination.benchmarks": {"gsm8k": "nowhere.jsonl"}},
            "refine.contamination.benchmarks.gsm8k=nowhere.jsonl: no such file",
        ),
        ({"train.deepspeed": "nowhere.yaml"}, "train.deepspeed=nowhere.yaml: cannot be read"),
        ({"run": "s3://bucket/run"}, "train.model=scratch needs run= to be a path that every node sees"),
        (
            {"operators.learn": True, "evolve.operators_by_generation": {2: {"deepen": 2}}},
            "operators.learn=true sets evolve.operators_by_generation itself",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        read_settings(config(tmp_path, **settings))


def test_paths_are_those_that_jobs_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama").mkdir()
    (tmp_path / "zero.yaml").write_text("zero_optimization: {stage: 2}\n")
    given = config(tmp_path, **{
        "evolve.seeds.path": "seeds.jsonl", "train.model": "llama", "train.deepspeed": "zero.yaml",
        "evaluate.problems": {"gsm8k": "dev.jsonl", "math": "hf:org/math:test"}, "evaluate.judge.model": "llama:300",
        "refine.contamination.benchmarks": {"gsm8k": "dev.jsonl", "mbpp": "s3://bucket/mbpp.jsonl"},
    })  # fmt: skip
    monkeypatch.chdir(tmp_path)
    found = read_settings(given)
    assert found.evolve.seeds.path == f"{tmp_path}/seeds.jsonl"
    assert found.train.model == f"{tmp_path}/llama"
    assert found.train.deepspeed == {"zero_optimization": {"stage": 2}}
    assert found.evaluate.problems == {"gsm8k": f"{tmp_path}/dev.jsonl", "math": "hf:org/math:test"}
    assert found.evaluate.judge.model == f"{tmp_path}/llama:300"
    assert found.refine.contamination.benchmarks == {
        "gsm8k": f"{tmp_path}/dev.jsonl", "mbpp": "s3://bucket/mbpp.jsonl",
    }  # fmt: skip


def test_a_name_on_the_hub_stays(tmp_path: Path) -> None:
    assert read_settings(config(tmp_path, **{"train.model": "bigcode/starcoder"})).train.model == "bigcode/starcoder"
