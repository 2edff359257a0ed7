"""The configs that come along make the steps that their comments promise."""

import re
from pathlib import Path

import pytest

from evolray.ablation.plan import Plan
from evolray.config import AblationConfig, load
from evolray.pool.layout import LocalFolder

CONF = Path(__file__).parents[2] / "conf" / "ablation"
BENCHMARKS = ("refine.contamination.benchmarks.wizardlm", "refine.contamination.benchmarks.gsm8k",
              "sweep.problems.wizard_eval", "sweep.problems.gsm8k", "sweep.baselines.wizard_eval")  # fmt: skip


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(CONF.parents[1])
    (tmp_path / "file").write_text("{}\n")
    files = [f"{name}={tmp_path}/file" for name in ("evolve.seeds.path", *BENCHMARKS)]
    config = load(AblationConfig, [str(CONF / "wizardlm.yaml"), f"run={tmp_path}/run", *files])
    return Plan(config, LocalFolder(config.run))


def test_wizardlm_s_compares_the_seeds_with_four_generations(plan: Plan) -> None:
    names = [step.name for step in (*plan.evolving(), *plan.refining(), *plan.training(), plan.sweeping())]
    assert names == ["evolve", "refine-0", "refine-4", "train-0", "train-4", "sweep"]
    assert {step.config.max_tokens for step in plan.training()} == {30_000_000}
    assert plan.sweeping().config.benchmarks == ["wizard_eval", "gsm8k", "mmlu"]


def test_every_config_says_its_command() -> None:
    for path in CONF.glob("*.yaml"):
        assert re.search(rf"^#   evolray ablation conf/ablation/{path.name} run=", path.read_text(), re.MULTILINE)
