"""Which cells a config makes, what they are called, and what is refused before a job is submitted."""

from pathlib import Path
from typing import Any

import pytest

from evolray.config import EvaluateConfig, load, to_yaml
from evolray.config.benchmarks import needs_problems, plain
from evolray.errors import UserError
from evolray.sweep.grid import Grid, settings_text
from evolray.sweep.sources import Student
from tests.sweep import places

TINY = [Student("tiny", "/runs/tiny:100", 100), Student("tiny", "/runs/tiny:200", 200)]


def names(tmp_path: Path, students: list[Student] = TINY, **settings: Any) -> list[str]:
    cells = Grid(places.config(tmp_path, ["unused"], **settings)).cells(students)
    return [cell.title for cell in cells]


def test_every_checkpoint_meets_every_benchmark(tmp_path: Path) -> None:
    assert names(tmp_path) == [
        "tiny-step-00000100/gsm8k",
        "tiny-step-00000100/mbpp",
        "tiny-step-00000200/gsm8k",
        "tiny-step-00000200/mbpp",
    ]


def test_every_value_of_the_grid_meets_every_other(tmp_path: Path) -> None:
    found = names(tmp_path, TINY[:1], benchmarks=["mbpp"], grid={"sampling.temperature": [0, 0.2], "limit": [10, 20]})
    assert found == [
        "tiny-step-00000100/mbpp/sampling.temperature-0.0,limit-10",
        "tiny-step-00000100/mbpp/sampling.temperature-0.0,limit-20",
        "tiny-step-00000100/mbpp/sampling.temperature-0.2,limit-10",
        "tiny-step-00000100/mbpp/sampling.temperature-0.2,limit-20",
    ]


def test_nested_and_dotted_settings_are_the_same(tmp_path: Path) -> None:
    dotted = names(tmp_path, grid={"sampling.n": [1, 20]})
    assert names(tmp_path, grid={"sampling": {"n": [1, 20]}}) == dotted


def test_names_do_not_depend_on_how_a_value_is_spelt(tmp_path: Path) -> None:
    assert names(tmp_path, grid={"sampling.temperature": ["0", "2e-1"]}) == names(
        tmp_path, grid={"sampling.temperature": [0.0, 0.2]}
    )


def test_a_value_that_no_path_can_hold_is_named_by_its_hash(tmp_path: Path) -> None:
    first, second = names(
        tmp_path, TINY[:1], benchmarks=["mbpp"], grid={"sampling.stop": [["\n\n", "a/../b=c"], ["\n\n", "a/../b=d"]]}
    )
    assert first != second
    for name in (first, second):
        assert name.count("/") == 2 and "=" not in name and "\n" not in name and len(name) < 180


def test_a_cell_is_the_whole_config_of_one_evaluation(tmp_path: Path) -> None:
    config = places.config(
        tmp_path,
        ["unused"],
        evaluate={"sampling": {"n": 20}, "k": [1, 10], "endpoint.extra_body": {"a": 1}},
        grid={"sampling.temperature": [0.2]},
    )
    cell = Grid(config).cells(TINY)[0]
    assert cell.config.run == str(tmp_path / "sweep" / cell.name)
    assert cell.config.model == "/runs/tiny:100"
    assert cell.config.benchmarks == ["gsm8k"]
    assert cell.config.problems == {"gsm8k": str(tmp_path / "gsm8k.jsonl")}
    assert (cell.config.sampling.n, cell.config.sampling.temperature, cell.config.k) == (20, 0.2, [1, 10])
    assert cell.config.endpoint.extra_body == {"a": 1}
    assert cell.settings == {"sampling.temperature": 0.2}
    written = tmp_path / "evaluate.yaml"
    written.write_text(to_yaml(cell.config))
    assert load(EvaluateConfig, [str(written)]) == cell.config


def test_paths_are_absolute_and_other_places_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places.problems(tmp_path, "gsm8k")
    monkeypatch.chdir(tmp_path)
    places_of = {"gsm8k": "gsm8k.jsonl", "math": "hf:HuggingFaceH4/MATH-500:test", "mbpp": "https://host/mbpp.jsonl"}
    config = places.config(tmp_path, ["unused"], benchmarks=[*places_of], problems=places_of, run="sweeps/a")
    found = [cell.config for cell in Grid(config).cells(TINY[:1])]
    assert [list(one.problems.values()) for one in found] == [
        [str(tmp_path / "gsm8k.jsonl")],
        ["hf:HuggingFaceH4/MATH-500:test"],
        ["https://host/mbpp.jsonl"],
    ]
    assert found[0].run == str(tmp_path / "sweeps/a/cells/tiny-step-00000100/gsm8k")


def test_settings_can_name_an_endpoint_in_place_of_a_checkpoint(tmp_path: Path) -> None:
    grid = Grid(places.config(tmp_path, [], evaluate={"endpoint": {"model": "org/served"}}))
    assert grid.endpoint == Student("served", None)
    assert {cell.config.model for cell in grid.cells([Student("served", None)])} == {None}
    assert Grid(places.config(tmp_path, [])).endpoint is None


def test_a_cell_gets_what_its_own_benchmark_is_judged_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places.problems(tmp_path, "mt_bench", "wizard_eval", "chatgpt", "gpt4", "people")
    (tmp_path / "runs/judge").mkdir(parents=True)
    config = places.config(
        tmp_path,
        ["unused"],
        benchmarks=["mt_bench", "wizard_eval"],
        problems={"mt_bench": "mt_bench.jsonl", "wizard_eval": "wizard_eval.jsonl"},
        baselines={"wizard_eval": "chatgpt.jsonl"},
        references={"mt_bench": "hf:someone/answers"},
        labels={"wizard_eval": "https://host/people.jsonl"},
        evaluate={"judge.model": "runs/judge:100", "lm_eval.tokenizer": "org/tokenizer"},
    )
    bench, wizard = (cell.config for cell in Grid(config).cells(TINY[:1]))
    assert (bench.baselines, bench.references, bench.labels) == ({}, {"mt_bench": "hf:someone/answers"}, {})
    assert wizard.baselines == {"wizard_eval": str(tmp_path / "chatgpt.jsonl")}
    assert (wizard.references, wizard.labels) == ({}, {"wizard_eval": "https://host/people.jsonl"})
    assert wizard.judge.model == f"{tmp_path}/runs/judge:100"
    assert wizard.lm_eval.tokenizer == "org/tokenizer"


def test_a_baseline_may_be_a_run(tmp_path: Path) -> None:
    (tmp_path / "chatgpt").mkdir()
    config = places.config(tmp_path, ["unused"], baselines={"gsm8k": str(tmp_path / "chatgpt")})
    assert Grid(config).cells(TINY)[0].config.baselines == {"gsm8k": str(tmp_path / "chatgpt")}


def test_benchmarks_of_lm_eval_need_no_problems(tmp_path: Path) -> None:
    files = places.problems(tmp_path, "gsm8k")
    chosen = ["mmlu", "lm_eval:winogrande", "gsm8k"]
    cells = Grid(places.config(tmp_path, ["unused"], benchmarks=chosen, problems=files)).cells(TINY[:1])
    assert [cell.title.partition("/")[2] for cell in cells] == ["mmlu", "lm_eval-winogrande", "gsm8k"]
    assert [cell.config.problems for cell in cells] == [{}, {}, files]
    assert [cell.config.benchmarks for cell in cells] == [[name] for name in chosen]
    (tmp_path / "tasks").mkdir()
    own = places.config(tmp_path, ["unused"], benchmarks=["mmlu"], problems={"mmlu": str(tmp_path / "tasks")})
    assert Grid(own).cells(TINY)[0].config.problems == {"mmlu": str(tmp_path / "tasks")}


def test_tasks_of_lm_eval_have_one_spelling_and_others_several() -> None:
    assert [needs_problems(name) for name in ("ARC-Challenge", "MMLU", "lm_eval:gsm8k", "gsm8k", "mt_bench")] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert plain("HumanEval+") == plain("humaneval_plus") != plain("humaneval")
    assert plain("lm_eval:arc_easy") != plain("lm_eval:arceasy")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baselines": {"gsm8k": "nowhere.jsonl"}}, "baselines.gsm8k=nowhere.jsonl: no such file or run."),
        ({"references": {"gsm8": "hf:x"}}, "references.gsm8: gsm8 is not among the benchmarks of this sweep; did you"),
        ({"labels": {"wizard_eval": "hf:x"}}, "expected one of gsm8k, mbpp."),
        ({"evaluate": {"baselines.gsm8k": "x"}}, "baselines.gsm8k: a sweep sets this itself"),
        ({"benchmarks": ["mmlu"], "problems": {"mmlu_": "hf:x"}}, "mmlu: no problems are given"),
        ({"evaluate": {"sampling.temprature": 1}}, "did you mean sampling.temperature?"),
        ({"grid": {"sampling.temprature": [1]}}, "did you mean sampling.temperature?"),
        ({"grid": {"sampling.temperature": ["hot"]}}, "Value 'hot' of type 'str' could not be converted to Float"),
        ({"grid": {"sampling.n": 20}}, "grid.sampling.n: expected a list of values to try, got 20."),
        ({"grid": {"sampling.n": []}}, "grid.sampling.n: expected a list of values to try, got []."),
        ({"grid": {"sampling.temperature": [0, 0.0]}}, "grid: temperature 0.0 is there twice"),
        ({"grid": {"sampling.n": [1], "sampling": {"n": [2]}}}, "grid: sampling.n is there twice."),
        ({"grid": {"limit": [1]}, "evaluate": {"limit": 2}}, "limit is both in evaluate and in grid"),
        ({"evaluate": {"model": "x"}}, "model: a sweep sets this itself"),
        ({"grid": {"problems.gsm8k": ["a", "b"]}}, "problems.gsm8k: a sweep sets this itself"),
        ({"benchmarks": []}, "benchmarks is empty"),
        ({"benchmarks": ["gsm8k", "gsm8k"]}, "expected each benchmark once"),
        ({"benchmarks": ["mbpp_plus", "MBPP+"]}, "expected each benchmark once"),
        ({"benchmarks": ["gsmk8"]}, "gsmk8: no problems are given for this benchmark; did you mean gsm8k?"),
        ({"benchmarks": ["humaneval"]}, "give them as problems.humaneval=FILE."),
        ({"problems": {"gsm8k": "nowhere.jsonl", "mbpp": "hf:mbpp"}}, "problems.gsm8k=nowhere.jsonl: no such file."),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        Grid(places.config(tmp_path, ["unused"], **settings))
    assert message in str(raised.value)


def test_settings_read_well() -> None:
    assert settings_text({"sampling.temperature": 0.2, "prompt": "plain", "k": [1]}) == (
        "temperature 0.2, prompt plain, k [1]"
    )
    assert settings_text({"endpoint.model": "a", "judge.endpoint.model": "b"}) == "model a, judge model b"
