"""Which settings must stay as they are once there are rounds, and which may change."""

from pathlib import Path
from typing import Any

import pytest

from evolray.campaign.identity import difference, identity_of
from evolray.campaign.settings import read_settings
from evolray.config import CampaignConfig
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.pool.manifest import describe_run
from tests.campaign.scripted import config


def identity(config: CampaignConfig) -> dict[str, Any]:
    return identity_of(config, read_settings(config))


def changed(tmp_path: Path, after: dict[str, Any]) -> str | None:
    """What is said when a run of the plain config goes on with these settings."""
    folder = LocalFolder(str(tmp_path / "run"))
    describe_run(folder, {}, {}, identity(config(tmp_path)), anew=True)
    return difference(folder, identity(config(tmp_path, **after)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"evolve.seed": 1}, "evolve.seed=0 and would now go on with evolve.seed=1"),
        ({"evolve.teacher.temperature": 0.5}, "evolve.teacher.temperature=1.0 and would now"),
        ({"evolve.judge": {"temperature": 0}}, "evolve.judge.temperature=None and would now"),
        ({"evolve.operators": {"deepen": 2}}, "evolve.operators.deepen=None and would now"),
        ({"refine.select.records": 5}, "refine.select.records=None and would now go on with refine.select.records=5"),
        ({"train.model": "org/llama"}, "train.model=scratch and would now go on with train.model=org/llama"),
        ({"evaluate.limit": 5}, "evaluate.limit=None and would now go on with evaluate.limit=5"),
        ({"evaluate.benchmarks": ["gsm8k", "math"]}, "evaluate.benchmarks=['gsm8k'] and would now"),
        ({"evaluate.judge.endpoint.model": "gpt-4"}, "evaluate.judge.endpoint.model=None and would now"),
        ({"baseline": False}, "baseline=True and would now go on with baseline=False"),
        ({"operators.learn": True}, "operators.learn=False and would now go on with operators.learn=True"),
    ],
)
def test_what_changes_rounds_is_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    found = changed(tmp_path, settings)
    assert found is not None
    assert found.startswith(f"{tmp_path}/run was made with {said}")


@pytest.mark.parametrize(
    "settings",
    [
        {"evolve.teacher.max_in_flight": 8}, {"evolve.judge": {"base_url": "http://other/v1"}},
        {"evolve.budget.calls": 100}, {"evolve.engine.shard_size": 1}, {"evolve.retry_failed": True},
        {"refine.workers": 1}, {"refine.formats": ["alpaca"]}, {"train.workers.number": 2},
        {"train.micro_batch_tokens": 128}, {"train.deepspeed": {"zero_optimization": {"stage": 2}}},
        {"evaluate.workers.cpus": 1.0}, {"evaluate.judge.endpoint.base_url": "http://other/v1"}, {"rounds": 9},
        {"patience": 2}, {"tolerance": 0.5}, {"jobs.stages.train": {"cpus": 1}}, {"operators.least": 0.5},
    ],
)  # fmt: skip
def test_what_changes_no_round_may_change(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert changed(tmp_path, settings) is None


def test_a_default_that_is_written_out_is_the_same(tmp_path: Path) -> None:
    assert changed(tmp_path, {"train.epochs": 3, "evolve.seed": 0}) is None


def test_a_copy_of_a_file_is_the_same_and_another_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/seeds.jsonl").write_text("")
    (tmp_path / "others.jsonl").write_text("")
    assert changed(tmp_path, {"evolve.seeds.path": str(tmp_path / "copy/seeds.jsonl")}) is None
    found = changed(tmp_path, {"evolve.seeds.path": str(tmp_path / "others.jsonl")})
    assert "evolve.seeds.path=seeds.jsonl and would now go on with evolve.seeds.path=others.jsonl" in (found or "")


def test_no_secret_is_kept(tmp_path: Path) -> None:
    place = {"gsm8k": "https://me:secret@example.com/dev.jsonl?sig=secret"}
    kept = identity(config(tmp_path, **{"evaluate.problems": place}))
    assert kept["evaluate.problems.gsm8k"] == "dev.jsonl"
    assert "secret" not in str(kept)


def test_an_edited_run_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("identity: [")
    with pytest.raises(UserError, match="cannot be read"):
        difference(LocalFolder(str(tmp_path)), {})


def test_there_is_no_run_yet(tmp_path: Path) -> None:
    assert difference(LocalFolder(str(tmp_path)), {}) == ""
