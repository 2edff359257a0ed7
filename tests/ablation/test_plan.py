"""From the config to the stages' own: who reads what, and what is refused before anything starts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evolray.ablation.plan import Plan
from evolray.config import AblationConfig, JobConfig, JobsConfig, from_mapping
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from tests.ablation import stand_in


def plan(folder: Path, **settings: Any) -> Plan:
    config = stand_in.config(folder, **settings)
    return Plan(config, LocalFolder(config.run))


def test_the_steps_and_what_they_wait_for(tmp_path: Path) -> None:
    made = plan(tmp_path)
    steps = [*made.evolving(), *made.refining(), *made.cutting({0: 7, 3: 9}, 7), *made.training(), made.sweeping()]
    assert [(step.name, step.stage, step.needs) for step in steps] == [
        ("evolve", "evolve", ()), ("refine-0", "refine", ()), ("refine-3", "refine", ("evolve",)),
        ("cut-3", "refine", ("refine-3",)), ("train-0", "train", ("refine-0",)), ("train-3", "train", ("refine-3",)),
        ("sweep", "sweep", ("train-0", "train-3")),
    ]  # fmt: skip


def test_the_mix_of_the_seeds_is_the_seed_file_and_others_are_drawn_evenly(tmp_path: Path) -> None:
    made = plan(tmp_path, records=30)
    seeds, evolved = (step.config for step in made.refining())
    run = tmp_path / "run"
    assert (seeds.run, seeds.data) == (f"{run}/mixes/generations-0", str(tmp_path / "seeds.jsonl"))
    assert (seeds.select.generations, seeds.select.balance, seeds.select.records) == ([], None, 30)
    assert (evolved.run, evolved.data) == (f"{run}/mixes/generations-3", f"{run}/pool")
    assert (evolved.select.generations, evolved.select.balance) == ([0, 1, 2, 3], "generation")
    assert made.evolving()[0].config.generations == 3


def test_before_it_is_known_how_many_there_are_all_are_taken(tmp_path: Path) -> None:
    made = plan(tmp_path)
    first, cut = made.refining()[1].config.select, made.cutting({0: 7, 3: 9}, 7)[0].config.select
    assert (first.records, first.balance) == (None, None)  # refine shares out a budget, and else refuses to
    assert (cut.records, cut.balance, cut.generations) == (7, "generation", first.generations)


def test_seeds_answered_anew_are_generation_0_of_the_pool(tmp_path: Path) -> None:
    made = plan(tmp_path, evolve={"seeds.path": __file__, "seeds.respond": "anew"})
    seeds = made.refining()[0]
    assert (seeds.config.data, seeds.config.select.generations) == (f"{tmp_path}/run/pool", [0])
    assert seeds.needs == ("evolve",)


def test_nothing_evolves_for_the_seeds_alone(tmp_path: Path) -> None:
    made = plan(tmp_path, generations=[0])
    assert made.evolving() == []
    with pytest.raises(UserError, match=r"generations=\[0\] with evolve.seeds.respond=anew: nothing is evolved"):
        plan(tmp_path, generations=[0], evolve={"seeds.path": __file__, "seeds.respond": "anew"})


def test_students_differ_in_their_data_alone(tmp_path: Path) -> None:
    made = plan(tmp_path, tokens=500, train={"model": "scratch", "seed": 7})
    one, other = (step.config for step in made.training())
    assert (one.run, one.data) == (f"{tmp_path}/run/students/generations-0", f"{tmp_path}/run/mixes/generations-0")
    assert replace(one, run=other.run, data=other.data) == other
    assert (one.max_tokens, one.epochs, one.keep_checkpoints, one.seed) == (500, 1000, 1000, 7)
    assert plan(tmp_path).training()[0].config.epochs == 3  # what `train` says


def test_the_sweep_covers_all_students_and_tries_again_what_failed(tmp_path: Path) -> None:
    jobs = JobsConfig(at_once=3, metadata={"who": "me"}, stages={"sweep": JobConfig(cpus=1)}, working_dir=str(tmp_path))
    step = plan(tmp_path, jobs=jobs).sweeping()
    assert step.config.checkpoints == [f"{tmp_path}/run/students/generations-{one}" for one in (0, 3)]
    assert (step.config.jobs, step.config.retry_failed, step.config.metadata) == (3, True, {"who": "me"})
    assert (step.config.working_dir, step.job) == (".", JobConfig(cpus=1))


def test_paths_are_absolute_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.config(tmp_path)
    (tmp_path / "zero.yaml").write_text("zero_optimization: {stage: 2}\n")
    (tmp_path / "llama").mkdir()
    monkeypatch.chdir(tmp_path)
    made = plan(
        tmp_path,
        evolve={"seeds": {"path": "seeds.jsonl"}},
        refine={"contamination": {"benchmarks": {"gsm8k": "held_out.jsonl", "mbpp": "hf:mbpp"}}},
        train={"model": "llama", "deepspeed": "zero.yaml"},
        sweep={
            "benchmarks": ["gsm8k"], "problems.gsm8k": "held_out.jsonl", "evaluate": {"judge.model": "org/judge"},
        },
    )  # fmt: skip
    assert made.evolve.seeds.path == f"{tmp_path}/seeds.jsonl"
    refine, train, sweep = made.refining()[0].config, made.training()[0].config, made.sweeping().config
    assert refine.contamination.benchmarks == {"gsm8k": f"{tmp_path}/held_out.jsonl", "mbpp": "hf:mbpp"}
    assert (train.model, train.deepspeed) == (f"{tmp_path}/llama", {"zero_optimization": {"stage": 2}})
    assert sweep.problems == {"gsm8k": f"{tmp_path}/held_out.jsonl"}
    assert sweep.evaluate == {"judge.model": "org/judge"}


def test_a_path_in_the_jobs_working_directory_stays_relative(tmp_path: Path) -> None:
    stand_in.config(tmp_path)
    made = plan(tmp_path, evolve={"seeds.path": "seeds.jsonl"}, jobs=JobsConfig(working_dir=str(tmp_path)))
    assert made.evolve.seeds.path == "seeds.jsonl"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generations": []}, r"generations is empty; expected a number of generations for each student"),
        ({"generations": [0, 2, 2]}, r"generations=\[0, 2, 2\]: 2 is there twice"),
        ({"generations": [-1]}, r"generations=\[-1\]: -1 is below 0"),
        ({"records": 0}, "records=0: expected at least 1, or null."),
        ({"tokens": 0}, "tokens=0: expected at least 1, or null."),
        ({"refine": {"select": {"records": 5}}}, "refine.select.records: an ablation sets this itself; give it as re"),
        ({"refine": {"select.balance": "source"}}, "refine.select.balance: an ablation sets this itself"),
        ({"train": {"max_tokens": 5}}, "train.max_tokens: an ablation sets this itself; give it as tokens=VALUE."),
        ({"sweep": {"grid": {"sampling.n": [1]}}}, "sweep.grid: an ablation sets this itself"),
        ({"sweep": {"benchmarks": ["gsm8k"], "problems.gsm8k": "no"}}, "sweep.problems.gsm8k=no: no such file."),
        ({"evolve": {"seeds.path": "nowhere"}}, "evolve.seeds.path=nowhere: no such file."),
        ({"evolve": {"seeds.path": __file__, "generation": 3}}, "evolve: generation: unknown key"),
        ({"train": {"model": "scratch", "learning_rat": 1}}, "train: learning_rat: .* did you mean learning_rate"),
        ({"train": {}}, "train: model is missing"),
        ({"train": {"model": "x", "deepspeed": "no.yaml"}}, "train.deepspeed=no.yaml: cannot be read"),
        ({"jobs": {"stages": {"trian": {"cpus": 1}}}}, "jobs.stages.trian: an ablation has no such stage; did you"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_before_anything_starts(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(tmp_path, **settings)


def test_a_typing_error_in_the_ablation_s_own_settings() -> None:
    with pytest.raises(UserError, match="did you mean generations"):
        from_mapping(AblationConfig, {"run": "x", "generation": [0]})
