"""Shares, runs and weights by hand; and the parts of items that are looked for."""

from collections.abc import Sequence

import numpy as np
import pytest

from evolray.refine.leaks.items import Item
from evolray.refine.leaks.overlap import MOST_ITEMS, Found, Passages, token_weights
from evolray.refine.leaks.parts import CODE, QUESTION, SOLUTION, WORDS, Part, parts_of
from evolray.refine.text.hashing import hash_tokens
from evolray.refine.text.words import words

FUNCTION = '''from typing import List


def close_pairs(values: List[float], limit: float) -> bool:
    """ Say whether any two of the values are closer than the limit.
    >>> close_pairs([1.0, 2.0], 0.5)
    False
    """
'''
BODY = """    for at, one in enumerate(values):
        for other in values[at + 1:]:
            if abs(one - other) < limit:
                return True
    return False
"""


def part(text: str, item: int = 0) -> Part:
    return Part(item, QUESTION, WORDS, words(text))


def find(passages: Passages, *texts: str, least: float = 0.0) -> list[Found]:
    tokens = hash_tokens(words(text) for text in texts)
    return list(passages.find(tokens, np.full(len(passages.parts), least)))


def test_the_share_is_that_of_the_tokens_in_runs() -> None:
    """Ten words of equal weight: there is but one item."""
    passages = Passages([part("a1 b1 c1 d1 e1 f1 g1 h1 i1 j1")], 3)
    found = find(passages, "x a1 b1 c1 d1 y", "a1 b1 x c1 d1", "h1 i1 j1 and a1 b1 c1 and b1 c1 d1")
    assert [(one.text, one.runs) for one in found] == [(0, ((0, 4),)), (2, ((0, 4), (7, 10)))]
    assert [one.share for one in found] == pytest.approx([0.4, 0.7])


def test_a_whole_text_is_found_as_a_whole() -> None:
    passages = Passages([part("one two three four five"), part("two three four five six", 1)], 3)
    found = find(passages, "zero one two three four five")
    assert [(one.part, one.runs) for one in found] == [(0, ((0, 5),)), (1, ((0, 4),))]
    assert found[0].share == pytest.approx(1)
    assert find(passages, "zero one two three four five", least=0.99) == found[:1]


def test_what_many_items_say_weighs_little() -> None:
    texts = [f"write a function to find the {name} of {name}s" for name in ("apple", "berry", "cherry", "date")]
    passages = Passages([part(text, number) for number, text in enumerate(texts)], 3)
    found = find(passages, "please write a function to find the way")
    assert len(found) == 4
    assert all(one.share < 0.45 for one in found)  # six words of nine
    weights = token_weights([(0, ["a", "b"]), (0, ["a", "a"]), (1, ["a"])])
    assert weights == {"a": pytest.approx(np.log(1.5)), "b": pytest.approx(np.log(3))}


def test_counting_is_no_evidence() -> None:
    passages = Passages([part("the numbers are 1 2 3 4 5 6 7 8 in this order")], 3)
    assert find(passages, "1 2 3 4 5 6 7 8") == []
    assert find(passages, "the numbers are 1 2 3 4 5 6 7 8 in this order")[0].share == pytest.approx(1)


def test_what_most_items_share_is_no_evidence() -> None:
    head = "you are a helpful assistant and answer"
    passages = Passages([part(f"{head} question number{n} of many more", n) for n in range(MOST_ITEMS + 1)], 3)
    assert find(passages, head) == []
    found = find(passages, f"{head} question number7 of many more", least=0.9)
    assert [one.part for one in found] == [7]


def test_parts_that_cannot_be_found_in_runs_are_left_out() -> None:
    short, numbers, usable = part("only two"), part("1 2 3 4"), part("words that can be found")
    passages = Passages([short, numbers, usable], 3)
    assert passages.left_out == [short, numbers]
    assert [one.part for one in find(passages, "words that can be found 1 2 3 4")] == [1]
    assert passages.parts[1] == usable


@pytest.mark.parametrize("texts", [[], [""], ["", "some words that are not in it", ""]])
def test_nothing_is_found_in_nothing(texts: list[str]) -> None:
    assert find(Passages([part("words that can be found")], 3), *texts) == []
    assert find(Passages([], 3), *texts) == []


def test_the_share_is_what_sets_would_give() -> None:
    """Against the definition, on texts of few different words."""
    random = np.random.default_rng(1)
    names = [f"w{n}" for n in range(6)]
    items = [random.choice(names, 12).tolist() for _ in range(20)]
    texts = [random.choice(names, 30).tolist() for _ in range(50)]
    parts = [Part(number, QUESTION, WORDS, item) for number, item in enumerate(items)]
    weights = token_weights(list(enumerate(items)))
    passages = Passages(parts, 3)
    found = {(one.text, one.part): one.share for one in passages.find(hash_tokens(texts), np.zeros(20))}
    for number, text in enumerate(texts):
        for at, item in enumerate(items):
            assert found.get((number, at), 0) == pytest.approx(expected_share(item, text, weights)), (number, at)


def expected_share(item: Sequence[str], text: Sequence[str], weights: dict[str, float]) -> float:
    own = {tuple(text[at : at + 3]) for at in range(len(text) - 2)}
    hit: set[int] = set()
    countable: set[int] = set()
    for at in range(len(item) - 2):
        run = tuple(item[at : at + 3])
        if len(set(run)) == 3:
            countable.update(range(at, at + 3))
            if run in own:
                hit.update(range(at, at + 3))
    whole = sum(weights[item[at]] for at in countable)
    return sum(weights[item[at]] for at in hit) / whole if whole else 0.0


# --- the parts of items ---


def test_a_function_to_be_completed() -> None:
    whole, described, signed, solved, body = parts_of(3, Item("b", "0", FUNCTION, BODY, is_code=True))
    assert (whole.of, whole.form, whole.tokens[:3]) == (QUESTION, WORDS, ["def", "close", "pairs"])
    assert " ".join(described.tokens) == "say whether any two of the values are closer than the limit"
    assert signed.form == CODE and not signed.is_program
    assert (
        signed.tokens[:3] == ["def", "close_pairs", "("]
        and signed.tokens[-8:] == "( [ 1.0 , 2.0 ] , 0.5 )".split()[-8:]
    )
    assert solved.of == SOLUTION and solved.is_program
    assert solved.tokens[:2] == ["def", "close_pairs"] and solved.tokens[-2:] == ["return", "False"]
    assert body.tokens[:2] == ["for", "at"]
    assert {one.item for one in (whole, described, signed, solved, body)} == {3}


def test_a_program_is_known_without_the_name_of_its_function() -> None:
    program = f"import re\ndef close(values: list, limit):\n{BODY}"
    _, named, body = parts_of(0, Item("b", "0", "Say whether two values are close.", program, is_code=True))
    assert named.tokens[:2] == ["def", "close"]
    assert body.tokens[:2] == ["for", "at"]


@pytest.mark.parametrize("solution", ["", "42", "return x + 1", "It is a short answer."])
def test_short_solutions_are_the_answer_to_many_questions(solution: str) -> None:
    assert [one.of for one in parts_of(0, Item("b", "0", "Why?", solution))] == [QUESTION]


def test_a_solution_is_looked_for_with_its_calculations_and_without_them() -> None:
    solution = "She has 3 + 4 = <<3+4=7>>7 apples and gives " + "one to each of her many friends " * 3 + "\n#### 4"
    _, marked, plain = parts_of(0, Item("b", "0", "How many?", solution))
    assert marked.tokens[:9] == ["she", "has", "3", "4", "3", "4", "7", "7", "apples"]
    assert plain.tokens[:7] == ["she", "has", "3", "4", "7", "apples", "and"]
    assert marked.tokens[-1] == plain.tokens[-1] == "friends"


def test_equations_are_no_program() -> None:
    solution = "\n".join(f"Box {name} = {number} / 2 = {number // 2} apples" for number, name in enumerate("abcdef"))
    _, solved = parts_of(0, Item("b", "0", "How many?", solution))
    assert solved.form == WORDS


def test_a_question_about_a_program() -> None:
    question = f"Here is a function of mine, can you find any bug in it?\n```python\n{BODY}```\nThanks."
    asked, program = parts_of(0, Item("b", "0", question, ""))
    assert asked.tokens[0] == "here" and asked.tokens[-1] == "thanks"
    assert program.is_program and program.form == CODE
