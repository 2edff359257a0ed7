"""Lineages with a scripted teacher: what is asked, in which order, and what becomes of every generation."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from evolray.method.domains import DOMAINS, Domain
from evolray.method.evolution import VERDICT_ATTEMPTS, Method, evolve_lineage
from evolray.method.operators import DATA_FORMATS, render
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.records import Eliminated, Failed, Outcome, Record, Seed, Turn
from evolray.teachers.scripted import Answer, ScriptedTeacher

OPEN = DOMAINS["open"]
SEED = Seed("Name three birds.", response="Emu, kiwi, owl.", source="seeds.json", line=7)
ANSWER = "Ostrich, emu and kiwi."
REFUSAL = "I am sorry, I cannot."

Script = Mapping[tuple[str, int], Answer | Callable[[Call], Answer]]


def scripted(script: Script | None = None) -> ScriptedTeacher:
    """Evolves to "Instruction of generation N.", finds nothing equal and answers; `script` has what differs."""

    def answer(call: Call) -> Answer:
        default = {
            "evolve": f"Instruction of generation {call.generation}.",
            "judge": "Not Equal",
            "respond": f"{ANSWER} ({call.generation})",
        }[call.purpose]
        scripted_answer = (script or {}).get((call.purpose, call.generation), default)
        return scripted_answer(call) if callable(scripted_answer) else scripted_answer

    return ScriptedTeacher(answer)


def evolve(
    teacher: ScriptedTeacher,
    root: Seed = SEED,
    domain: Domain = OPEN,
    *,
    generations: int = 3,
    seed: int = 0,
    answer_seeds_anew: bool = False,
) -> list[Outcome]:
    return asyncio.run(evolve_lineage(root, Method(domain, generations, seed, answer_seeds_anew), teacher))


def asked(teacher: ScriptedTeacher, generation: int | None = None) -> list[str]:
    return [call.purpose for call in teacher.calls if generation in (None, call.generation)]


def record(outcome: Outcome) -> Record:
    assert isinstance(outcome, Record), outcome
    return outcome


def eliminated(outcome: Outcome) -> Eliminated:
    assert isinstance(outcome, Eliminated), outcome
    return outcome


def failed(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def only(domain: Domain, name: str) -> Domain:
    """The domain with one operator to choose from."""
    return domain.weighted({one.name: one.name == name for one in domain.operators})


# --- what is asked ---


def test_a_generation_asks_one_operator_then_the_judge_then_for_the_response() -> None:
    teacher = scripted()
    outcomes = evolve(teacher)
    assert [(call.generation, call.purpose) for call in teacher.calls] == [
        (generation, purpose) for generation in (1, 2, 3) for purpose in ("evolve", "judge", "respond")
    ]
    assert [outcome.id for outcome in outcomes] == [f"{SEED.root_id}.g{n}" for n in range(4)]
    assert [record(one).instruction for one in outcomes] == [
        SEED.text, *(f"Instruction of generation {n}." for n in (1, 2, 3)),
    ]  # fmt: skip
    assert [record(one).response for one in outcomes[1:]] == [f"{ANSWER} ({n})" for n in (1, 2, 3)]
    assert {(call.root_id, call.attempt) for call in teacher.calls} == {(SEED.root_id, 0)}


def test_every_prompt_is_about_the_present_parent_and_its_child() -> None:
    teacher = scripted()
    outcomes = evolve(teacher)
    for parent, child in pairwise(outcomes):
        before, after = record(parent).instruction, record(child)
        evolving, judging, responding = (call for call in teacher.calls if call.generation == after.generation)
        (operator,) = (one for one in OPEN.operators if one.name == after.operator)
        assert evolving.messages == (Turn("user", operator.render(before, after.variant)),)
        verdict_prompt = render(OPEN.equality_prompt, first=before, second=after.instruction)
        assert judging.messages == (Turn("user", verdict_prompt),)
        assert responding.messages == (Turn("user", after.instruction),)


@pytest.mark.parametrize(
    ("script", "purposes", "reason", "step"),
    [
        ({("evolve", 2): "  "}, ["evolve"], "empty", "evolve"),
        ({("evolve", 2): "Instruction of generation 1"}, ["evolve"], "unchanged", "evolve"),
        ({("evolve", 2): "#Rewritten Prompt#: Name birds."}, ["evolve"], "prompt_leak", "evolve"),
        ({("evolve", 2): Completion("Name four", "length")}, ["evolve"], "truncated", "evolve"),
        ({("judge", 2): "Equal"}, ["evolve", "judge"], "no_information_gain", "judge"),
        ({("respond", 2): REFUSAL}, ["evolve", "judge", "respond"], "refusal", "respond"),
        ({("respond", 2): "It is."}, ["evolve", "judge", "respond"], "no_content", "respond"),
    ],
)
def test_nothing_is_asked_after_a_rejection(script: Script, purposes: list[str], reason: str, step: str) -> None:
    teacher = scripted(script)
    outcomes = evolve(teacher)
    lost = eliminated(outcomes[2])
    assert asked(teacher, 2) == purposes
    assert (lost.reason, lost.step, lost.parent_id) == (reason, step, f"{SEED.root_id}.g1")
    assert asked(teacher, 3) == ["evolve", "judge", "respond"] and record(outcomes[3])


def test_the_eliminated_keep_their_texts_and_tokens() -> None:
    teacher = scripted({("evolve", 1): " New. ", ("respond", 1): Completion(REFUSAL, "stop", 5, 6, "teacher-x")})
    lost = eliminated(evolve(teacher, generations=1)[1])
    assert (lost.instruction, lost.response, lost.teacher, lost.domain) == ("New.", REFUSAL, "teacher-x", "open")
    evolving, judging = teacher.calls[0], teacher.calls[1]
    prompts = [len(call.messages[0].content) // 4 for call in (evolving, judging)]
    assert (lost.prompt_tokens, lost.completion_tokens) == (sum(prompts) + 5, 6 // 4 + len("Not Equal") // 4 + 6)


# --- lineage ---


def test_the_parent_of_an_eliminated_child_is_tried_again() -> None:
    teacher = scripted({("judge", 2): "Equal", ("respond", 3): REFUSAL, ("judge", 6): "Equal"})
    outcomes = evolve(teacher, generations=7)
    root = SEED.root_id
    kinds = [type(outcome).__name__[0] for outcome in outcomes]
    assert kinds == ["R", "R", "E", "E", "R", "R", "E", "R"]
    parents = [outcome.parent_id for outcome in outcomes]
    assert parents == [None, *(f"{root}.g{n}" for n in (0, 1, 1, 1, 4, 5, 5))]
    assert {n: record(outcomes[n]).attempts for n in (0, 1, 4, 5, 7)} == {0: 0, 1: 1, 4: 3, 5: 1, 7: 2}
    evolving = {call.generation: call.messages[0].content for call in teacher.calls if call.purpose == "evolve"}
    for generation, parent in {1: 0, 2: 1, 3: 1, 4: 1, 5: 4, 6: 5, 7: 5}.items():
        assert record(outcomes[parent]).instruction in evolving[generation]
    assert "Instruction of generation 2." not in evolving[3]


def test_the_child_of_the_in_breadth_operator_becomes_the_parent() -> None:
    teacher = scripted({("evolve", 1): "What do moths eat?"})
    outcomes = evolve(teacher, domain=only(OPEN, "mutate"), generations=2)
    assert [record(one).operator for one in outcomes] == ["seed", "mutate", "mutate"]
    assert record(outcomes[2]).parent_id == f"{SEED.root_id}.g1"
    second = next(call for call in teacher.calls if (call.purpose, call.generation) == ("evolve", 2))
    assert "What do moths eat?" in second.messages[0].content and SEED.instruction not in second.messages[0].content


def test_no_generations_is_the_seed_alone() -> None:
    assert [outcome.id for outcome in evolve(scripted(), generations=0)] == [f"{SEED.root_id}.g0"]


# --- generation 0 ---


@pytest.mark.parametrize(
    ("seed", "anew", "response", "calls"),
    [
        (SEED, False, SEED.response, []),
        (SEED, True, f"{ANSWER} (0)", ["respond"]),
        (replace(SEED, response=""), False, f"{ANSWER} (0)", ["respond"]),
        (replace(SEED, response=" \n"), False, f"{ANSWER} (0)", ["respond"]),
        (replace(SEED, response=REFUSAL), False, REFUSAL, []),  # a seed's own response is no rule's business
    ],
)
def test_seed_responses(seed: Seed, anew: bool, response: str, calls: list[str]) -> None:
    teacher = scripted()
    first = record(evolve(teacher, seed, answer_seeds_anew=anew)[0])
    assert asked(teacher, 0) == calls
    assert (first.response, first.generation, first.parent_id, first.operator) == (response, 0, None, "seed")
    assert (first.attempts, first.variant, first.instruction) == (0, "", SEED.text)
    assert first.teacher == ("scripted" if calls else "")
    assert (first.completion_tokens > 0) == bool(calls)


def test_a_seed_that_is_refused_still_evolves() -> None:
    teacher = scripted({("respond", 0): REFUSAL})
    outcomes = evolve(teacher, replace(SEED, response=""))
    lost = eliminated(outcomes[0])
    assert (lost.reason, lost.operator, lost.step, lost.parent_id) == ("refusal", "seed", "respond", None)
    assert [record(one).attempts for one in outcomes[1:]] == [1, 1, 1]
    assert record(outcomes[1]).parent_id == lost.id


def test_a_seed_whose_response_fails_still_evolves() -> None:
    teacher = scripted({("respond", 0): TeacherError("x", "timeout", "gave up")})
    outcomes = evolve(teacher, replace(SEED, response=""))
    assert (failed(outcomes[0]).cause, failed(outcomes[0]).operator) == ("timeout", "seed")
    assert [type(one) for one in outcomes[1:]] == [Record] * 3


def test_instruction_and_input_evolve_as_one_text() -> None:
    teacher = scripted()
    evolve(teacher, Seed("  Sum these. ", "1, 2\n3 ", "6"))
    assert "#Given Prompt#:\nSum these.\n1, 2\n3\n#" in teacher.calls[0].messages[0].content


# --- failures ---


@pytest.mark.parametrize(("purpose", "num_calls"), [("evolve", 1), ("judge", 2), ("respond", 3)])
def test_a_failed_call_ends_the_lineage(purpose: str, num_calls: int) -> None:
    teacher = scripted({(purpose, 2): TeacherError("x", "timeout", "no answer in 300 s")})
    outcomes = evolve(teacher, generations=4)
    assert record(outcomes[1]) and len(outcomes) == 5
    causes = [(failed(one).cause, failed(one).generation) for one in outcomes[2:]]
    assert causes == [("timeout", 2), ("earlier_generation", 3), ("earlier_generation", 4)]
    assert failed(outcomes[2]).message == "no answer in 300 s"
    assert len(asked(teacher, 2)) == num_calls and asked(teacher, 3) == asked(teacher, 4) == []
    for one in outcomes[2:]:
        assert (failed(one).source, failed(one).line, one.parent_id) == ("seeds.json", 7, f"{SEED.root_id}.g1")


def test_failed_generations_carry_the_operator_that_a_retry_will_use() -> None:
    whole = evolve(scripted(), generations=4)
    broken = evolve(scripted({("judge", 2): TeacherError("x", "timeout", "gave up")}), generations=4)
    assert [one.operator for one in broken] == [one.operator for one in whole]
    assert whole[:2] == broken[:2]


def test_errors_of_other_kinds_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        evolve(scripted({("judge", 1): ZeroDivisionError()}))


@pytest.mark.parametrize("said", ["Equal, because both ask the same.", "", "Yes"])
def test_an_answer_that_is_no_verdict_is_asked_again_and_then_failed(said: str) -> None:
    teacher = scripted({("judge", 1): said})
    outcomes = evolve(teacher, generations=2)
    assert asked(teacher, 1) == ["evolve", *["judge"] * VERDICT_ATTEMPTS]
    judging = [call for call in teacher.calls if call.purpose == "judge"]
    assert [call.attempt for call in judging] == list(range(VERDICT_ATTEMPTS))
    assert len({call.messages for call in judging}) == 1
    assert failed(outcomes[1]).cause == "unparsed_verdict" and repr(said[:60]) in failed(outcomes[1]).message
    assert failed(outcomes[2]).cause == "earlier_generation"


@pytest.mark.parametrize(("verdict", "expected"), [("Equal", Eliminated), ("Not Equal", Record)])
def test_the_last_verdict_attempt_still_counts(verdict: str, expected: type) -> None:
    def judge(call: Call) -> str:
        return verdict if call.attempt == VERDICT_ATTEMPTS - 1 else "Hm."

    teacher = scripted({("judge", 1): judge})
    assert type(evolve(teacher, generations=1)[1]) is expected
    assert asked(teacher).count("judge") == VERDICT_ATTEMPTS


# --- chance ---


def plan(seed_number: int, num_roots: int = 40, domain: Domain = OPEN) -> list[list[tuple[str, str]]]:
    """Operator and variant of every generation of many roots."""
    lineages = (evolve(scripted(), Seed(f"Task {i}", "", "x"), domain, seed=seed_number) for i in range(num_roots))
    return [[(one.operator, record(one).variant) for one in lineage[1:]] for lineage in lineages]


def test_the_seed_number_decides_the_lineage() -> None:
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_chance_does_not_hang_on_what_was_drawn_before_or_elsewhere() -> None:
    seeds = [Seed(f"Task {i}", "", "x") for i in range(20)]
    script = {("judge", 1): "Equal"}

    async def together() -> list[list[Outcome]]:
        lineages = (evolve_lineage(seed, Method(OPEN), scripted()) for seed in reversed(seeds))
        return list(await asyncio.gather(*lineages))

    for seed, lineage in zip(reversed(seeds), asyncio.run(together()), strict=True):
        alone = evolve(scripted(), seed, generations=4)
        assert lineage == alone
        retried = evolve(scripted(script), seed, generations=4)  # an elimination changes no later draw
        assert [one.operator for one in retried] == [one.operator for one in alone]


def test_the_input_belongs_to_the_root_and_the_response_does_not() -> None:
    one, other = (Seed("Sum these.", text, "x") for text in ("1 2", "1 3"))
    assert one.root_id != other.root_id
    assert evolve(scripted(), replace(one, response="y"))[1:] == evolve(scripted(), one)[1:]


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_operators_are_drawn_with_equal_odds(domain: Domain) -> None:
    drawn = [pair for lineage in plan(0, 400, domain) for pair in lineage]
    counts = Counter(operator for operator, _ in drawn)
    assert counts.keys() == {operator.name for operator in domain.operators}
    expected = len(drawn) / len(domain.operators)
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = len(domain.operators) - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)  # 4 standard deviations
    if domain is OPEN:
        formats = Counter(variant for operator, variant in drawn if operator == "complicate_input")
        assert formats.keys() == set(DATA_FORMATS) and min(formats.values()) > 0.5 * max(formats.values())
    assert {variant for operator, variant in drawn if operator != "complicate_input"} == {""}


def test_weight_0_leaves_an_operator_out_and_weight_3_is_three_times_as_likely() -> None:
    domain = OPEN.weighted({"mutate": 0, "deepen": 3})
    counts = Counter(operator for lineage in plan(0, 400, domain) for operator, _ in lineage)
    assert "mutate" not in counts and len(counts) == 5
    others = [count for name, count in counts.items() if name != "deepen"]
    assert 2.3 < counts["deepen"] / (sum(others) / len(others)) < 3.9


def test_odds_count_from_a_generation_on_and_until_the_next() -> None:
    method = Method(only(OPEN, "deepen"), 5, later={4: only(OPEN, "concretize"), 2: only(OPEN, "mutate")})
    outcomes = asyncio.run(evolve_lineage(SEED, method, scripted()))
    drawn = [record(one).operator for one in outcomes[1:]]
    assert drawn == ["deepen", "mutate", "mutate", "concretize", "concretize"]


def test_odds_of_later_generations_leave_the_earlier_ones_as_they_are() -> None:
    grown = Method(OPEN, 3, later={3: OPEN.weighted({"deepen": 9})})
    for number in range(40):
        root = Seed(f"Name {number} birds.", ANSWER)
        short = asyncio.run(evolve_lineage(root, Method(OPEN, 2), scripted()))
        assert asyncio.run(evolve_lineage(root, grown, scripted()))[:3] == short


def test_generations_draw_anew() -> None:
    lineages = plan(0, 60)
    assert {len({operator for operator, _ in lineage}) for lineage in lineages} == {1, 2, 3}


def test_choose_takes_the_random_source_that_it_is_given() -> None:
    draws = [OPEN.choose(Random(3)).name for _ in range(5)]
    assert len(set(draws)) == 1


# --- context, tokens, domains ---


def test_turns_of_a_conversation_go_with_the_response_and_into_the_operator() -> None:
    context = (Turn("user", "I like {method} birds."), Turn("assistant", "So do I."))
    teacher = scripted({("judge", 2): "Equal"})
    outcomes = evolve(teacher, replace(SEED, context=context, response=""))
    for call in teacher.calls:
        prompt = call.messages[-1].content
        if call.purpose == "respond":
            assert call.messages[:-1] == context
        elif call.purpose == "evolve":
            assert len(call.messages) == 1
            assert "#Conversation#:\nuser: I like {method} birds.\nassistant: So do I.\n" in prompt
        else:
            assert len(call.messages) == 1 and "So do I." not in prompt
    assert asked(teacher, 0) == ["respond"]
    assert [one.context for one in outcomes if not isinstance(one, Failed)] == [context] * 4
    assert outcomes[0].root_id != SEED.root_id


def test_tokens_of_all_answers_are_summed() -> None:
    numbers = {("evolve", 1): (100, 10), ("judge", 1): (20, 2), ("respond", 1): (3, 0)}
    texts = {"evolve": "Name four birds.", "judge": "Not Equal", "respond": ANSWER}
    script: dict[tuple[str, int], Answer | Callable[[Call], Answer]] = {
        key: Completion(texts[key[0]], "stop", *tokens, f"{key[0]}-model") for key, tokens in numbers.items()
    }
    child = record(evolve(scripted(script), generations=1)[1])
    assert (child.prompt_tokens, child.completion_tokens, child.teacher) == (123, 12, "respond-model")

    def judge(call: Call) -> Completion:
        return Completion("Not Equal" if call.attempt else "Hm.", "stop", 20, 2)

    child = record(evolve(scripted({**script, ("judge", 1): judge}), generations=1)[1])
    assert (child.prompt_tokens, child.completion_tokens) == (143, 14)  # asked twice, paid twice


def test_the_math_domain_asks_for_a_solution_step_by_step() -> None:
    math_domain = DOMAINS["math"]
    seed = Seed("What is 2 + 3?")
    teacher = scripted({("respond", 1): "  2 + 3 = 5.\nThe answer is: 5\n"})
    outcomes = evolve(teacher, seed, math_domain, generations=1)
    prompts = [call.messages[-1].content for call in teacher.calls if call.purpose == "respond"]
    for prompt, instruction in zip(prompts, [seed.text, "Instruction of generation 1."], strict=True):
        assert prompt.endswith(f"\n#Problem#:\n{instruction}\n#Solution#:")
        assert "step by step" in prompt and "The answer is: N" in prompt
    assert record(outcomes[1]).response == "2 + 3 = 5.\nThe answer is: 5"
    assert {record(one).domain for one in outcomes} == {"math"}
