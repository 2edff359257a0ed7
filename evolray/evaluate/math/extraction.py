r"""From a sample to the answer in it, in three ways.

    published    what WizardMath's scripts take: after the last "The answer is: ", to the letter
    general      ours, the first of these that there is: the last \boxed{}, "#### ...", "the answer is ...",
                 "Answer: ...", the last bold text or formula on a line of its own, the last number
    none         the sample as it is

What a model that goes on writes after its answer (a next question, a next "### Instruction:") is left out by `general`.
An answer that was not closed, because the sample was cut off inside it, does not count.
"""

import re
from collections.abc import Callable

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.math.boxed import boxes_in, last_answer
from evolray.evaluate.math.exact_numbers import last_number, spelt_plainly

PUBLISHED_MARKER = "The answer is: "
LONGEST_SAMPLE = 200_000
"""Characters; of longer ones the end is looked at."""
LONGEST_ANSWER = 1_000
"""Characters of an answer that no mark closes."""

_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S.*)$", re.MULTILINE)
_PHRASE = re.compile(
    r"\banswer(?:[ \t]*(?::|=)|[ \t]+(?:is|are|equals|would be|will be)\b[ \t]*:?|\**:)[ \t*]*",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_DISPLAYED = re.compile(r"\$\$([^$]{1,500})\$\$|\\\[((?:[^\\]|\\[^\]\[]){1,500})\\\]|\$([^$\n]{1,300})\$")
_NEXT_QUESTION = re.compile(
    r"^[ \t]*(?:#{2,}[ \t]*Instruction|(?:Problem|Question|Q|Instruction)[ \t]*\d*[ \t]*:)", re.MULTILINE
)
_WRAPPING = " \t\r\n*_`"


def published_text(sample: str, problem: Problem) -> str:
    """GSM8K's script: the number is then found by its grader."""
    _, marker, answer = sample.rpartition(PUBLISHED_MARKER)
    return answer.strip() if marker else ""


def published_formula(sample: str, problem: Problem) -> str:
    r"""MATH's script: up to a full stop at the end of a line."""
    answer = published_text(sample, problem).partition(".\n")[0].strip()
    return answer.removesuffix(".").strip()


def whole_sample(sample: str, problem: Problem) -> str:
    return sample.strip()


def general_number(sample: str, problem: Problem) -> str:
    """For GSM8K: whatever is taken holds a number, where there is one at all."""
    text = _own_part(sample)
    ways: tuple[Callable[[str], str], ...] = (last_answer, _after_hashes, _after_phrase, _last_bold)
    for way in ways:
        answer = way(text)
        if last_number(spelt_plainly(answer)):
            return answer
    return last_number(spelt_plainly(text))


def general_formula(sample: str, problem: Problem) -> str:
    text = _own_part(sample)
    ways: tuple[Callable[[str], str], ...] = (last_answer, _after_hashes, _after_phrase, _last_bold, _last_formula)
    for way in ways:
        answer = way(text)
        if answer:
            return answer
    return last_number(spelt_plainly(text))


def _own_part(sample: str) -> str:
    """Without what follows a next question, once an answer was given."""
    text = sample[-LONGEST_SAMPLE:].replace("\r", "")
    first_answer = min(
        [match.start() for match in (_HASHES.search(text), _PHRASE.search(text)) if match]
        + [box.start for box in boxes_in(text)[:1]],
        default=None,
    )
    if first_answer is None:
        return text
    following = _NEXT_QUESTION.search(text, first_answer)
    return text[: following.start()] if following else text


def _after_hashes(text: str) -> str:
    found = _HASHES.findall(text)
    return _closed(found[-1]) if found else ""


def _after_phrase(text: str) -> str:
    """Behind the last "answer is" that something follows on its line or the next."""
    answer = ""
    for match in _PHRASE.finditer(text):
        rest = text[match.end() : match.end() + LONGEST_ANSWER].lstrip()
        answer = _closed(rest) or answer
    return answer


def _last_bold(text: str) -> str:
    found = [match for match in _BOLD.findall(text) if any(map(str.isdigit, match))]
    return _closed(found[-1]) if found else ""


def _last_formula(text: str) -> str:
    found = _DISPLAYED.findall(text)
    return "".join(found[-1]).rpartition("=")[2].strip(" .,") if found else ""


def _closed(rest: str) -> str:
    r"""One answer from where it starts: a formula in $...$ or \(...\), or up to the end of the sentence or line."""
    rest = rest.strip(_WRAPPING)
    for opening, closing in (("$$", "$$"), (r"\(", r"\)"), (r"\[", r"\]"), ("$", "$")):
        if rest.startswith(opening):
            formula, closed, _ = rest[len(opening) :].partition(closing)
            if closed:
                return formula.strip()
    line = rest.partition("\n")[0]
    sentence = re.split(r"\.(?=\s|$)|\s(?:because|since|which|as)\s", line, maxsplit=1)[0]
    return sentence.strip(_WRAPPING + ":;,!")
