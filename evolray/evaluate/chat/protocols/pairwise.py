"""A, B or a tie, turn by turn: MT-Bench's pairwise comparison."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import Case, Judgement
from evolray.evaluate.chat.protocols.material import answers_in, ask, read_prompts
from evolray.evaluate.chat.verdicts import Order
from evolray.records import Turn

_PROMPTS = read_prompts("pairwise")
_CHOICE = re.compile(r"\[\[\s*([ABC])\s*\]\]")
_JUDGEMENTS: Mapping[str, Judgement] = {"A": Judgement(1, 0), "B": Judgement(0, 1), "C": Judgement(0.5, 0.5)}


@dataclass(frozen=True)
class Pairwise:
    """`wants_reference`: whether the judge is shown a right answer to the problem, where the case has one."""

    wants_reference: Callable[[Problem], bool]

    name = "pairwise"
    source = (
        "FastChat's llm_judge, pairwise comparison of MT-Bench (arXiv 2306.05685): A, B or a tie per turn, with "
        "reference answers for math, reasoning and coding; our own wording"
    )
    is_comparison = True
    temperature = 0.0
    max_tokens = 2048
    prompts = _PROMPTS

    def messages(self, case: Case, turn: int, order: Order) -> tuple[Turn, ...]:
        first, second = answers_in(case, order)
        answers: Mapping[str, Sequence[str]] = {"Assistant A": first, "Assistant B": second}
        return ask(self.prompts, "pairwise", case, turn, answers, self.wants_reference(case.problem))

    def parse(self, text: str) -> Judgement | None:
        return parse_choice(text)


def parse_choice(text: str) -> Judgement | None:
    """[[A]], [[B]] or, for a tie, [[C]]. Different choices in one answer are no verdict."""
    found = set(_CHOICE.findall(text))
    return _JUDGEMENTS[found.pop()] if len(found) == 1 else None
