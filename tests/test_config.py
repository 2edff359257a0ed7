"""Configs: every file of conf/ loads, later arguments win, and every mistake is named with what was meant."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.chat import FORMATS
from evolray.config import (
    AblationConfig,
    BlindConfig,
    CampaignConfig,
    EvaluateConfig,
    EvolveConfig,
    GenerateConfig,
    ModelConfig,
    RefineConfig,
    SweepConfig,
    TrainConfig,
    from_mapping,
    load,
    role,
    to_yaml,
)
from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.selection import ORDERS
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.registry import find_benchmark
from evolray.method.domains import DOMAINS
from evolray.refine.selection.settings import check_select
from evolray.sampling import opening
from evolray.train.settings import check, read_deepspeed

CONF = Path(__file__).parents[1] / "conf"
EVOLVE = sorted((CONF / "evolve").glob("*.yaml"))
DOMAIN = [CONF / "demo" / f"{domain}.yaml" for domain in ("code", "math", "open")]
ABLATION = [*sorted((CONF / "ablation").glob("*.yaml")), CONF / "demo" / "ablation.yaml"]
CAMPAIGN = sorted((CONF / "campaign").glob("*.yaml"))
TRAIN = sorted((CONF / "train").glob("*.yaml"))
BLIND = sorted((CONF / "blind").glob("*.yaml"))
EVALUATE = sorted((CONF / "evaluate").glob("*.yaml"))
REFINE = sorted((CONF / "refine").glob("*.yaml"))
GENERATE = sorted((CONF / "generate").glob("*.yaml"))
DEEPSPEED = sorted((CONF / "deepspeed").glob("*.yaml"))
STAGES = {
    "evolve": EvolveConfig, "refine": RefineConfig, "train": TrainConfig, "evaluate": EvaluateConfig,
    "sweep": SweepConfig,
}  # fmt: skip
# What a campaign and an ablation, or whoever starts one, add to the settings of a stage.
WITHOUT: dict[str, dict[str, Any]] = {
    "evolve": {"seeds.path": "a"}, "refine": {"data": "a"}, "train": {"data": "a"}, "evaluate": {}, "sweep": {},
}  # fmt: skip
NEEDED = ["run=runs/a", "seeds.path=seeds.json"]


def load_with(*arguments: str) -> EvolveConfig:
    return load(EvolveConfig, [*NEEDED, *arguments])


def mistake(make: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        make()
    text = str(error.value)
    assert "\n" not in text and error.value.exit_code == 2
    return text


# --- the files of conf/ ---


@pytest.mark.parametrize("path", [*EVOLVE, *DOMAIN], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_loads(path: Path) -> None:
    needed = NEEDED if path in EVOLVE else NEEDED[:1]
    config = load(EvolveConfig, [str(path), *needed])
    assert config.run == "runs/a" and config.domain in DOMAINS and config.generations >= 1
    DOMAINS[config.domain].weighted(config.operators)
    for name in ("judge", "responder"):
        assert role(config, getattr(config, name), name).kind == config.teacher.kind
    assert f"evolve conf/{path.parent.name}/{path.name}" in path.read_text() or path in DOMAIN


def test_the_papers_and_the_demo_are_there() -> None:
    loaded = {path.stem: load(EvolveConfig, [str(path), *NEEDED]) for path in EVOLVE}
    assert {name: loaded[name].domain for name in ("wizardlm", "wizardcoder", "wizardmath")} == {
        "wizardlm": "open", "wizardcoder": "code", "wizardmath": "math",
    }  # fmt: skip
    paper = loaded["wizardlm"]
    assert (paper.generations, paper.seeds.respond) == (4, "anew")
    assert (paper.teacher.temperature, paper.teacher.top_p, paper.teacher.max_tokens) == (1.0, 0.9, 2048)
    assert paper.operators == {}
    assert {path.stem for path in DOMAIN} == set(DOMAINS)
    assert {path.name for path in (CONF / "demo").glob("*.yaml")} == {
        *(path.name for path in DOMAIN), "ablation.yaml", "full.yaml",
    }  # fmt: skip


@pytest.mark.parametrize("path", TRAIN, ids=lambda path: path.name)
def test_every_recipe_of_training_loads_and_says_its_command(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONF.parent)
    config = load(TrainConfig, [str(path), "run=runs/a", "data=runs/b"])
    check(config)
    settings = read_deepspeed(config.deepspeed)
    assert config.chat_format in FORMATS and config.model
    assert settings is None or config.deepspeed in {one.relative_to(CONF.parent).as_posix() for one in DEEPSPEED}
    assert f"evolray train conf/train/{path.name} data=" in path.read_text()


@pytest.mark.parametrize("path", REFINE, ids=lambda path: path.name)
def test_every_refining_loads_and_says_its_command(path: Path) -> None:
    config = load(RefineConfig, [str(path), "run=runs/a", "data=runs/b"])
    check_select(config, 1, False)
    assert path.stem == "demo" or "contamination.benchmarks." in path.read_text()
    assert f"evolray refine conf/refine/{path.name} " in path.read_text()


@pytest.mark.parametrize("path", EVALUATE, ids=lambda path: path.name)
def test_every_evaluation_loads_and_names_what_the_benchmarks_have(path: Path) -> None:
    config = load(EvaluateConfig, [str(path), "run=runs/a", "model=runs/b"])
    opening.check(config)
    text = path.read_text()
    assert f"evolray evaluate conf/evaluate/{path.name} model=" in text
    for name in config.benchmarks:
        benchmark = find_benchmark(name)
        assert f"problems.{name}=" in text or isinstance(benchmark, KnowledgeBenchmark)
        if isinstance(benchmark, Benchmark):
            assert config.extraction in benchmark.extractions
            assert config.prompt in ("auto", *benchmark.forms)
        if isinstance(benchmark, ChatBenchmark):
            assert config.verdicts.protocol in ("auto", *benchmark.protocols) and config.verdicts.order in ORDERS
            opening.check(config.judge)
            assert config.judge.budget.money


@pytest.mark.parametrize("path", BLIND, ids=lambda path: path.name)
def test_every_blind_study_loads_and_says_its_command(path: Path) -> None:
    config = load(BlindConfig, [str(path), "run=a", "problems=b", "answers.one=c", "answers.other=d"])
    assert isinstance(find_benchmark(config.benchmark), ChatBenchmark)
    assert f"evolray blind conf/blind/{path.name} run=" in path.read_text()


@pytest.mark.parametrize("path", GENERATE, ids=lambda path: path.name)
def test_every_generation_loads_and_says_its_command(path: Path) -> None:
    config = load(GenerateConfig, [str(path), "run=a", "data=b", "output=c.jsonl", "model=d"])
    opening.check(config)
    assert f"evolray generate conf/generate/{path.name} model=" in path.read_text()


def test_the_recipes_are_the_published_ones() -> None:
    loaded = {path.stem: load(TrainConfig, [str(path), "run=a", "data=b"]) for path in TRAIN}
    published = {
        "wizardlm-7b": ("freeform", 64, 2), "wizardlm-13b": ("vicuna", 384, 50),
        "wizardcoder-15b": ("alpaca", 512, 30), "wizardmath": ("alpaca", 128, 10),
    }  # fmt: skip
    assert set(loaded) == {"tiny", *published}
    for name, (chat_format, global_batch, warmup_steps) in published.items():
        recipe = loaded[name]
        assert (recipe.chat_format, recipe.global_batch, recipe.warmup_steps) == (
            chat_format,
            global_batch,
            warmup_steps,
        )
        assert (recipe.learning_rate, recipe.schedule, recipe.weight_decay) == (2e-5, "cosine", 0.0)
        assert (recipe.epochs, recipe.max_steps, recipe.max_length, recipe.over_long) == (3, None, 2048, "cut")
        assert recipe.workers.number == 8 and recipe.global_batch % recipe.workers.number == 0


@pytest.mark.parametrize(
    ("path", "stage"), list(zip(DEEPSPEED, (2, 3, 3), strict=True)), ids=lambda one: str(one)[-19:]
)
def test_every_file_of_deepspeed_leaves_to_evolray_what_evolray_computes(path: Path, stage: int) -> None:
    settings = read_deepspeed(str(path))
    assert settings is not None and settings["zero_optimization"]["stage"] == stage


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.name)
def test_the_demo_needs_nothing_but_a_place_to_run(path: Path) -> None:
    config = load(EvolveConfig, [str(path), "run=a"])
    assert config.teacher.kind == "simulated"
    assert (CONF.parent / config.seeds.path).is_file()


@pytest.mark.parametrize(
    ("schema", "path"),
    [*((CampaignConfig, path) for path in CAMPAIGN), *((AblationConfig, path) for path in ABLATION)],
    ids=lambda one: f"{one.parent.name}/{one.name}" if isinstance(one, Path) else one.__name__,
)
def test_what_is_made_of_stages_holds_settings_of_theirs(schema: type, path: Path) -> None:
    config = load(schema, [str(path), "run=runs/a"])
    for name, stage in STAGES.items():
        if name in (field.name for field in dataclasses.fields(schema)):
            from_mapping(stage, {"run": "a", **getattr(config, name), **WITHOUT[name]})
    assert f"evolray {'demo' if path.parent.name == 'demo' else path.parent.name}" in path.read_text()


# --- layers ---


def test_later_arguments_win(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("generations: 1\nseed: 1\nteacher: {model: a, max_tokens: 10}\nrun: x\nseeds: {path: y}\n")
    second.write_text("generations: 2\nteacher: {model: b}\n")
    config = load(
        EvolveConfig, [str(first), "seed=3", str(second), "teacher.model=c", "generations=5", "generations=6"]
    )
    assert (config.generations, config.seed, config.teacher.model, config.teacher.max_tokens) == (6, 3, "c", 10)
    assert load(EvolveConfig, ["generations=5", str(first), str(second)]).generations == 2


def test_defaults() -> None:
    config = load_with()
    assert dataclasses.asdict(config) == dataclasses.asdict(
        dataclasses.replace(EvolveConfig(run="runs/a"), seeds=dataclasses.replace(config.seeds, path="seeds.json"))
    )
    assert (config.domain, config.generations, config.seed, config.seeds.respond) == ("open", 4, 0, "keep")


def test_mappings_take_dotted_keys_and_sections() -> None:
    nested = from_mapping(EvolveConfig, {"run": "a", "seeds": {"path": "b", "limit": 2}, "teacher": {"model": "m"}})
    dotted = from_mapping(EvolveConfig, {"run": "a", "seeds.path": "b", "seeds.limit": 2, "teacher.model": "m"})
    mixed = from_mapping(EvolveConfig, {"run": "a", "seeds": {"path": "b"}, "seeds.limit": 2, "teacher.model": "m"})
    argued = load(EvolveConfig, ["run=a", "seeds.path=b", "seeds.limit=2", "teacher.model=m"])
    assert nested == dotted == mixed == argued
    assert isinstance(nested, EvolveConfig) and isinstance(nested.teacher, ModelConfig)


def test_a_finished_config_is_a_layer_and_keywords_come_last() -> None:
    base = load_with("teacher.model=m", "operators.deepen=0", "judge.temperature=0")
    assert load(EvolveConfig, [base]) == base
    layers: list[str | EvolveConfig] = ["seed=9", base, "generations=2"]
    config = load(EvolveConfig, layers, {"teacher.max_tokens": 5, "operators.mutate": 3})
    assert (config.seed, config.generations, config.teacher.max_tokens) == (0, 2, 5)
    assert config.operators == {"deepen": 0.0, "mutate": 3.0}
    assert (base.generations, base.operators) == (4, {"deepen": 0.0})


def test_values_of_a_mapping_are_taken_as_they_are() -> None:
    values = {"run": "a=b c, d", "seeds.path": "20241121_0936", "teacher.model": "x: [y] # z", "domain": "1e3"}
    config = from_mapping(EvolveConfig, values)
    assert (config.run, config.seeds.path, config.teacher.model, config.domain) == tuple(values.values())


def test_the_config_survives_being_written() -> None:
    config = load_with("teacher.model=a=b c", "operators={deepen: 0}", "judge={model: j}", "teacher.extra_body.seed=1")
    again = from_mapping(EvolveConfig, _yaml(to_yaml(config)))
    assert again == config
    assert _yaml(to_yaml(config))["teacher"]["api_key_env"] == "OPENAI_API_KEY"


def _yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


# --- values ---


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("run=runs/a b", "runs/a b"),
        ("run=runs/lr=1 x=2", "runs/lr=1 x=2"),
        ("run=runs/a=", "runs/a="),
        ("run=s3://bucket/run?region=eu&x=1", "s3://bucket/run?region=eu&x=1"),
        ("run=runs/100%, ü", "runs/100%, ü"),
        ("run='20241121_0936'", "20241121_0936"),
        ('run="a: b # c"', "a: b # c"),
    ],
)
def test_values_with_equals_signs_and_spaces(argument: str, value: str) -> None:
    assert load_with(argument).run == value


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seed=7.yaml"
    path.write_text("seed: 8\n")
    assert load_with(str(path)).seed == 8


@pytest.mark.parametrize(
    ("argument", "read", "value"),
    [
        ("teacher.temperature=null", lambda config: config.teacher.temperature, None),
        ("teacher.max_in_flight=auto", lambda config: config.teacher.max_in_flight, "auto"),
        ("teacher.max_in_flight=256", lambda config: config.teacher.max_in_flight, 256),
        ("teacher.extra_body={seed: 1, kwargs: {thinking: false}}", lambda config: config.teacher.extra_body,
         {"seed": 1, "kwargs": {"thinking": False}}),
        ("operators={deepen: 0, mutate: 2}", lambda config: config.operators, {"deepen": 0.0, "mutate": 2.0}),
        ("operators.deepen=0.5", lambda config: config.operators, {"deepen": 0.5}),
        ("budget.money=12", lambda config: config.budget.money, 12.0),
        ("retry_failed=true", lambda config: config.retry_failed, True),
        ("engine.shards_in_flight=8", lambda config: config.engine.shards_in_flight, 8),
    ],
)  # fmt: skip
def test_values_become_what_the_field_is(argument: str, read: Callable[[EvolveConfig], object], value: object) -> None:
    found = read(load_with(argument))
    assert found == value and type(found) is type(value)


# --- mistakes ---


@pytest.mark.parametrize(
    ("argument", "near"),
    [
        ("teacher.modle=x", "teacher.model"),
        ("generatoins=3", "generations"),
        ("seeds.pth=x", "seeds.path"),
        ("modle=x", "teacher.model"),
        ("teacher.max_inflight=3", "teacher.max_in_flight"),
        ("engine.shard_szie=3", "engine.shard_size"),
        ("retry_faild=true", "retry_failed"),
        ("operator.deepen=1", "operators"),
    ],
)
def test_unknown_keys_name_the_near_match(argument: str, near: str) -> None:
    wrong, _, value = argument.partition("=")
    text = mistake(lambda: load_with(argument))
    section = wrong.partition(".")[0] if wrong.startswith("operator.") else wrong
    assert text.startswith(f"{section}: unknown key") and text.endswith(f"did you mean {near}?")
    assert f"did you mean {near}?" in mistake(lambda: from_mapping(EvolveConfig, {"run": "a", wrong: value}))


def test_an_unknown_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("teacher:\n  temprature: 1\n")
    text = mistake(lambda: load_with(str(path)))
    assert text == f"teacher.temprature: unknown key in {path}; did you mean teacher.temperature?"


def test_a_key_like_no_other_lists_those_known() -> None:
    text = mistake(lambda: load_with("zzz=1"))
    assert "known here: run, domain, generations, seed, operators, operators_by_generation" in text


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("generations=many", ["generations", "'many'", "Integer"]),
        ("generations=1.5", ["generations", "1.5", "Integer"]),
        ("generations=true", ["generations", "True", "Integer"]),
        ("generations=null", ["generations", "None", "int"]),
        ("teacher.timeout_seconds=soon", ["teacher.timeout_seconds", "'soon'", "Float"]),
        ("retry_failed=maybe", ["retry_failed", "'maybe'", "bool"]),
        ("operators.deepen=heavy", ["operators.deepen", "'heavy'", "Float"]),
        ("operators=heavy", ["operators", "Dict[str, float]"]),
        ("teacher=x", ["on the command line", "ModelConfig"]),
        ("operators=[1", ["operators", "not YAML", "quote it"]),
        ("teacher.model=${nowhere}", ["teacher.model", "nowhere"]),
    ],
)
def test_values_of_the_wrong_type(argument: str, parts: list[str]) -> None:
    text = mistake(lambda: load_with(argument))
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [(["seeds.path=b"], "run"), (["run=a"], "seeds.path"), (["run=a", "seeds.limit=3"], "seeds.path")],
)
def test_missing_keys_say_how_to_give_them(arguments: list[str], missing: str) -> None:
    text = mistake(lambda: load(EvolveConfig, arguments))
    assert text == f"{missing} is missing; give it as {missing}=VALUE."


def test_files_that_are_none(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.yaml")
    assert f"{nowhere}: no such config file" in mistake(lambda: load_with(nowhere))
    assert "is a folder" in mistake(lambda: load_with(str(tmp_path)))
    for content, part in (("a: [1", "not valid YAML"), ("- 1\n- 2\n", "keys and values"), ("3", "")):
        path = tmp_path / "broken.yaml"
        path.write_text(content)
        assert str(path) in mistake(lambda path=path: load_with(str(path)))  # type: ignore[misc]
        assert part in mistake(lambda path=path: load_with(str(path)))  # type: ignore[misc]
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing set\n")
    assert load_with(str(empty)) == load_with()


# --- roles ---


def test_a_role_is_the_teacher_with_what_differs() -> None:
    config = load_with(
        "teacher.model=big", "teacher.top_p=0.8", "teacher.extra_body.a=1",
        "judge={model: small, temperature: 0, extra_body: {b: 2}}",
    )  # fmt: skip
    judge = role(config, config.judge, "judge")
    assert (judge.model, judge.temperature, judge.top_p) == ("small", 0.0, 0.8)
    assert judge.extra_body == {"a": 1, "b": 2}
    assert role(config, config.responder, "responder") == config.teacher
    assert (config.teacher.model, config.teacher.extra_body) == ("big", {"a": 1})


def test_a_role_can_unset_what_the_teacher_sends() -> None:
    config = load_with("teacher.model=m", "judge.temperature=null")
    assert role(config, config.judge, "judge").temperature is None


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"modle": "x"}, ["judge.modle: unknown key", "did you mean judge.model?"]),
        ({"temperature": "hot"}, ["judge.temperature", "'hot'", "Float"]),
    ],
)
def test_mistakes_in_a_role_name_the_role(overrides: dict[str, Any], parts: list[str]) -> None:
    text = mistake(lambda: role(load_with(), overrides, "judge"))
    assert [part for part in parts if part not in text] == []
