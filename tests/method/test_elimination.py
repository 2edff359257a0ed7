"""Elimination as one table: (parent, completion, response) and the reason expected, a near miss beside every hit."""

import pytest

from evolray.method.domains import DOMAINS
from evolray.method.elimination import (
    CODE_LEAKS,
    MATH_LEAKS,
    OPEN_LEAKS,
    REFUSAL_WORDS,
    STOP_WORDS,
    Evolved,
    InstructionRule,
    ResponseRule,
    parse_verdict,
    reject_instruction,
    reject_response,
)
from evolray.method.teacher import Completion

PARENT = "Name three birds."
CHILD = "Name three birds that cannot fly."
LONG_CHILD = f"{CHILD} Explain why for each of them."

# (domain, parent, evolved text, finish_reason, reason or None)
INSTRUCTIONS = [
    ("open", PARENT, CHILD, "stop", None),
    # empty
    ("open", PARENT, "", "stop", "empty"),
    ("open", PARENT, " \r\n\t\u2003 ", "stop", "empty"),
    ("open", PARENT, ".", "stop", None),
    # truncated: the endpoint's word counts, not the looks
    ("open", PARENT, LONG_CHILD, "length", "truncated"),
    ("open", PARENT, "Name three birds that", "stop", None),
    ("open", PARENT, CHILD, "content_filter", None),
    # unchanged: up to case, white space and punctuation at the ends
    ("open", PARENT, PARENT, "stop", "unchanged"),
    ("open", PARENT, "  NAME\n three \t birds", "stop", "unchanged"),
    ("open", PARENT, '"Name three birds!"', "stop", "unchanged"),
    ("open", "Caf\u00e9 hours?", "Cafe\u0301 hours?", "stop", "unchanged"),
    ("open", PARENT, "Name three blue birds.", "stop", None),
    ("open", PARENT, "Name three birds. Now", "stop", None),
    ("open", PARENT, "Name three", "stop", None),
    ("open", PARENT, "Name three, birds.", "stop", None),
    ("open", "Cafe hours?", "Caf\u00e9 hours?", "stop", None),
    # prompt_leak
    ("open", PARENT, f"#Rewritten Prompt#:\n{CHILD}", "stop", "prompt_leak"),
    ("open", PARENT, f"Here is the rEWRITTEN pROMPT: {CHILD}", "stop", "prompt_leak"),
    ("open", PARENT, f"{CHILD} (It extends the GIVEN PROMPT.)", "stop", "prompt_leak"),
    ("open", PARENT, f"#The Given Prompt#: {CHILD}", "stop", "prompt_leak"),
    ("open", PARENT, f"#Created Prompt#\n{CHILD}", "stop", "prompt_leak"),
    ("open", PARENT, f"created prompts: {CHILD}", "stop", "prompt_leak"),
    ("open", PARENT, "Name three birds in a prompt manner, as given.", "stop", None),
    ("open", PARENT, "Name three birds; the rewritten list prompts a quiz.", "stop", None),
    ("open", PARENT, "Name three birds of the given problem.", "stop", None),
    # ... except for what the parent says itself
    ("open", "Score the given prompt.", "Score the given prompt twice.", "stop", None),
    ("open", "Score the GIVEN prompt.", "Score the Given Prompt twice.", "stop", None),
    ("open", "Score the given prompt.", "Score the given prompt. #Rewritten Prompt#:", "stop", "prompt_leak"),
    ("open", "Score the prompt given.", "Score the given prompt twice.", "stop", "prompt_leak"),
    ("math", "What is 2 + 3?", "#Rewritten Problem#: What is 2 + 3 + 4?", "stop", "prompt_leak"),
    ("math", "What is 2 + 3?", "As in the given problem, what is 2 + 3 + 4?", "stop", "prompt_leak"),
    ("math", "What is 2 + 3?", "The Created Problem: what is 1 + 1?", "stop", "prompt_leak"),
    ("math", "What is 2 + 3?", "Rewrite as one sum, given the problem: 2 + 3 + 4.", "stop", None),
    ("math", "What is 2 + 3?", "What is 2 + 3 + 4 in the given prompt?", "stop", None),
    ("code", "Sort a list.", "The Programming Test Question below is: sort a list twice.", "stop", "prompt_leak"),
    ("code", "Sort a list.", "You are NOT LIMITED TO IT: sort a list twice.", "stop", "prompt_leak"),
    ("code", "Sort a list.", "Write a programming test question about sorting a list below 10 items.", "stop", None),
    ("code", "Sort a list.", "Sort the list of the given prompt.", "stop", None),
    # several_alternatives
    ("open", PARENT, f"Option 1: {CHILD}\nOption 2: {LONG_CHILD}", "stop", "several_alternatives"),
    ("open", PARENT, f"**Version A:** {CHILD}\n\n**Version B:** {LONG_CHILD}", "stop", "several_alternatives"),
    ("open", PARENT, f"### Rewrite #1.\n{CHILD}\n### rewrite #2.\n{LONG_CHILD}", "stop", "several_alternatives"),
    ("math", "What is 2 + 3?", "Problem 1) 2 + 4?\nProblem 2) 2 + 5?", "stop", "several_alternatives"),
    ("open", PARENT, f"Option 1: {CHILD}", "stop", None),
    ("open", PARENT, f"Option 1: {CHILD}\nOption 1: again", "stop", None),
    ("open", PARENT, f"{CHILD}\n1. Size\n2. Colour\n3. Song", "stop", None),
    ("open", PARENT, f"{CHILD}\na) Size\nb) Colour", "stop", None),
    ("open", PARENT, f"{CHILD} Consider option 1: size, and option 2: colour.", "stop", None),
    ("open", PARENT, "Name three birds.\nOptional 1: size\nOptional 2: colour", "stop", None),
    ("open", "Pick one.\nOption A: tea\nOption B: milk", "Pick two.\nOption A: tea\nOption B: rum", "stop", None),
    # the first rule wins
    ("open", PARENT, "", "length", "empty"),
    ("open", PARENT, f"#Rewritten Prompt#: {CHILD}", "length", "truncated"),
    ("open", PARENT, PARENT, "length", "truncated"),
    ("open", PARENT, f"Option 1: {CHILD}\nOption 2: a created prompt", "stop", "prompt_leak"),
]


@pytest.mark.parametrize(("domain", "parent", "text", "finish_reason", "reason"), INSTRUCTIONS)
def test_instructions(domain: str, parent: str, text: str, finish_reason: str, reason: str | None) -> None:
    evolved = Evolved(parent, Completion(text, finish_reason))
    assert reject_instruction(DOMAINS[domain].instruction_rules, evolved) == reason


def words(num_words: int) -> str:
    """A regretful response of so many words."""
    return " ".join(["Sorry", *["word"] * (num_words - 1)])


# (response, finish_reason, reason or None)
RESPONSES = [
    ("Ostrich, emu and kiwi.", "stop", None),
    # empty
    ("", "stop", "empty"),
    ("\n \t\u00a0", "stop", "empty"),
    # truncated
    ("Ostrich, emu and", "length", "truncated"),
    ("Ostrich, emu and", "stop", None),
    # refusal: below 80 words
    (words(79), "stop", "refusal"),
    (words(80), "stop", None),
    (words(81), "stop", None),
    (words(79).replace("Sorry", "Happy"), "stop", None),
    (words(79).replace(" ", " \n "), "stop", "refusal"),
    ("I'm SORRY, but I cannot do that.", "stop", "refusal"),
    ("Unfortunately I cannot do that.", "stop", None),
    (" ".join(["word"] * 78 + ["sorry!"]), "stop", "refusal"),
    (" ".join(["word"] * 79 + ["sorry!"]), "stop", None),
    # no_content: punctuation and stop words alone
    ("...", "stop", "no_content"),
    ("?! -- (*)", "stop", "no_content"),
    ("It is what it was.", "stop", "no_content"),
    ("THE and, of; the", "stop", "no_content"),
    ("It is what birds was.", "stop", None),
    ("Yes.", "stop", None),
    ("It is 7.", "stop", None),
    ("42", "stop", None),
    ("\u0664\u0662", "stop", None),
    ("\u65e5\u672c\u8a9e\u3002", "stop", None),
    ("\u3002\u2026\u300c\u300d", "stop", "no_content"),
    ("\u0434\u0430", "stop", None),
    ("x", "stop", None),
    ("a", "stop", "no_content"),
    # the first rule wins
    ("", "length", "empty"),
    (words(10), "length", "truncated"),
    ("I am so sorry.", "stop", "refusal"),
]


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(("text", "finish_reason", "reason"), RESPONSES)
def test_responses(domain: str, text: str, finish_reason: str, reason: str | None) -> None:
    assert reject_response(DOMAINS[domain].response_rules, Completion(text, finish_reason)) == reason


def test_the_tables_reach_every_rule_and_every_phrase() -> None:
    for domain in DOMAINS.values():
        assert {rule.reason for rule in domain.instruction_rules} <= {row[4] for row in INSTRUCTIONS}
        assert {rule.reason for rule in domain.response_rules} <= {row[2] for row in RESPONSES}
    for name, phrases in {"open": OPEN_LEAKS, "math": MATH_LEAKS, "code": CODE_LEAKS}.items():
        for phrase in phrases:
            leaking, clean = f"Name birds. {phrase.upper()}", f"Name birds. {phrase[1:].upper()}"
            rules = DOMAINS[name].instruction_rules
            assert reject_instruction(rules, Evolved(PARENT, Completion(leaking))) == "prompt_leak"
            assert reject_instruction(rules, Evolved(PARENT, Completion(clean))) is None


def test_thresholds_are_the_papers() -> None:
    assert REFUSAL_WORDS == 80
    assert {"the", "and", "of", "is"} <= STOP_WORDS and not {"yes", "no1", "sorry", "bird", ""} & STOP_WORDS


def test_the_order_of_the_rules_decides_and_no_rules_reject_nothing() -> None:
    evolved, response = Evolved(PARENT, Completion(PARENT)), Completion("...")
    first, second = InstructionRule("first", lambda _: True), InstructionRule("second", lambda _: True)
    never = InstructionRule("never", lambda _: False)
    assert reject_instruction((never, second, first), evolved) == "second"
    assert reject_instruction((), evolved) is None
    short = ResponseRule("short", lambda completion: len(completion.text) < 10)
    assert reject_response((short, *DOMAINS["open"].response_rules), response) == "short"
    assert reject_response((), response) is None


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Equal", True),
        ("Not Equal", False),
        ("equal", True),
        ("NOT EQUAL", False),
        ("not equal.", False),
        ("Equal.", True),
        (" \nEqual\n ", True),
        ("Not\n Equal", False),
        ("Not\u00a0Equal", False),
        ("**Equal**", True),
        ("**Not Equal**.", False),
        ('"Not Equal"', False),
        ("`Equal`", True),
        ("# Equal", True),
        ("Equal, because both ask the same", None),
        ("Not Equal, because", None),
        ("Not Equal to", None),
        ("They are equal", None),
        ("equal equal", None),
        ("Equal / Not Equal", None),
        ("Equal or Not Equal", None),
        ("Not", None),
        ("NotEqual", None),
        ("Not-Equal", None),
        ("Not not equal", None),
        ("Unequal", None),
        ("Equals", None),
        ("Yes", None),
        ("1", None),
        ("", None),
        ("...", None),
        ("**Not** Equal", None),
    ],
)
def test_verdicts(text: str, verdict: bool | None) -> None:
    assert parse_verdict(text) is verdict
