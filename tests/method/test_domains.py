"""Domains are data: which operators they have, what weights do, what the manifest keeps of them, how to add one."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from evolray.errors import UserError
from evolray.method.domains import DOMAINS, Domain
from evolray.method.elimination import InstructionRule, instruction_rules
from evolray.method.evolution import Method, evolve_lineage
from evolray.method.operators import Operator
from evolray.method.teacher import Call
from evolray.records import Eliminated, Record, Seed
from evolray.teachers.scripted import ScriptedTeacher


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("open", ["add_constraints", "deepen", "concretize", "add_reasoning_steps", "complicate_input", "mutate"]),
        ("code", ["add_constraints", "replace_requirement", "add_reasoning_steps", "mislead", "raise_complexity"]),
        ("math", ["add_constraints", "concretize", "add_reasoning_steps", "simplify", "simpler_topic"]),
    ],
)
def test_operators_of_the_papers(name: str, operators: list[str]) -> None:
    domain = DOMAINS[name]
    assert domain.name == name
    assert [operator.name for operator in domain.operators] == operators
    assert [operator.name for operator in domain.operators if operator.variants] == [
        one for one in operators if one == "complicate_input"
    ]
    assert len({(operator.prompt, operator.method) for operator in domain.operators}) == len(operators)


def test_these_are_all_domains() -> None:
    assert list(DOMAINS) == ["open", "code", "math"]


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_the_papers_rules_are_in_every_domain(domain: Domain) -> None:
    assert "prompt_leak" in {rule.reason for rule in domain.instruction_rules}
    assert {"refusal", "no_content"} <= {rule.reason for rule in domain.response_rules}
    assert domain.weights == ()


# --- weights ---


def test_weights_stand_in_the_order_of_the_operators() -> None:
    domain = DOMAINS["code"].weighted({"mislead": 0.5, "add_constraints": 2})
    assert domain.weights == (2.0, 1.0, 1.0, 0.5, 1.0)
    assert DOMAINS["code"].weights == ()
    assert replace(domain, weights=()) == DOMAINS["code"]


def test_the_only_operator_with_weight_is_always_chosen() -> None:
    domain = DOMAINS["math"].weighted({one.name: one.name == "simplify" for one in DOMAINS["math"].operators})
    assert {domain.choose(Random(i)).name for i in range(50)} == {"simplify"}


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        ({"deepn": 1}, ["operators.deepn", "'open'", "did you mean 'deepen'?"]),
        ({"mutate": 1, "add_constraint": 1}, ["operators.add_constraint:", "did you mean 'add_constraints'?"]),
        ({"zzz": 1}, ["operators.zzz", "it has add_constraints, deepen, concretize"]),
        ({"deepen": -0.1}, ["operators.deepen=-0.1", "a number from 0"]),
        ({"deepen": float("nan")}, ["operators.deepen=nan", "a number from 0"]),
        ({"deepen": float("inf")}, ["operators.deepen=inf", "a number from 0"]),
        ({one.name: 0 for one in DOMAINS["open"].operators}, ["every weight is 0", "leave at least one above 0"]),
    ],
)
def test_weights_that_make_no_sense(weights: dict[str, float], parts: list[str]) -> None:
    with pytest.raises(UserError) as error:
        DOMAINS["open"].weighted(weights)
    assert [part for part in parts if part not in str(error.value)] == []


# --- what the manifest keeps ---


def test_prompt_hashes_change_with_a_text_and_only_its_own() -> None:
    domain = DOMAINS["open"]
    before = domain.prompt_hashes()
    assert before.keys() == {"equality", "response", *(f"operator/{one.name}" for one in domain.operators)}
    assert all(len(value) == 64 for value in before.values()) and before == domain.prompt_hashes()

    def changed(other: Domain) -> set[str]:
        after = other.prompt_hashes()
        assert after.keys() == before.keys()
        return {name for name in before if before[name] != after[name]}

    first, second, *rest = domain.operators
    for altered in (replace(second, prompt=f"{second.prompt}."), replace(second, method=f"{second.method}.")):
        assert changed(replace(domain, operators=(first, altered, *rest))) == {f"operator/{second.name}"}
    assert changed(replace(domain, equality_prompt=f"{domain.equality_prompt}.")) == {"equality"}
    assert changed(replace(domain, response_prompt="Answer: {instruction}")) == {"response"}
    assert changed(domain.weighted({"mutate": 0})) == set()


# --- a domain of one's own ---


def test_a_domain_made_by_a_user_evolves() -> None:
    shouting = Operator(
        "shout", "Say it louder, in the tone of {format}.\n{context}{instruction}", variants=("a captain",)
    )
    no_whisper = InstructionRule("whisper", lambda evolved: "psst" in evolved.text)
    domain = Domain(
        "pirate",
        (shouting,),
        (*instruction_rules(("say it louder",)), no_whisper),
        response_prompt="Answer as a pirate: {instruction}",
    )
    evolved = {1: "NAME BIRDS!", 2: "Say it louder: name birds", 3: "psst, name birds", 4: "NAME ALL THE BIRDS!"}

    def answer(call: Call) -> str:
        return {"evolve": evolved.get(call.generation, ""), "judge": "Not Equal", "respond": "Arr, parrots."}[
            call.purpose
        ]

    teacher = ScriptedTeacher(answer)
    outcomes = asyncio.run(evolve_lineage(Seed("Name trees", response="Oak."), Method(domain), teacher))
    assert [one.operator for one in outcomes] == ["seed", *["shout"] * 4]
    assert [one.reason for one in outcomes if isinstance(one, Eliminated)] == ["prompt_leak", "whisper"]
    kept = [one for one in outcomes if isinstance(one, Record)]
    assert [(one.domain, one.variant, one.instruction) for one in kept[1:]] == [
        ("pirate", "a captain", "NAME BIRDS!"), ("pirate", "a captain", "NAME ALL THE BIRDS!"),
    ]  # fmt: skip
    assert teacher.calls[0].messages[0].content == "Say it louder, in the tone of a captain.\nName trees"
    assert teacher.calls[2].messages[0].content == "Answer as a pirate: NAME BIRDS!"
    assert domain.weighted({"shout": 2}).prompt_hashes().keys() == {"operator/shout", "equality", "response"}
