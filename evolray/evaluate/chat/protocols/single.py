"""One rating of 1 to 10 for one answer, turn by turn: MT-Bench's single-answer grading."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import Case, Judgement
from evolray.evaluate.chat.protocols.material import ask, read_prompts
from evolray.evaluate.chat.verdicts import Order
from evolray.records import Turn

LOWEST, HIGHEST = 1, 10

_PROMPTS = read_prompts("single")
_NUMBER = r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*10\s*)?"
_DOUBLE = re.compile(rf"\[\[{_NUMBER}\]\]", re.ASCII)
# Not the index of an array, "numbers[7]", nor half of a pair of brackets.
_ALONE = re.compile(rf"(?<![\w\])\[])\[{_NUMBER}\](?!\])", re.ASCII)


@dataclass(frozen=True)
class SingleGrade:
    """`wants_reference`: whether the judge is shown a right answer to the problem, where the case has one."""

    wants_reference: Callable[[Problem], bool]

    name = "single"
    source = (
        "FastChat's llm_judge, single-answer grading of MT-Bench (arXiv 2306.05685): a rating of 1-10 per turn, with "
        "reference answers for math, reasoning and coding; our own wording"
    )
    is_comparison = False
    temperature = 0.0
    max_tokens = 2048
    prompts = _PROMPTS

    def messages(self, case: Case, turn: int, order: Order) -> tuple[Turn, ...]:
        with_reference = self.wants_reference(case.problem)
        return ask(self.prompts, "single", case, turn, {"Assistant": case.answer}, with_reference)

    def parse(self, text: str) -> Judgement | None:
        return parse_rating(text)


def parse_rating(text: str) -> Judgement | None:
    """The rating in two pairs of brackets, or without any such in one pair, as FastChat's own reader takes them.

    It must be of 1 to 10; "[[7.5]]" and "[[7/10]]" are read. Different ratings in one answer are no verdict.
    """
    found = {float(rating) for rating in _DOUBLE.findall(text) or _ALONE.findall(text)}
    if len(found) != 1:
        return None
    rating = found.pop()
    return Judgement(rating) if LOWEST <= rating <= HIGHEST else None
