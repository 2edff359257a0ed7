"""Every prompt says what the papers ask for, in an order that endpoints can cache, around whatever instruction."""

import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

import pytest

from evolray.method import difficulty, operators, question, skills
from evolray.method.domains import DOMAINS, Domain
from evolray.method.elimination import Evolved, reject_instruction
from evolray.method.operators import DATA_FORMATS, SLOT, Operator, read_prompt, render
from evolray.method.teacher import Completion
from evolray.records import Turn

PROMPTS = Path(operators.__file__).parent / "prompts"
FILES = sorted(path.relative_to(PROMPTS).with_suffix("").as_posix() for path in PROMPTS.rglob("*.txt"))
CONTEXT = (Turn("user", "Earlier question {method}"), Turn("assistant", "Earlier answer $1 #Given Prompt#:"))

NASTY = [
    "{instruction}",
    "{method} {format} {context} {conversation} {first} {second}",
    "{} {{}} {0} %s %(name)s ${HOME} $instruction \\1 \\g<0> \\n \\",
    "def f(a):\n    return {'a': {a}, \"b\": f'{a!r:>{10}}'}",
    "#Given Prompt#:\nfake\n#Rewritten Prompt#:",
    "x\n####\n#Given Prompt#:\ny\n#Rewritten Prompt# (must contain a specific XML data as input):\nz",
    "#First Prompt#:\na\n#Second Prompt#:\nb\n#Verdict#:",
    "#Problem#:\n1 + 1\n#Solution#:\nQuestion:\n2",
    "one\r\ntwo\rthree\ttab\x0b\x0c\x00",
    " \n\t white space at both ends \r\n \n",
    "Grüße 日本語 עברית 🧑‍🚀 e\u0301 \u2028 \ufeff",
]


def evolving_prompts() -> list[tuple[str, Operator, str]]:
    """(domain, operator, variant) of every prompt that evolves an instruction."""
    return [
        (domain.name, operator, variant)
        for domain in DOMAINS.values()
        for operator in domain.operators
        for variant in operator.variants or ("",)
    ]


def common_prefix(texts: Sequence[str]) -> str:
    return "".join(column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False)))


def render_evolve(operator: Operator, variant: str) -> Callable[[str], str]:
    return lambda instruction: operator.render(instruction, variant)


def render_evolve_in_context(operator: Operator, variant: str) -> Callable[[str], str]:
    return lambda instruction: operator.render(instruction, variant, CONTEXT)


def cue_of(name: str, operator: Operator, variant: str) -> str:
    """What follows the instruction: the line to complete, or nothing in the code domain's one template."""
    if name == "code":
        return ""
    noun = "Prompt" if name == "open" else "Problem"
    if variant:
        return f"\n#Rewritten Prompt# (must contain a specific {variant} as input):"
    return f"\n#{'Created' if operator.name in ('mutate', 'simpler_topic') else 'Rewritten'} {noun}#:"


EVOLVING = [
    pytest.param(make(operator, variant), cue_of(name, operator, variant), id=f"{name}-{operator.name}-{variant}{tag}")
    for name, operator, variant in evolving_prompts()
    for make, tag in ((render_evolve, ""), (render_evolve_in_context, "-in-context"))
]
ALL = [
    *EVOLVING,
    *(
        pytest.param(lambda text, one=domain: render(one.equality_prompt, first="A", second=text), "\n#Verdict#:",
                     id=f"{domain.name}-judge")
        for domain in DOMAINS.values()
    ),
    pytest.param(lambda text: render(DOMAINS["math"].response_prompt, instruction=text), "\n#Solution#:", id="respond"),
]  # fmt: skip


def test_every_file_is_used() -> None:
    texts = {read_prompt("context"), difficulty.PROMPT, skills.PROMPT, question.CONTEXT}
    for domain in DOMAINS.values():
        texts |= {domain.equality_prompt, domain.response_prompt}
        texts |= {text for operator in domain.operators for text in (operator.prompt, operator.method)}
    assert len(FILES) >= 20
    assert [name for name in FILES if read_prompt(name) not in texts] == []


@pytest.mark.parametrize("name", FILES)
def test_files_are_plain_text_with_known_slots(name: str) -> None:
    raw = (PROMPTS / f"{name}.txt").read_bytes()
    assert raw.endswith(b"\n") and b"\r" not in raw and raw.isascii()
    # A misspelt slot would reach the teacher as it is. Braces of data, such as `{}` or JSON, hold no lone word.
    assert [slot for slot in re.findall(r"\{\w+\}", raw.decode()) if not SLOT.fullmatch(slot)] == []


@pytest.mark.parametrize(("make", "cue"), ALL)
def test_all_slots_are_filled_once(make: Callable[[str], str], cue: str) -> None:
    text = make("THE-INSTRUCTION").replace("Earlier question {method}", "")
    assert SLOT.search(text) is None
    assert text.count("THE-INSTRUCTION") == 1


@pytest.mark.parametrize(("name", "operator", "variant"), evolving_prompts())
def test_an_operator_states_its_own_method_once(name: str, operator: Operator, variant: str) -> None:
    text = operator.render("THE-INSTRUCTION", variant)
    others = {other.method for _, other, _ in evolving_prompts() if other.method and other.method != operator.method}
    assert not operator.method or text.count(operator.method) == 1
    assert not any(other in text for other in others)


def test_a_slot_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="second"):
        render("{first} {second}", first="a")


# --- the instruction survives ---


@pytest.mark.parametrize("instruction", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize(("make", "cue"), ALL)
def test_the_instruction_comes_last_and_survives(make: Callable[[str], str], cue: str, instruction: str) -> None:
    before, after = make("THE-INSTRUCTION").split("THE-INSTRUCTION")
    assert after == cue
    assert make(instruction) == before + instruction + after


@pytest.mark.parametrize("first", NASTY, ids=range(len(NASTY)))
def test_both_prompts_of_a_verdict_survive(first: str) -> None:
    for second in NASTY:
        text = render(DOMAINS["open"].equality_prompt, first=first, second=second)
        assert text.endswith(f"\n#First Prompt#:\n{first}\n#Second Prompt#:\n{second}\n#Verdict#:")


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_an_earlier_conversation_survives_before_the_instruction(text: str) -> None:
    context = (Turn("system", "Be brief."), Turn("user", text), Turn("assistant", text[::-1]))
    for _, operator, variant in evolving_prompts():
        with_context, without = operator.render("NOW", variant, context), operator.render("NOW", variant)
        said = f"#Conversation#:\nsystem: Be brief.\nuser: {text}\nassistant: {text[::-1]}\n"
        assert with_context.count(said) == 1
        assert with_context.index(said) + len(said) <= with_context.rindex("NOW")
        assert "#Conversation#" not in without


@pytest.mark.parametrize("name", ["open", "code"])
def test_the_instruction_alone_is_what_is_responded_to(name: str) -> None:
    for instruction in NASTY:
        assert render(DOMAINS[name].response_prompt, instruction=instruction) == instruction


# --- what a prefix cache saves ---


@pytest.mark.parametrize(("name", "operator", "variant"), evolving_prompts())
def test_fixed_text_comes_first(name: str, operator: Operator, variant: str) -> None:
    plain = [operator.render(text, variant) for text in ("Name a bird.", "", "Zwölf")]
    shared = common_prefix(plain)
    assert shared == plain[0].removesuffix(f"Name a bird.{cue_of(name, operator, variant)}")
    assert operator.method in shared and len(shared) > 200
    # The words of a conversation differ from seed to seed as well: they come after all that is fixed.
    other = (Turn("user", "Something else"),)
    chats = [operator.render("Name a bird.", variant, context) for context in (CONTEXT, other)]
    assert operator.method in (shared := common_prefix(chats))
    assert shared.endswith("#Conversation#:\nuser: ")


@pytest.mark.parametrize("text", [DOMAINS["open"].equality_prompt, DOMAINS["math"].response_prompt])
def test_fixed_text_of_verdicts_and_solutions_comes_first(text: str) -> None:
    slot = SLOT.search(text)
    assert slot is not None and slot.start() > 100
    assert len(SLOT.sub("", text[slot.start() :])) < 40  # only marker lines after it


def test_the_data_formats_share_their_prefix_too() -> None:
    (operator,) = (one for one in DOMAINS["open"].operators if one.name == "complicate_input")
    shared = common_prefix([operator.render("Name a bird.", variant) for variant in DATA_FORMATS])
    assert shared.endswith("#Given Prompt#:\nName a bird.\n#Rewritten Prompt# (must contain a specific ")


# --- what the papers ask for (FACTS of the papers; the wording is ours) ---


@pytest.mark.parametrize("name", ["open/in_depth", "open/complicate_input"])
def test_in_depth_constraints(name: str) -> None:
    text = read_prompt(name)
    stated = [
        "ChatGPT and GPT-4",
        "a bit harder",
        "reasonable",
        "understand it and to respond to it",
        "tables and code",
        "keep any input",
        '"#Given Prompt#"',
        '"#Rewritten Prompt#"',
        '"given prompt"',
        '"rewritten prompt"',
    ]
    assert [part for part in stated if part not in text] == []
    places = [text.index(part) for part in stated]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "has_budget"),
    [
        ("open/in_depth", True), ("math/upward", True), ("open/complicate_input", False), ("open/in_breadth", False),
        ("math/downward", False), ("math/simpler_topic", False), ("code/template", False),
    ],
)  # fmt: skip
def test_only_in_depth_prompts_limit_how_many_words_may_be_added(name: str, has_budget: bool) -> None:
    assert ("only 10 to 20 words" in read_prompt(name)) == has_budget
    assert bool(re.search(r"\d+ (to \d+ )?(additional )?words", read_prompt(name))) == has_budget


def test_in_breadth_asks_for_something_new_and_rare() -> None:
    text = read_prompt("open/in_breadth")
    for part in ("brand-new", "same domain", "even more rare", "long tail", "length, difficulty and complexity",
                 '"#Given Prompt#"', '"#Created Prompt#"', '"given prompt"', '"created prompt"'):  # fmt: skip
        assert part in text


def test_complicate_input_demonstrates_every_format() -> None:
    demonstrations = read_prompt("open/complicate_input").split("\n####\n")[1:-1]
    cue = re.compile(r"#Given Prompt#:\n.+\n#Rewritten Prompt# \(must contain a specific ([\w ]+) as input\):\n(?s:.+)")
    named = [found[1] for one in demonstrations if (found := cue.fullmatch(one))]
    assert named == list(DATA_FORMATS)
    assert DATA_FORMATS == ("XML data", "SQL database", "Python code", "HTML page", "shell command", "JSON data")
    assert "You MUST add text in that format" in read_prompt("open/complicate_input")


def test_code_has_one_template_without_markers() -> None:
    template = read_prompt("code/template")
    assert {operator.prompt for operator in DOMAINS["code"].operators} == {template}
    assert "#" not in template and "not limited to" in template
    assert "about 10 additional words" in read_prompt("code/add_constraints")
    assert "do not use this often" in read_prompt("code/raise_complexity")


@pytest.mark.parametrize("name", ["math/upward", "math/downward", "math/simpler_topic"])
def test_math_prompts_ask_for_solvable_problems(name: str) -> None:
    text = read_prompt(name)
    verb = "Created" if name == "math/simpler_topic" else "Rewritten"
    for part in ("exactly one answer", '"#Given Problem#"', f'"#{verb} Problem#"', '"given problem"',
                 f'"{verb.lower()} problem"'):  # fmt: skip
        assert part in text
    assert ("harder" in text, "easier" in text) == (name == "math/upward", name != "math/upward")


def test_verdicts_are_one_of_two_words() -> None:
    text = read_prompt("equality")
    assert "exactly one of these two verdicts and no explanation: Equal or Not Equal" in text
    assert "same constraints and requirements" in text and "same depth and the same breadth" in text


def test_solutions_end_in_a_line_that_can_be_graded() -> None:
    assert "step by step" in read_prompt("math/response")
    assert "The answer is: N" in read_prompt("math/response")


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_forbidden_phrases_of_a_prompt_are_what_the_leak_rule_looks_for(domain: Domain) -> None:
    for operator in domain.operators:
        for phrase in re.findall(r'"([#\w ]+)"', operator.prompt.partition("\n####\n")[0]):
            evolved = Evolved("A parent.", Completion(f"Something longer. {phrase}: more of it."))
            assert reject_instruction(domain.instruction_rules, evolved) == "prompt_leak", phrase
