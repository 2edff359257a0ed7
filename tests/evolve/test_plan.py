"""The plan: what the config names is found, and what cannot work is refused by name before anything starts."""

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from evolray.config import EvolveConfig, from_mapping
from evolray.errors import UserError
from evolray.evolve.plan import find_domain, make_plan
from evolray.evolve.work import Plan
from evolray.method.domains import DOMAINS
from evolray.method.teacher import Call
from evolray.pool.accounts import Usage

OWN_MODULE = """
from dataclasses import replace
from evolray import Domain
from evolray.method.domains import DOMAINS

LAW = replace(DOMAINS["open"], name="law", operators=DOMAINS["open"].operators[:2], weights=(3.0, 1.0))
NUMBER = 7

def answer(call):
    return "Yes."
"""


def config(**settings: Any) -> EvolveConfig:
    values = {"run": "runs/a", "seeds.path": "seeds.jsonl", "teacher.kind": "simulated"}
    return from_mapping(EvolveConfig, values | {key.replace("__", "."): value for key, value in settings.items()})


def plan(**settings: Any) -> Plan:
    return make_plan(config(**settings))


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that lies in the working directory and nowhere else."""
    name = f"own_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(OWN_MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    return name


BAD = [
    ("generations", 0, "generations=0: expected 1 or more"),
    ("generations", -1, "generations=-1: expected 1 or more"),
    ("engine__shard_size", 0, "engine.shard_size=0: expected 1 or more"),
    ("engine__actors", 0, "engine.actors=0: expected 1 or more"),
    ("engine__shards_in_flight", 0, "engine.shards_in_flight=0: expected 1 or more"),
    ("engine__log_seconds", 0, "engine.log_seconds=0.0: expected 0.1 or more"),
    ("seeds__limit", 0, "seeds.limit=0: expected 1 or more"),
    ("seeds__respond", "always", "seeds.respond=always: expected keep or anew"),
    ("budget__calls", 0, "budget.calls=0: expected 1 or more"),
    ("budget__tokens", -5, "budget.tokens=-5: expected 1 or more"),
    ("budget__money", -0.5, "budget.money=-0.5: expected 0 or more"),
    ("budget__money", float("nan"), "budget.money=nan: expected 0 or more"),
    ("teacher__timeout_seconds", 0, "teacher.timeout_seconds=0.0: expected 0.001 or more"),
    ("teacher__max_retries", -1, "teacher.max_retries=-1: expected 0 or more"),
    ("teacher__kind", "magic", "teacher.kind=magic: expected endpoint, simulated, scripted"),
    ("teacher__max_in_flight", 0, "teacher.max_in_flight=0: expected a number from 1, or auto"),
    ("teacher__max_in_flight", "many", "teacher.max_in_flight=many: expected a number from 1, or auto"),
    ("teacher__max_in_flight", 2.5, "teacher.max_in_flight=2.5: expected a number from 1, or auto"),
    ("teacher__max_in_flight", True, "teacher.max_in_flight=True: expected a number from 1, or auto"),
    ("teacher__max_in_flight", None, "teacher.max_in_flight=None: expected a number from 1, or auto"),
    ("teacher__requests_per_minute", 0, "teacher.requests_per_minute=0.0: expected a number above 0, or null"),
    ("teacher__tokens_per_minute", -1, "teacher.tokens_per_minute=-1.0: expected a number above 0, or null"),
    ("teacher__flaws", 1.5, "teacher.flaws=1.5: expected a share from 0 to 1"),
    ("judge", {"max_in_flight": 0}, "judge.max_in_flight=0: expected a number from 1, or auto"),
    ("judge", {"kind": "magic"}, "judge.kind=magic: expected endpoint"),
    ("judge", {"modle": "m"}, "judge.modle: unknown key"),
    ("responder", {"requests_per_minute": 0}, "responder.requests_per_minute=0.0: expected a number above 0"),
    ("domain", "poetry", "domain=poetry: expected open, code, math, or your own as package.module:NAME"),
    ("operators", {"deepn": 1}, "operators.deepn: domain 'open' has no such operator; did you mean 'deepen'?"),
    ("operators", {"deepen": -1}, "operators.deepen=-1.0"),
    (
        "operators_by_generation",
        {2: {"deepn": 1}},
        "operators_by_generation.2.deepn: domain 'open' has no such operator",
    ),
    ("operators_by_generation", {2: {"deepen": -1}}, "operators_by_generation.2.deepen=-1.0: a weight is a number"),
    (
        "operators_by_generation",
        {0: {"deepen": 1}},
        "operators_by_generation.0: generation 0 are the seeds; expected 1",
    ),
    ("operators", dict.fromkeys([o.name for o in DOMAINS["open"].operators], 0), "operators: every weight is 0"),
]


@pytest.mark.parametrize(("key", "value", "said"), BAD, ids=[f"{key}={value}" for key, value, _ in BAD])
def test_a_value_that_cannot_work_is_refused_with_what_is_expected(key: str, value: Any, said: str) -> None:
    with pytest.raises(UserError) as raised:
        plan(**{key: value})
    assert said in str(raised.value)


def test_the_smallest_and_largest_values_are_fine() -> None:
    made = plan(generations=1, budget__money=0, teacher__max_in_flight=1, teacher__flaws=1.0, teacher__max_retries=0)
    assert (made.method.generations, made.groups["teacher"].max_in_flight) == (1, 1)


def test_the_method_follows_the_config() -> None:
    method = plan(domain="math", generations=2, seed=7, seeds__respond="anew").method
    assert (method.domain.name, method.generations, method.seed, method.answer_seeds_anew) == ("math", 2, 7, True)
    assert plan().method.answer_seeds_anew is False


def test_one_model_has_one_group_of_limits() -> None:
    made = plan(judge={"temperature": 0.0}, responder={"max_tokens": 9})
    assert set(made.groups) == {"teacher"}
    assert {role.group for role in made.roles.values()} == {"teacher"}
    assert made.roles["judge"].model.temperature == 0.0
    assert (made.roles["respond"].model.max_tokens, made.roles["evolve"].model.max_tokens) == (9, 2048)


@pytest.mark.parametrize(
    "other", [{"model": "n"}, {"kind": "scripted"}, {"max_in_flight": 3}, {"price_per_million_prompt_tokens": 1.0}]
)
def test_another_model_or_other_limits_are_another_group(other: dict[str, Any]) -> None:
    made = make_plan(config(judge=other), script=lambda call: "Equal")
    assert [made.roles[purpose].group for purpose in ("evolve", "judge", "respond")] == ["teacher", "judge", "teacher"]
    assert set(made.groups) == {"teacher", "judge"}


def test_judge_and_responder_may_share_what_the_teacher_does_not_have() -> None:
    made = plan(judge={"model": "n"}, responder={"model": "n"})
    assert [made.roles[purpose].group for purpose in ("evolve", "judge", "respond")] == ["teacher", "judge", "judge"]


def test_endpoints_are_told_apart_by_all_that_is_sent() -> None:
    made = plan(
        teacher__kind="endpoint", teacher__base_url="http://localhost:1/v1", teacher__model="m",
        judge={"temperature": 0.0}, responder={"base_url": "http://localhost:2/v1", "model": "n"},
    )  # fmt: skip
    assert [(one.base_url, one.model, one.temperature) for one in made.endpoints] == [
        ("http://localhost:1/v1", "m", 1.0),
        ("http://localhost:1/v1", "m", 0.0),
        ("http://localhost:2/v1", "n", 1.0),
    ]
    same = plan(teacher__kind="endpoint", teacher__base_url="http://localhost:1/v1", teacher__model="m")
    assert len(same.endpoints) == 1
    assert plan().endpoints == []


def test_a_model_must_be_named() -> None:
    with pytest.raises(UserError, match=r"teacher\.model is missing"):
        plan(teacher__kind="endpoint")
    with pytest.raises(UserError, match=r"judge\.model is missing"):
        plan(judge={"kind": "endpoint"})


def test_the_address_comes_from_the_config_or_the_environment_or_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    def base_url(**settings: Any) -> str:
        (endpoint,) = plan(teacher__kind="endpoint", teacher__model="m", **settings).endpoints
        return endpoint.base_url

    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert base_url() == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:7/v1")
    assert base_url() == "http://localhost:7/v1"
    assert base_url(teacher__base_url="http://localhost:8/v1") == "http://localhost:8/v1"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="base_url is 'localhost:8000'"):
        plan(teacher__kind="endpoint", teacher__model="m", teacher__base_url="localhost:8000")


def test_a_domain_of_ones_own_is_found_in_the_working_directory(own_module: str) -> None:
    made = plan(domain=f"{own_module}:LAW")
    assert made.method.domain.name == "law"
    assert [operator.name for operator in made.method.domain.operators] == ["add_constraints", "deepen"]


def test_a_domain_of_ones_own_keeps_its_odds_but_for_what_the_config_says(own_module: str) -> None:
    own = find_domain(f"{own_module}:LAW")
    assert make_plan(config(), domain=own).method.domain.weights == (3.0, 1.0)
    assert plan(domain=f"{own_module}:LAW").method.domain.weights == (3.0, 1.0)
    assert plan(domain=f"{own_module}:LAW", operators={"deepen": 0}).method.domain.weights == (3.0, 0.0)


def test_odds_of_the_config_leave_the_others_at_one() -> None:
    weights = plan(operators={"mutate": 0.5}).method.domain.weights
    assert weights == (1.0, 1.0, 1.0, 1.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{module}:NOWHERE", "cannot be imported"),
        ("{module}:", "cannot be imported"),
        (":LAW", "cannot be imported"),
        ("nowhere.at_all:LAW", "cannot be imported"),
        ("{module}:NUMBER", "it is a int; expected an evolray.Domain"),
        ("{module}:answer", "it is a function; expected an evolray.Domain"),
    ],
)
def test_a_domain_that_is_none_is_refused_by_name(own_module: str, name: str, said: str) -> None:
    full = name.format(module=own_module)
    with pytest.raises(UserError) as raised:
        plan(domain=full)
    assert f"domain={full}: {said}" in str(raised.value)


@pytest.mark.parametrize("content", ["def broken(:\n", "raise RuntimeError('at import')\n", "nothing_of_this_name\n"])
def test_a_module_that_cannot_be_loaded_is_the_users_mistake(own_module: str, content: str) -> None:
    Path(f"{own_module}_broken.py").write_text(content)
    with pytest.raises(UserError, match=f"domain={own_module}_broken:LAW: cannot be imported"):
        plan(domain=f"{own_module}_broken:LAW")


def test_a_script_is_found_by_name_or_handed_over(own_module: str) -> None:
    named = plan(teacher__kind="scripted", teacher__script=f"{own_module}:answer")
    assert {role.script is not None for role in named.roles.values()} == {True}
    script = named.roles["judge"].script
    assert script is not None and script(Call("judge", "0" * 16, 1, ())) == "Yes."
    handed = make_plan(config(teacher__kind="scripted"), script=lambda call: "No.")
    assert handed.roles["respond"].script is not script


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "teacher.kind=scripted needs teacher.script=package.module:function"),
        ("{module}:NUMBER", "it is a int; expected a function"),
        ("{module}:nowhere", "cannot be imported"),
        ("{module}", "cannot be imported"),
    ],
)
def test_a_script_that_is_none_is_refused(own_module: str, script: str | None, said: str) -> None:
    with pytest.raises(UserError) as raised:
        plan(teacher__kind="scripted", teacher__script=script and script.format(module=own_module))
    assert said in str(raised.value) and "teacher.script" in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "shards"),
    [
        ({"teacher__max_in_flight": 256, "engine__shard_size": 256}, 8),  # as measured: 8 hold 256 in flight
        ({"teacher__max_in_flight": 256, "engine__shard_size": 64}, 32),
        ({"teacher__max_in_flight": 257, "engine__shard_size": 256}, 9),
        ({"teacher__max_in_flight": 1}, 2),  # never one alone
        ({"teacher__max_in_flight": 10_000, "engine__shard_size": 1}, 64),  # never a thread per record
        ({"teacher__max_in_flight": "auto"}, 32),
        ({"teacher__max_in_flight": 128, "judge": {"model": "n"}}, 8),  # two groups of 128
        ({"teacher__max_in_flight": 10_000, "engine__shards_in_flight": 1}, 1),
        ({"teacher__max_in_flight": 1, "engine__shards_in_flight": 100}, 100),
    ],
)
def test_open_shards_follow_from_the_calls_in_flight(settings: dict[str, Any], shards: int) -> None:
    made = config(**settings)
    assert make_plan(made).shards_in_flight(made.engine) == shards


def identity(**settings: Any) -> dict[str, Any]:
    made = config(**settings)
    return make_plan(made).identity(made)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"generations": 5},
        {"domain": "math"},
        {"operators": {"deepen": 2}},
        {"operators_by_generation": {4: {"deepen": 2}}},
        {"seeds__respond": "anew"},
        {"seeds__turn": "first"},
        {"teacher__model": "n"},
        {"teacher__system": None},
        {"teacher__temperature": 0.5},
        {"teacher__max_tokens": 100},
        {"teacher__extra_body": {"seed": 1}},
        {"teacher__frequency_penalty": 1.0},
        {"teacher__presence_penalty": 1.0},
        {"teacher__flaws": 0.2},
        {"judge": {"temperature": 0.0}},
        {"responder": {"model": "n"}},
    ],
    ids=str,
)
def test_what_makes_another_pool_is_in_the_identity(settings: dict[str, Any]) -> None:
    assert identity(**settings) != identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"run": "runs/b"},
        {"seeds__path": "other.jsonl"},
        {"seeds__limit": 3},
        {"engine__actors": 4},
        {"engine__shard_size": 7},
        {"budget__calls": 3},
        {"retry_failed": True},
        {"teacher__max_in_flight": 3},
        {"teacher__max_retries": 1},
        {"teacher__price_per_million_prompt_tokens": 1.0},
        {"teacher__api_key_env": "OTHER_KEY"},
        {"teacher__base_url": "http://localhost:1/v1"},
        {"operators": {"deepen": 1}},
        {"operators_by_generation": {2: {"deepen": 1}, 3: {}}},
        {"operators_by_generation": {5: {"deepen": 2}}},  # generations=4
    ],
    ids=str,
)
def test_what_only_changes_how_a_pool_is_made_is_not(settings: dict[str, Any]) -> None:
    assert identity(**settings) == identity()


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"temperature": 0.1}, False),
        ({"model": "n"}, False),
        ({"presence_penalty": 1.0}, False),
        ({"max_in_flight": 9}, True),
        ({"base_url": "http://localhost:1/v1"}, True),
    ],
    ids=str,
)
def test_a_role_is_told_apart_in_the_ledger_by_what_changes_its_answers(settings: dict[str, Any], same: bool) -> None:
    made = plan(judge=settings)
    assert (made.roles["judge"].fingerprint == made.roles["evolve"].fingerprint) is same


def test_weights_by_generation_are_kept_in_full_and_only_where_they_differ() -> None:
    """So that a pool without them is the one it was before there were any, and a campaign may name those to come."""
    made = identity(domain="math", operators={"simplify": 0}, operators_by_generation={2: {"concretize": 3}, 4: {}})
    assert "operators_by_generation" not in identity()
    odds = {"add_constraints": 1, "concretize": 3, "add_reasoning_steps": 1, "simplify": 0, "simpler_topic": 1}
    assert made["operators_by_generation"] == {2: odds, 3: odds}


def test_every_role_costs_at_its_own_prices() -> None:
    made = plan(
        teacher__price_per_million_prompt_tokens=2.0,
        teacher__price_per_million_completion_tokens=10.0,
        judge={"price_per_million_prompt_tokens": 0.5, "price_per_million_completion_tokens": 1.0},
    )
    usage = {"evolve": Usage(1, 1_000_000, 100_000), "judge": Usage(9, 2_000_000, 3_000_000)}
    assert made.cost(usage) == pytest.approx(2.0 + 1.0 + 1.0 + 3.0)
    assert made.cost({}) == 0.0


def test_retrying_is_part_of_the_plan() -> None:
    assert plan(retry_failed=True).retry_failed is True
    assert plan().retry_failed is False


def test_a_plan_travels_to_actors() -> None:
    from ray import cloudpickle  # what Ray uses

    for domain in DOMAINS:
        made = plan(domain=domain, teacher__kind="endpoint", teacher__model="m", judge={"temperature": 0})
        again = pickle.loads(cloudpickle.dumps(made))
        assert (again.roles, again.groups, again.method.seed) == (made.roles, made.groups, made.method.seed)
        assert again.method.domain.prompt_hashes() == made.method.domain.prompt_hashes()
