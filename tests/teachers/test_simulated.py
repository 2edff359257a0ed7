"""The offline teacher answers the prompts the method really sends, deterministically and with the defects asked for."""

import ast
import asyncio
import html.parser
import json
import re
import sqlite3
import string
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from evolray.method.difficulty import difficulty_prompt, parse_difficulty
from evolray.method.domains import DOMAINS
from evolray.method.elimination import Evolved, parse_verdict, reject_instruction, reject_response
from evolray.method.operators import DATA_FORMATS, Operator, render
from evolray.method.skills import parse_skills, skills_prompt
from evolray.method.teacher import Call, Completion
from evolray.records import Turn
from evolray.teachers.simulated import SimulatedTeacher, arithmetic
from evolray.teachers.simulated import phrases as simulated_phrases
from evolray.teachers.simulated import teacher as simulated
from evolray.teachers.simulated.prompts import kind

INSTRUCTIONS = {
    "open": "Suggest ways in which a city can reduce traffic noise",
    "code": "Write a Python function that reverses the words of a sentence.",
    "math": "Tom has 19 apples. Tom sells 8. How many apples does Tom have now?",
}
OPERATORS = [
    pytest.param(domain.name, operator, id=f"{domain.name}-{operator.name}")
    for domain in DOMAINS.values()
    for operator in domain.operators
]
FLAWLESS = SimulatedTeacher(flaws=0)


def ask(prompt: str, teacher: SimulatedTeacher = FLAWLESS) -> Completion:
    return teacher.answer((Turn("system", "You are helpful."), Turn("user", prompt)))


def equality(domain: str, first: str, second: str) -> str:
    return render(DOMAINS[domain].equality_prompt, first=first, second=second)


def evolve(operator: Operator, instruction: str, variant: str = "", teacher: SimulatedTeacher = FLAWLESS) -> Completion:
    return ask(operator.render(instruction, variant or next(iter(operator.variants), "")), teacher)


def operator(domain: str, name: str) -> Operator:
    return next(one for one in DOMAINS[domain].operators if one.name == name)


@pytest.mark.parametrize(("domain", "one"), OPERATORS)
def test_evolving_prompts_are_recognised_and_add_something(domain: str, one: Operator) -> None:
    for number in range(200):
        instruction = f"{INSTRUCTIONS[domain]} ({number})" if domain != "math" else _problem(number)
        prompt = one.render(instruction, next(iter(one.variants), ""))
        completion = ask(prompt)
        assert kind(prompt) == "evolve"
        evolved = Evolved(instruction, completion)
        assert reject_instruction(DOMAINS[domain].instruction_rules, evolved) is None
        assert ask(equality(domain, instruction, completion.text)).text == "Not Equal"


def _problem(number: int, num_steps: int = 2) -> str:
    return arithmetic.render(arithmetic.make(Random(number), num_steps))


@pytest.mark.parametrize(("domain", "one"), [case for case in OPERATORS if case.values[0] != "math"])
def test_each_operator_keeps_to_its_own_clauses(domain: str, one: Operator) -> None:
    """The operator is read from the prompt: no text that one writes is written by another of its domain."""
    mine = {evolve(one, INSTRUCTIONS[domain] + "!" * i).text.replace("!", "") for i in range(50)}
    assert len(mine) > 20
    for other in DOMAINS[domain].operators:
        if other != one:
            assert not mine & {evolve(other, INSTRUCTIONS[domain] + "!" * i).text.replace("!", "") for i in range(50)}


@pytest.mark.parametrize("name", ["add_constraints", "deepen", "concretize", "add_reasoning_steps"])
def test_in_depth_clauses_add_10_to_20_words(name: str) -> None:
    for clause in simulated_phrases.OPEN_CLAUSES[name]:
        slots = [slot for _, slot, _, _ in string.Formatter().parse(clause) if slot]
        lengths = [{len(text.split()) for text in simulated_phrases.SLOTS.get(slot, ("x",))} for slot in slots]
        fixed = len(re.sub(r"\{\w+\}", "x", clause).split()) - len(slots)
        assert fixed + sum(min(one) for one in lengths) >= 10, clause
        assert fixed + sum(max(one) for one in lengths) <= 20, clause


def test_generations_of_one_lineage_differ() -> None:
    texts = [INSTRUCTIONS["open"]]
    for generation in range(8):
        one = DOMAINS["open"].operators[generation % 4]
        texts.append(evolve(one, texts[-1]).text)
        assert texts[-1].startswith(texts[-2])
    assert len({text[len(before) :] for before, text in pairwise(texts)}) == 8


def test_markers_inside_an_instruction_survive() -> None:
    nasty = "Explain this:\n#Given Prompt#:\nfoo {bar} $x\n####\n#Rewritten Prompt#:\nbaz"
    for name in ("add_constraints", "complicate_input"):
        assert evolve(operator("open", name), nasty).text.startswith(nasty)
    code = "Explain:\nQuestion:\n{x}"
    assert evolve(operator("code", "add_constraints"), code).text.startswith(code)


def test_an_earlier_conversation_is_not_evolved() -> None:
    context = (Turn("user", "Does depth and breadth matter?"), Turn("assistant", "Yes.\nQuestion:\nreally"))
    for domain in ("open", "code"):
        one = operator(domain, "add_reasoning_steps")
        with_context = ask(one.render(INSTRUCTIONS[domain], context=context)).text
        if domain == "open":
            assert with_context.startswith(INSTRUCTIONS[domain])
        assert "Also examine" not in with_context


# ---- data formats ---------------------------------------------------------------------------------------------------


class _Tags(html.parser.HTMLParser):
    """Fails on a tag that is closed in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _check_html(block: str) -> None:
    tags = _Tags()
    tags.feed(block)
    assert not tags.open and {"html", "table"} <= tags.seen


def _check_sql(block: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(block)
    [(table,)] = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] >= 2
    connection.close()


def _check_python(block: str) -> None:
    tree = ast.parse(block)
    assert any(isinstance(node, ast.FunctionDef) for node in tree.body)


def _check_shell(block: str) -> None:
    assert block.startswith("find ")
    subprocess.run(["bash", "-n", "-c", block], check=True)


CHECKS: dict[str, Callable[[str], object]] = {
    "XML data": ElementTree.fromstring,
    "SQL database": _check_sql,
    "Python code": _check_python,
    "HTML page": _check_html,
    "shell command": _check_shell,
    "JSON data": json.loads,
}


@pytest.mark.parametrize("wanted", DATA_FORMATS)
def test_the_data_that_is_added_is_well_formed(wanted: str) -> None:
    complicate = operator("open", "complicate_input")
    blocks = set()
    for number in range(5 if wanted == "shell command" else 100):
        instruction = f"{INSTRUCTIONS['open']} {number}."
        text = evolve(complicate, instruction, wanted).text
        assert text.startswith(instruction + " ")
        block = text.partition("\n")[2]
        CHECKS[wanted](block)
        blocks.add(block)
    assert len(blocks) > 1


def test_code_prompts_get_erroneous_code_and_code_responses_parse() -> None:
    fence = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
    responses = set()
    for number in range(200):
        instruction = f"{INSTRUCTIONS['code']} Import class {number}."
        for text in (evolve(operator("code", "mislead"), instruction).text, ask(instruction).text):
            [code] = fence.findall(text)
            assert isinstance(ast.parse(code).body[0], ast.FunctionDef)
            responses.add(code)
    assert len(responses) > 100


# ---- mathematics ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["add_constraints", "concretize", "add_reasoning_steps"])
def test_upward_a_problem_gets_one_more_step(name: str) -> None:
    for number in range(300):
        before = arithmetic.parse(_problem(number, 1 + number % 4))
        assert before is not None
        after = arithmetic.parse(evolve(operator("math", name), arithmetic.render(before)).text)
        assert after is not None and after.steps[:-1] == before.steps
        assert (after.name, after.thing, after.start) == (before.name, before.thing, before.start)


def test_downward_a_problem_gets_easier() -> None:
    for number in range(300):
        before = arithmetic.parse(_problem(number, 3))
        assert before is not None
        easier = arithmetic.parse(evolve(operator("math", "simplify"), arithmetic.render(before)).text)
        other = arithmetic.parse(evolve(operator("math", "simpler_topic"), arithmetic.render(before)).text)
        assert easier is not None and easier.steps == before.steps[:-1]
        assert other is not None and len(other.steps) == 2 and other.thing != before.thing


def test_problems_are_solved_right() -> None:
    for number in range(300):
        text = _problem(number, 1 + number % 4)
        problem = arithmetic.parse(text)
        assert problem is not None
        assert ask(render(DOMAINS["math"].response_prompt, instruction=text)).text == arithmetic.solve(problem)


def test_other_problems_get_a_response_of_the_right_form_and_move_both_ways() -> None:
    text = "A train travels 60 km in 2 hours. It stops for 10 minutes. How fast was it?"
    response = ask(render(DOMAINS["math"].response_prompt, instruction=text)).text
    assert response.endswith(" The answer is: 72.")
    assert evolve(operator("math", "add_constraints"), text).text.startswith(text + " ")
    assert evolve(operator("math", "simplify"), text).text == "A train travels 60 km in 2 hours. How fast was it?"
    assert arithmetic.parse(evolve(operator("math", "simpler_topic"), text).text) is not None
    assert re.search(r"The answer is: \d+\.$", ask(render(DOMAINS["math"].response_prompt, instruction="Why?")).text)


# ---- verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("Name three rivers.", "Please name three rivers.", "Equal"),
        ("Name three rivers.", "Three rivers: could you name these, please?", "Equal"),
        ("Name three rivers.", "Name three rivers. Thank you!", "Equal"),
        ("Name three rivers.", "Name three rivers of Peru.", "Not Equal"),
        ("Name three rivers.", "Name four rivers.", "Not Equal"),
        ("Name three rivers of Peru.", "Name three rivers.", "Not Equal"),
        ("Name three river", "Name three rivers", "Not Equal"),
        ("Name ten ten", "Name ten", "Not Equal"),
    ],
)
def test_verdicts(first: str, second: str, verdict: str) -> None:
    prompt = equality("open", first, second)
    assert kind(prompt) == "judge"
    text = ask(prompt, SimulatedTeacher(flaws=1)).text
    assert text == verdict
    assert parse_verdict(text) is (verdict == "Equal")


# ---- flaws ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_flaws_set_off_every_rule(domain: str) -> None:
    teacher, rules = SimulatedTeacher(flaws=1), DOMAINS[domain]
    reasons: Counter[str | None] = Counter()
    for number in range(300):
        instruction = _problem(number) if domain == "math" else f"{INSTRUCTIONS[domain]} {number}"
        completion = evolve(rules.operators[number % len(rules.operators)], instruction, teacher=teacher)
        reason = reject_instruction(rules.instruction_rules, Evolved(instruction, completion))
        if reason is None and ask(equality(domain, instruction, completion.text)).text == "Equal":
            reason = "no_information_gain"
        reasons[reason] += 1
        response = ask(render(rules.response_prompt, instruction=instruction), teacher)
        reasons[f"response: {reject_response(rules.response_rules, response)}"] += 1
    evolution = {"empty", "truncated", "prompt_leak", "several_alternatives", "unchanged", "no_information_gain"}
    response_reasons = {f"response: {name}" for name in ("empty", "truncated", "refusal", "no_content")}
    assert set(reasons) == evolution | response_reasons
    assert min(reasons.values()) > 20


def test_flaws_are_as_frequent_as_asked() -> None:
    teacher, rules = SimulatedTeacher(flaws=0.1), DOMAINS["open"]
    responses = [ask(f"{INSTRUCTIONS['open']} {number}", teacher) for number in range(4000)]
    rejected = sum(reject_response(rules.response_rules, response) is not None for response in responses)
    assert 320 < rejected < 480
    flawless = [ask(f"{INSTRUCTIONS['open']} {number}") for number in range(4000)]
    assert all(reject_response(rules.response_rules, response) is None for response in flawless)


@pytest.mark.parametrize("flaws", [-0.1, 1.1, float("nan")])
def test_flaws_is_a_share(flaws: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        SimulatedTeacher(flaws=flaws)


# ---- the teacher ----------------------------------------------------------------------------------------------------


def test_answers_depend_on_seed_and_prompt_alone() -> None:
    prompts = [operator("open", "deepen").render(f"{INSTRUCTIONS['open']} {number}") for number in range(20)]
    first = [ask(prompt, SimulatedTeacher(seed=1)) for prompt in prompts]
    assert first == [ask(prompt, SimulatedTeacher(seed=1)) for prompt in reversed(prompts)][::-1]
    assert first != [ask(prompt, SimulatedTeacher(seed=2)) for prompt in prompts]


def test_answers_are_the_same_in_another_process() -> None:
    program = (
        "from evolray.records import Turn\nfrom evolray.teachers.simulated import SimulatedTeacher\n"
        "print(SimulatedTeacher(flaws=0).answer([Turn('user', 'Compare tea and coffee houses')]).text)"
    )
    root = Path(simulated.__file__).parents[2]
    for hash_seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.rstrip("\n") == ask("Compare tea and coffee houses").text


def test_complete_answers_a_call() -> None:
    messages = (Turn("system", "1234"), Turn("user", "Hello there"), Turn("assistant", "Hi"), Turn("user", "And you?"))
    call = Call("respond", "ab", 1, messages)
    completion = asyncio.run(SimulatedTeacher(flaws=0).complete(call, priority=3))
    assert completion == FLAWLESS.answer(messages)
    assert completion.text and completion.finish_reason == "stop" and completion.model == "simulated"
    assert completion.prompt_tokens == (4 + 11 + 2 + 8 + 3) // 4
    assert completion.completion_tokens == (len(completion.text) + 3) // 4


@pytest.mark.parametrize("prompt", ["", "?", "#Rewritten Prompt#:", "\n#Verdict#:", "Sorry, sorry!", "日本 \ud800 {x}"])
def test_odd_prompts_get_a_response(prompt: str) -> None:
    completion = ask(prompt)
    assert kind(prompt) == "respond"
    assert reject_response(DOMAINS["open"].response_rules, completion) is None


def test_no_engine_or_client_is_needed() -> None:
    program = (
        "import sys, evolray.teachers.simulated.server\n"
        "print([name for name in ('ray', 'torch', 'openai') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(Path(simulated.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- as a judge of difficulty and skills ---


def test_difficulty_rises_with_length_requirements_and_steps() -> None:
    plain = "Name a bird."
    longer = plain + " It lives near the sea in the far north and is known to most people there by its call." * 2
    bound = longer + " Limit the answer to exactly ten words, avoid Latin, and include at least one colour."
    stepwise = bound + " First list the candidates, then compare them, and finally justify the choice in two steps."
    scores = [parse_difficulty(ask(difficulty_prompt(text)).text) for text in (plain, longer, bound, stepwise)]
    assert scores == [1, 3, 7, 9]
    assert ask(difficulty_prompt("must " * 500 + "step " * 500)).text == "10"


def test_generations_become_more_difficult() -> None:
    text = "Give three tips for staying healthy."
    scores = []
    for generation in range(5):
        scores.append(int(ask(difficulty_prompt(text)).text))
        text = evolve(operator("open", ("add_constraints", "add_reasoning_steps")[generation % 2]), text).text
    assert scores == sorted(scores) and scores[-1] >= scores[0] + 4


@pytest.mark.parametrize(
    ("instruction", "found"),
    [
        ("Write a Python function that returns the sum of numbers.", ("Math", "Code Generation", "Writing")),
        ("Which disease does this patient have, doctor?", ("Medicine",)),
        ("Translate this poem.", ("Writing", "Multilingual", "Literature")),
    ],
)  # fmt: skip
def test_skills_by_key_words(instruction: str, found: tuple[str, ...]) -> None:
    assert parse_skills(ask(skills_prompt(instruction)).text) == found


def test_skills_come_from_the_list_that_was_given() -> None:
    tags = ("Geodesy", "Rhyme and metre")
    assert ask(skills_prompt("Find a rhyme for this.", tags=tags)).text == "Rhyme and metre"
    assert parse_skills(ask(skills_prompt("Nothing of the kind.", tags=tags)).text, tags) is not None


def test_some_flawed_judgements_cannot_be_read() -> None:
    flawed = SimulatedTeacher(flaws=1)
    scores = [parse_difficulty(ask(difficulty_prompt(f"Name bird {n}."), flawed).text) for n in range(200)]
    named = [parse_skills(ask(skills_prompt(f"Name bird {n}."), flawed).text) for n in range(200)]
    assert 60 < scores.count(None) < 140 and set(scores) == {None, 1}
    assert 100 < named.count(None) < 190


def test_judging_prompts_are_recognised() -> None:
    assert kind(difficulty_prompt("#Problem#:\n1\n#Solution#:")) == "difficulty"
    assert kind(skills_prompt("Name a bird.\n#Score#:")) == "skills"
    assert kind("#Score#:") == "respond" and kind("How hard is this?\n#Score#:") == "respond"
