r"""What the strict grader sees past in an answer: spelling, not value. A table of rules, applied in order.

"x = \left( 1,\,\dfrac12 \right)."   ->  "x = ( 1,\frac12 )"
"85\text{ feet}"  "45^\circ"  "\$8"  ->  "85"  "45"  "8"
"19 \text{ and } 43"                 ->  "19 ,  43"
"""

import re

from evolray.evaluate.math.boxed import boxes_in
from evolray.evaluate.math.exact_numbers import spelt_plainly
from evolray.evaluate.math.hendrycks import Rule, normalised

_TEXT = r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|hbox|operatorname)\s{0,3}"
_TEXT_GROUP = re.compile(_TEXT + r"\{([^{}]*)\}")
_UNIT_GROUP = re.compile(_TEXT + r"\{\s*[A-Za-z][^{}\d]*\}(?:\s?\^\s?\{?[23]\}?)?$")
_SHORT_UNITS = "cm|mm|km|ft|in|kg|mg|lb|oz|hr|sec|min|mph"
_UNIT_WORDS = re.compile(
    rf"(?<=[\d}})])\s{{1,3}}(?:square\s|cubic\s|sq\.?\s)?(?:{_SHORT_UNITS}|[A-Za-z]{{4,20}})"
    r"(?:\s[A-Za-z]{1,20}){0,4}(?:\s?\^\s?\{?[23]\}?)?$"
)
_MARKS = re.compile(r"\$|(?<!\\)\\[()\[\]]")  # not what parts the rows of a matrix
_SIZES = re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])")
_SPACES = re.compile(r"(?:(?<!\\)\\(?:[;: ]|qquad|quad|displaystyle(?![A-Za-z]))|[~\s])+")
_AND = re.compile(rf"(?:,\s?)?(?:{_TEXT}\{{\s*,?\s*(?:and|or)\s*\}}|(?<=[\s\d}})])(?:and|or)(?=[\s\d\\({{-]))")
_DEGREES = re.compile(r"\s?\^\s?(?:\{\s?\\circ\s?\}|\\circ)|\\degrees?(?![A-Za-z])|°")
_PUNCTUATION = " \t.,;:"


def _unboxed(text: str) -> str:
    boxes = boxes_in(text)
    alone = len(boxes) == 1 and (boxes[0].start, boxes[0].end) == (0, len(text))
    return boxes[0].content.strip() if alone else text


def _stripped(text: str) -> str:
    return " ".join(text.split()).strip(_PUNCTUATION)


def _without_unit(text: str) -> str:
    """One unit, behind something; a second one stays, and makes the answer words."""
    for unit in (_UNIT_GROUP, _UNIT_WORDS):
        match = unit.search(text)
        if match and text[: match.start()].strip():
            return text[: match.start()].strip()
    return text


RULES = (
    Rule("thin spaces, dollars, minus signs, sizes of fractions", spelt_plainly),
    Rule("marks around a formula", lambda text: _MARKS.sub("", text)),
    Rule("a box around all of it", _unboxed),
    Rule("sizes of brackets", lambda text: _SIZES.sub("", text)),
    Rule("spaces", lambda text: _SPACES.sub(" ", text)),
    Rule("and, or", lambda text: _AND.sub(",", text)),
    Rule("degrees", lambda text: _DEGREES.sub("", text)),
    Rule("space and punctuation around it", _stripped),
    Rule("a unit on the right", _without_unit),
    Rule("punctuation before the unit", _stripped),
)


def tidied(text: str) -> str:
    return normalised(text, RULES)


def without_percent(text: str) -> tuple[str, bool]:
    """The text, and whether it ended in a percent sign."""
    short = text.removesuffix("%").removesuffix("\\").rstrip() if text.endswith("%") else text
    return short, short != text


def has_words(text: str) -> bool:
    r"""Whether letters stand in a \text{}: what is left of those once units and conjunctions are gone is the answer."""
    return any(any(map(str.isalpha, group)) for group in _TEXT_GROUP.findall(text))


def as_words(text: str) -> str:
    r"""\text{(B)}, (B) and b are one answer, and so are \text{June 20} and June 20."""
    text = re.sub(r"[\s\\{}.,!:;'\"*_-]", "", _TEXT_GROUP.sub(r"\1", text)).casefold()
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text
