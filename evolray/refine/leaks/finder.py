"""Records that hold what a benchmark asks, or its solution: the leaks that would make a student's score mean nothing.

A record leaks an item when one of these is found in its instruction (the turns before it included) or its response:

    of the question, in runs of `ngram` words or code tokens, at least the share `overlap`; short questions need more
    of the solution in prose, the same
    of a program in either, without comments and docstrings, PROGRAM_SHARE: much of any program is idiom
    a question shorter than `ngram` words, as a whole sentence or line
    an instruction, or a paragraph of it, that is similar to the question as a whole

`overlap.py`, `short_questions.py` and `similar_questions.py` say how each is measured, `parts.py` what of an item
is looked for. Not promised: questions told in other words, in another language, or with other names and numbers
throughout; programs whose variables were renamed. Execution finds some of these (`execution.py`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evolray.config import ContaminationConfig
from evolray.errors import UserError
from evolray.refine.leaks.items import Item
from evolray.refine.leaks.overlap import Passages
from evolray.refine.leaks.parts import CODE, QUESTION, WORDS, Part, parts_of
from evolray.refine.leaks.short_questions import ShortQuestions
from evolray.refine.leaks.similar_questions import SimilarQuestions
from evolray.refine.text.code import code_tokens, split_code
from evolray.refine.text.hashing import Tokens, hash_tokens
from evolray.refine.text.words import words

NGRAM, SIMILAR = "ngram", "similarity"
INSTRUCTION, RESPONSE = "instruction", "response"

PROGRAM_SHARE = 0.95
SHORT, LONG = 2, 3  # in runs of n: up to SHORT a question needs SHORT_SHARE, from LONG on `overlap`
SHORT_SHARE = 0.7
EVIDENCE_CHARS = 300

_MAYBE_CODE = re.compile(r"\w\(|[;{}=:]\s*$|\breturn\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Leak:
    """`item` was found in text number `text`; `score` is the share of it found, or the similarity."""

    text: int
    item: Item
    kind: str
    where: str
    score: float
    evidence: str


class LeakFinder:
    """The benchmarks' items, ready to be found in any number of records. Picklable."""

    def __init__(self, items: Sequence[Item], settings: ContaminationConfig) -> None:
        check(settings)
        self.items = tuple(items)
        parts = [part for number, item in enumerate(items) for part in parts_of(number, item)]
        self._passages = {
            form: Passages([part for part in parts if part.form == form], settings.ngram) for form in (WORDS, CODE)
        }
        self._least = {
            form: np.array([_least_share(part, settings) for part in passages.parts])
            for form, passages in self._passages.items()
        }
        questions = [part for part in parts if part.of == QUESTION and part.form == WORDS]
        short = [part for part in self._passages[WORDS].left_out if part.of == QUESTION]
        self._short = ShortQuestions(short, [items[part.item].question for part in short])
        self._similar = SimilarQuestions(questions, settings.similarity)

    def find(self, instructions: Sequence[str], responses: Sequence[str]) -> list[Leak]:
        """One leak per record and item: a passage rather than a similarity, and the strongest; by record, then item."""
        best: dict[tuple[int, int], Leak] = {}
        for place, texts in ((INSTRUCTION, instructions), (RESPONSE, responses)):
            for number, leak in self._leaks(texts, place):
                known = best.get((leak.text, number))
                if known is None or (leak.kind == NGRAM, leak.score) > (known.kind == NGRAM, known.score):
                    best[leak.text, number] = leak
        return [leak for _, leak in sorted(best.items(), key=lambda one: one[0])]

    def _leaks(self, texts: Sequence[str], place: str) -> Iterator[tuple[int, Leak]]:
        """Pairs of an item's number and a leak."""
        as_words = hash_tokens(words(text) for text in texts)
        yield from self._found(WORDS, as_words, place)
        yield from self._found(CODE, hash_tokens(code_tokens(_code_in(text)) for text in texts), place)
        is_instruction = place == INSTRUCTION
        for text, short in self._short.find(texts, as_words, is_instruction):
            item = self._short.parts[short].item
            evidence = self.items[item].question[:EVIDENCE_CHARS]
            yield item, Leak(text, self.items[item], NGRAM, f"question in {place}", 1.0, evidence)
        if is_instruction:
            for text, part, similarity in self._similar.find(texts):
                item = self._similar.parts[part].item
                evidence = texts[text][:EVIDENCE_CHARS]
                yield item, Leak(text, self.items[item], SIMILAR, f"question and {place}", similarity, evidence)

    def _found(self, form: str, tokens: Tokens, place: str) -> Iterator[tuple[int, Leak]]:
        passages = self._passages[form]
        for found in passages.find(tokens, self._least[form]):
            part = passages.parts[found.part]
            begin, end = max(found.runs, key=lambda run: run[1] - run[0])
            evidence = " ".join(part.tokens[begin:end])[:EVIDENCE_CHARS]
            item = self.items[part.item]
            yield part.item, Leak(found.text, item, NGRAM, f"{part.of} in {place}", found.share, evidence)


def check(settings: ContaminationConfig) -> None:
    """Raises UserError for settings out of range."""
    if settings.ngram < 2:
        raise UserError(f"contamination.ngram is {settings.ngram}; expected at least 2 words.")
    for name, value in (("overlap", settings.overlap), ("similarity", settings.similarity)):
        if not 0 < value <= 1:
            raise UserError(f"contamination.{name} is {value}; expected a share of more than 0, and at most 1.")


def _least_share(part: Part, settings: ContaminationConfig) -> float:
    """Half of a long question says whose it is; half of ten words is "Write a function that takes a list"."""
    if part.is_program:
        return max(settings.overlap, PROGRAM_SHARE)
    if part.form == CODE:  # other functions have the same parameters
        return max(settings.overlap, SHORT_SHARE)
    runs = len(part.tokens) / settings.ngram
    shortness = min(1.0, max(0.0, (LONG - runs) / (LONG - SHORT)))
    return settings.overlap + max(0.0, SHORT_SHARE - settings.overlap) * shortness


def _code_in(text: str) -> str:
    """The fenced blocks; of a text without any, all of it if something in it could be code."""
    if "```" in text or "~~~" in text:
        return split_code(text)[1]
    return text if _MAYBE_CODE.search(text) else ""
