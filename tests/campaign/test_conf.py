"""The configs that come along can run, and say their command."""

from pathlib import Path

import pytest

from evolray.campaign import estimate
from evolray.campaign.settings import read_settings
from evolray.campaign.steps import make_steps
from evolray.config import CampaignConfig, TrainConfig, load
from evolray.errors import UserError
from evolray.evaluate.math.problems import read_gsm8k
from evolray.pool.seeds import read_seeds
from evolray.records import Seed

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf" / "campaign"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def files(tmp_path: Path, *names: str) -> list[Path]:
    for name in names:
        (tmp_path / name).write_text("{}\n")
    return [tmp_path / name for name in names]


def test_tiny_needs_nothing_but_a_place(tmp_path: Path) -> None:
    config = load(CampaignConfig, [str(CONF / "tiny.yaml"), f"run={tmp_path}/run"])
    assert len(make_steps(config, read_settings(config), [0, 1], {})) == 7


@pytest.mark.slow
def test_the_stages_say_of_tiny_what_it_costs(tmp_path: Path) -> None:
    config = load(CampaignConfig, [str(CONF / "tiny.yaml"), f"run={tmp_path}/run"])
    said = estimate.estimate(read_settings(config))
    assert said["evolve"][0] == "14 roots x 1 generations: at most about 42 calls, no prices in the config, so no cost"
    assert said["refine"][-1] == "no judge is asked, so this costs nothing"
    assert "60 answers of the student" in said["evaluate"][0]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("evaluate.benchmarks=[gsm9k]", "evaluate: benchmark 'gsm9k' is not known"),
        ("evolve.domain=maths", "evolve: domain=maths: expected open, code, math"),
        ("refine.near_duplicates.threshold=2", "refine: near_duplicates.threshold=2.0: expected more than 0"),
    ],
)
def test_mistakes_that_only_a_stage_knows_are_found_before_the_first_job(
    tmp_path: Path, setting: str, said: str
) -> None:
    config = load(CampaignConfig, [str(CONF / "tiny.yaml"), f"run={tmp_path}/run", setting])
    with pytest.raises(UserError, match=said):
        estimate.check(read_settings(config))


def test_wizardcoder_trains_as_its_own_config_does(tmp_path: Path) -> None:
    seeds, dev, human_eval, mbpp = files(tmp_path, "seeds.json", "dev.jsonl", "HumanEval.jsonl", "mbpp.jsonl")
    given = [
        f"run={tmp_path}/run", f"evolve.seeds.path={seeds}", f"evaluate.problems.mbpp={dev}",
        f"refine.contamination.benchmarks.humaneval={human_eval}", f"refine.contamination.benchmarks.mbpp={mbpp}",
    ]  # fmt: skip
    config = load(CampaignConfig, [str(CONF / "wizardcoder.yaml"), *given])
    trained = read_settings(config).train
    alone = load(TrainConfig, [str(ROOT / "conf/train/wizardcoder-15b.yaml"), "run=later", "data=later"])
    alone.deepspeed, alone.workers = trained.deepspeed, trained.workers
    assert trained == alone


def test_every_config_says_its_command() -> None:
    for path in CONF.glob("*.yaml"):
        assert f"evolray campaign conf/campaign/{path.name} run=" in path.read_text()


def test_the_development_problems_of_tiny_are_none_of_its_seeds() -> None:
    problems = read_gsm8k(str(CONF / "dev_math.jsonl")).all
    seeds = {one.text for one in read_seeds(str(ROOT / "conf/demo/seeds_math.jsonl")) if isinstance(one, Seed)}
    assert len(problems) == len({one.row["question"] for one in problems}) == 60
    assert not {one.row["question"] for one in problems} & seeds
