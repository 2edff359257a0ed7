r"""Numbers as people and models write them, read exactly.

    18   1,450,000   -3   $5.50   \$15,\!000   3/4   \frac{3}{4}   \frac34   2\frac{1}{2}   2 1/2   .5   1.5 million

Every value is a Fraction, so that nothing is rounded: 2.5 is not 2, and 1,450,000 is not 1,450. A comma parts groups of
three digits or is no part of a number. What is longer than any answer is no number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

LONGEST_NUMBER = 400
"""Characters."""

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"""(?<![\w.])
    (?:(?P<sign>[-+])\s{{0,2}})?(?:(?:[$€£¥₹]|USD|Rs\.?)\s{{0,2}})?(?P<late_sign>[-+])?
    (?:
        (?:(?P<whole>\d+)\s*)?\\frac\s{{0,3}}
            (?:\{{\s*(?P<above>-?{_DECIMAL})\s*\}}|(?P<above_digit>\d))\s*
            (?:\{{\s*(?P<below>{_DECIMAL})\s*\}}|(?P<below_digit>\d))
      | (?:(?P<units>\d+)\s+)?(?P<numerator>{_DIGITS})\s*/\s*(?P<denominator>{_DIGITS})
      | (?P<decimal>{_DECIMAL})
    )
    (?:\s*(?P<scale>hundred|thousand|million|billion|trillion)\b)?""",
    re.VERBOSE | re.ASCII,
)
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SPELLINGS = (
    (r"\!", ""), (r"\,", ""), ("{,}", ","), (r"\$", "$"), ("\N{NO-BREAK SPACE}", " "),
    ("\N{MINUS SIGN}", "-"),
    (r"\dfrac", r"\frac"), (r"\tfrac", r"\frac"), (r"\cfrac", r"\frac"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Number:
    """`decimals`: digits after the point; None for what was not written as a decimal. `start`, `end`: in the text as
    `spelt_plainly` gives it."""

    value: Fraction
    decimals: int | None
    start: int
    end: int


def spelt_plainly(text: str) -> str:
    """LaTeX's thin spaces inside numbers, its dollar and the sizes of fractions, and typographic signs, replaced."""
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    return text


def read_number(text: str) -> Number | None:
    """The number that the whole text is; None when it is anything else."""
    text = spelt_plainly(text.strip())
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    return _number(match) if match else None


def numbers_in(text: str) -> Iterator[Number]:
    """The numbers of a text that `spelt_plainly` went over, from left to right."""
    for match in _NUMBER.finditer(text):
        number = _number(match)
        if number is not None:
            yield number


def last_number(text: str) -> str:
    """As it is written; "" when there is none."""
    last = ""
    for match in _NUMBER.finditer(text):
        last = match.group().strip()
    return last


def _number(match: re.Match[str]) -> Number | None:
    if match.end() - match.start() > LONGEST_NUMBER:
        return None
    decimal = match["decimal"]
    if decimal is not None:
        value, decimals = _exact(decimal), len(decimal.partition(".")[2])
    else:
        above = match["above"] or match["above_digit"] or match["numerator"]
        below = _exact(match["below"] or match["below_digit"] or match["denominator"])
        if not below:
            return None
        value, decimals = _exact(match["whole"] or match["units"] or "0") + _exact(above) / below, None
    if match["scale"]:
        value *= _SCALES[match["scale"]]
    if "-" in (match["sign"], match["late_sign"]):
        value = -value
    return Number(value, decimals, match.start(), match.end())


def _exact(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def same_number(found: Number, expected: Number, rounded_from: int) -> bool:
    """Exactly equal; or `found` is a decimal of at least `rounded_from` places that rounds `expected` correctly, for
    values that have no exact decimal."""
    if found.value == expected.value:
        return True
    if found.decimals is None or found.decimals < rounded_from:
        return False
    return found.value == round(expected.value, found.decimals)
