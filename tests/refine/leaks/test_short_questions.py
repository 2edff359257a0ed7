"""Whole sentences and lines, and what is none."""

import pytest

from evolray.refine.leaks.parts import QUESTION, WORDS, Part
from evolray.refine.leaks.short_questions import ShortQuestions
from evolray.refine.text.hashing import hash_tokens
from evolray.refine.text.words import words

QUESTIONS = (
    "How did plums get their name?",
    "Compute $2 + 3$.",
    "Who made plums",
    "Hi! Who are you?",
    "Plums?",
    'Explain the "broken plums" rule to me.',
)


def find(text: str, is_instruction: bool = True) -> list[int]:
    questions = ShortQuestions([Part(n, QUESTION, WORDS, words(one)) for n, one in enumerate(QUESTIONS)], QUESTIONS)
    return [part for _, part in questions.find([text], hash_tokens([words(text)]), is_instruction)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("how did plums get their name", [0]),
        ("I wonder: how did plums get their name? Tell me.", [0]),
        ('He said "How did plums get their name?" and left.', [0]),
        ('Explain the "broken plums" rule to me. So?', [5]),
        ("He said that who made plums is unknown.", []),
        ("- How did plums get their name\n- Who made plums", [0, 2]),
        ("1. Why?\n> How did plums get their name?", [0]),
        ("How did plums get their name in Spanish?", []),
        ("Compute 2+3", [1]),
        ("Compute 2 - 3.", []),
        ("Compute 12 + 3.", []),
        ("COMPUTE\uff0e\n compute $2\n + 3$", []),
        ("Good morning. Hi! Who are you? I am Ann.", [3]),
        ("Plums", [4]),
        ("Plums? Yes.", []),
        ("", []),
    ],
)
def test_in_instructions(text: str, found: list[int]) -> None:
    assert find(text) == found


def test_in_responses_a_word_or_two_say_nothing() -> None:
    assert find("Plums", is_instruction=False) == []
    assert find("Who made plums", is_instruction=False) == [2]
