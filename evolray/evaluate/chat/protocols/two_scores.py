"""Two scores of 1 to 10, side by side: FastChat's protocol of May 2023, which WizardLM was measured with.

A rubric of its own for programming and for mathematics. As published, the scores stand on the first line, except for
mathematics, where the judge solves the problem first and ends with a tuple.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evolray.errors import EvolrayError
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import Case, Judgement
from evolray.evaluate.chat.protocols.material import answers_in, ask, read_prompts
from evolray.evaluate.chat.verdicts import Order
from evolray.records import Turn

RUBRICS = ("general", "coding", "math")
LOWEST, HIGHEST = 1, 10

_PROMPTS = read_prompts(*(f"two_scores/{rubric}" for rubric in RUBRICS))
_SCORE = r"(\d{1,2}(?:\.\d+)?)(?:\s*/\s*10)?"
_PAIR = rf"{_SCORE}(?:\s*[,;]\s*|\s+){_SCORE}"
_LINE = re.compile(rf"{_PAIR}|\({_PAIR}\)|\[{_PAIR}\]", re.ASCII)
_NAMED_LINE = re.compile(rf"Assistant 1:\s*{_SCORE}[\s,;]+Assistant 2:\s*{_SCORE}", re.ASCII)
_REMARK = r"(?: *\(.*\))?"
_NAMED_LINES = re.compile(
    rf"^Assistant 1: *{_SCORE}{_REMARK}\nAssistant 2: *{_SCORE}{_REMARK}$", re.ASCII | re.MULTILINE
)
_LAST_LINE = re.compile(rf"(?:(?:The )?(?:output|final|scores?|tuple)\b[a-z :]*)?\(\s*{_PAIR}\s*\)", re.ASCII | re.I)
_MARKUP = str.maketrans("", "", "*_`")


@dataclass(frozen=True)
class TwoScores:
    """`rubric_of`: a problem's rubric, one of `RUBRICS`."""

    rubric_of: Callable[[Problem], str]

    name = "two_scores"
    source = (
        "FastChat's pairwise review of May 2023, used by WizardLM (arXiv 2304.12244): two scores of 1-10 for "
        "helpfulness, relevance, accuracy and level of detail, by general, coding or math rubric; our own wording"
    )
    is_comparison = True
    temperature = 0.2
    max_tokens = 1024
    prompts = _PROMPTS

    def messages(self, case: Case, turn: int, order: Order) -> tuple[Turn, ...]:
        rubric = self.rubric_of(case.problem)
        if rubric not in RUBRICS:
            raise EvolrayError(f"problem {case.problem.id}: rubric {rubric!r}, expected one of {', '.join(RUBRICS)}.")
        first, second = answers_in(case, order)
        answers: Mapping[str, Sequence[str]] = {"Assistant 1": first, "Assistant 2": second}
        return ask(self.prompts, f"two_scores/{rubric}", case, turn, answers)

    def parse(self, text: str) -> Judgement | None:
        return parse_two_scores(text)


def parse_two_scores(text: str) -> Judgement | None:
    """The scores on the first line that is not empty, or else, for mathematics, at the end.

    The first line must hold two numbers of 1 to 10 and nothing else: "9 8.5", "9, 8" and "9,8" as FastChat's own
    reader took them, and with no more than markup around them "**9** 8", "9/10 8/10", "(9, 8)", "[9, 8]" and
    "Assistant 1: 9, Assistant 2: 8". Three numbers, one number, ranges ("8-9 7") and other words are no verdict.

    Without such a line, what counts is the last line when it ends in a tuple ("(10, 4)", "The output tuple is
    (10, 4)."), and a line "Assistant 1: 10" with a line "Assistant 2: 4" below it, a remark in parentheses allowed.
    When these are there several times and differ, there is no verdict.
    """
    lines = [line for line in (line.strip().rstrip(".") for line in text.translate(_MARKUP).splitlines()) if line]
    if not lines:
        return None
    match = _LINE.fullmatch(lines[0]) or _NAMED_LINE.fullmatch(lines[0])
    found = {_scores(match)} if match else set(map(_scores, _at_the_end(lines)))
    if len(found) != 1:
        return None
    first, second = found.pop()
    if not all(LOWEST <= score <= HIGHEST for score in (first, second)):
        return None
    return Judgement(first, second)


def _at_the_end(lines: Sequence[str]) -> Iterator[re.Match[str]]:
    if match := _LAST_LINE.fullmatch(lines[-1]):
        yield match
    yield from _NAMED_LINES.finditer("\n".join(lines))


def _scores(match: re.Match[str]) -> tuple[float, float]:
    first, second = (float(score) for score in match.groups() if score is not None)
    return first, second
