"""A round as steps: who waits for whom, what each is given, where it lies."""

from pathlib import Path

from evolray.campaign.settings import read_settings
from evolray.campaign.steps import make_steps
from evolray.config import JobConfig
from tests.campaign.scripted import config


def test_a_later_round_is_a_chain(tmp_path: Path) -> None:
    given = config(tmp_path)
    steps = make_steps(given, read_settings(given), [3], {})
    assert [(step.name, step.stage, step.needs) for step in steps] == [
        ("round-3/evolve", "evolve", ()),
        ("round-3/refine", "refine", ("round-3/evolve",)),
        ("round-3/train", "train", ("round-3/refine",)),
        ("round-3/evaluate", "evaluate", ("round-3/train",)),
    ]


def test_the_baseline_waits_for_the_first_evolution_alone(tmp_path: Path) -> None:
    given = config(tmp_path)
    steps = make_steps(given, read_settings(given), [0, 1], {})
    assert [step.name for step in steps if step.stage == "evolve"] == ["round-1/evolve"]
    assert {step.name: step.needs for step in steps if step.stage == "refine"} == {
        "round-0/refine": ("round-1/evolve",),
        "round-1/refine": ("round-1/evolve",),
    }


def test_a_baseline_that_is_made_up_for_has_the_same_evolve_step(tmp_path: Path) -> None:
    given = config(tmp_path)
    settings = read_settings(given)
    assert make_steps(given, settings, [0], {})[0] == make_steps(given, settings, [0, 1], {})[0]


def test_settings_of_all_rounds_are_left_as_they_are(tmp_path: Path) -> None:
    given = config(tmp_path, **{"refine.select.records": 5, "train.epochs": 2})
    settings = read_settings(given)
    steps = {step.stage: step.config for step in make_steps(given, settings, [2], {2: {"deepen": 2.0}})}
    assert (steps["refine"].select.records, steps["refine"].select.generations) == (5, [0, 1, 2])
    assert (steps["train"].epochs, steps["evolve"].operators_by_generation) == (2, {2: {"deepen": 2.0}})
    assert (settings.refine.select.generations, settings.evolve.operators_by_generation) == ([], {})


def test_each_stage_has_resources_of_its_own(tmp_path: Path) -> None:
    given = config(tmp_path, **{"jobs.stages": {"train": {"cpus": 1, "resources": {"gpu_group": 0.1}}}})
    jobs = {step.stage: step.job for step in make_steps(given, read_settings(given), [1], {})}
    assert jobs["train"] == JobConfig(1.0, 0.0, {"gpu_group": 0.1})
    assert jobs["evolve"] == JobConfig()


def test_below_a_url_the_options_stay_at_its_end(tmp_path: Path) -> None:
    given = config(tmp_path, **{"run": "s3://bucket/run/?region=eu", "train.model": "org/llama"})
    steps = {step.stage: step.config for step in make_steps(given, read_settings(given), [1], {})}
    assert steps["refine"].data == "s3://bucket/run/pool?region=eu"
    assert steps["evaluate"].model == "s3://bucket/run/rounds/1/student?region=eu"
