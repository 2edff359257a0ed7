"""Weighted Jaccard against its definition, and what it is for."""

from itertools import pairwise
from math import log

import numpy as np
import pytest

from evolray.refine.leaks.parts import QUESTION, WORDS, Part
from evolray.refine.leaks.similar_questions import SimilarQuestions
from evolray.refine.text.words import words


def parts(*texts: str) -> list[Part]:
    return [Part(number, QUESTION, WORDS, words(text)) for number, text in enumerate(texts)]


def terms(text: str) -> set[tuple[str, ...]]:
    own = words(text)
    return {(word,) for word in own} | set(pairwise(own))


def expected(question: str, text: str, weights: dict[tuple[str, ...], float], heaviest: float) -> float:
    one, other = terms(question), terms(text)
    whole = sum(weights.get(term, heaviest) for term in one | other)
    return sum(weights.get(term, heaviest) for term in one & other) / whole


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8])
def test_all_that_are_similar_and_nothing_else(similarity: float) -> None:
    random = np.random.default_rng(1)
    names = [f"w{n}" for n in range(12)]
    questions = [" ".join(random.choice(names, 8)) for _ in range(40)]
    texts = [" ".join(random.choice(names, random.integers(5, 12))) for _ in range(100)] + questions[:5]
    counts: dict[tuple[str, ...], int] = {}
    for question in questions:
        for term in terms(question):
            counts[term] = counts.get(term, 0) + 1
    weights = {term: log((1 + len(questions)) / count) for term, count in counts.items()}
    wanted = {
        (number, part): share
        for number, text in enumerate(texts)
        for part, question in enumerate(questions)
        if (share := expected(question, text, weights, log(1 + len(questions)))) >= similarity
    }
    found = {(text, part): share for text, part, share in SimilarQuestions(parts(*questions), similarity).find(texts)}
    assert len(wanted) >= 5
    assert found == pytest.approx(wanted)


def test_the_rare_words_decide() -> None:
    countries = "France Spain Italy Chad Peru Cuba Iran Laos".split()
    questions = SimilarQuestions(parts(*(f"What is the capital city of {country} today" for country in countries)), 0.5)
    assert list(questions.find(["What is the capital city of Norway today"])) == []
    ((_, part, share),) = questions.find(["So what is the capital city of Peru today"])
    assert (part, 0.5 <= share < 1) == (4, True)


def test_paragraphs_are_compared_by_themselves() -> None:
    question = "Name three rivers that cross the old city of plums."
    text = f"Hi, I am new here and have many things to ask.\n\n \n{question}\n\nBe brief, and take your time, please."
    assert [part for _, part, _ in SimilarQuestions(parts(question), 0.9).find(["", text])] == [0]


def test_short_questions_are_left_out() -> None:
    questions = SimilarQuestions(parts("Who are you today", "one two three four five six"), 0.5)
    assert [part.item for part in questions.parts] == [1]
    assert list(questions.find(["Who are you today"])) == []
    assert list(SimilarQuestions([], 0.5).find(["Who are you today"])) == []
    assert list(questions.find([])) == []
