"""When an answer to a GSM8K problem is right, in two ways.

    strict          the answer's number is the reference, exactly: commas, currency, units, fractions and decimals read
    as_published    WizardMath's evaluation (github.com/nlpxucan/WizardLM, gsm8k_inference.py, with math_equal): the
                    first digits, with one point, comma or slash among them, rounded to an integer; then equal, or
                    equal to a hundredth or to a hundredfold

As published, 1,450,000 is read as 1450, 2.5 as 2 and 3.5 as 4, and 1800 is right where 18 is asked: a perfect run
scores 1318 of 1319.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from evolray.evaluate.math.exact_numbers import numbers_in, read_number, spelt_plainly
from evolray.evaluate.math.published_equality import published_math_equal

LONGEST_ANSWER = 10_000
"""Characters that are looked at."""

_PUBLISHED_NUMBER = re.compile(r"[-+]?\d*[.,/]?\d+")
# What stands between two numbers when the answer is not one of them but both, a range, or a sum that was not added up.
_BETWEEN = re.compile(r"\s*(?:,|;|or|and|to|[-+*/x×·~–]|\\times|\\cdot)?\s*")


@dataclass(frozen=True, slots=True)
class Decision:
    """`found`: how the answer was read; "" when nothing in it is a number."""

    equal: bool
    found: str
    expected: str
    reason: str = ""


def reference_of(answer: str) -> str:
    """What stands behind the last "####" of the data set's solution."""
    return answer.rpartition("####")[2].strip()


def strictly_right(extracted: str, reference: str) -> Decision:
    expected = read_number(reference)
    if expected is None:
        raise ValueError(f"the reference {reference!r} is no number")
    line = _first_line(spelt_plainly(extracted[:LONGEST_ANSWER]))
    result = line.rpartition("=")[2]
    numbers = list(numbers_in(result)) or list(numbers_in(line))
    text = result if list(numbers_in(result)) else line
    if not numbers:
        return Decision(False, "", str(expected.value))
    first, *others = numbers
    if others and _BETWEEN.fullmatch(text[first.end : others[0].start]) and others[0].value != first.value:
        return Decision(False, _shown(text), str(expected.value), "more than one number")
    return Decision(first.value == expected.value, str(first.value), str(expected.value))


def right_as_published(extracted: str, reference: str) -> Decision:
    expected = int(reference.replace(",", ""))
    found = published_integer(extracted[:LONGEST_ANSWER])
    if found is None:
        return Decision(False, "", str(expected))
    # Both are numbers, so the equality never gets as far as its symbolic test.
    equal = published_math_equal(str(found), str(expected), lambda prediction, reference: False)
    return Decision(
        equal,
        str(found),
        str(expected),
        "leniency: a hundredth or a hundredfold" if equal and found != expected else "",
    )


def published_integer(text: str) -> int | None:
    """The published way to read a number. Where it would raise (1/00), None."""
    match = _PUBLISHED_NUMBER.search(text)
    if match is None:
        return None
    digits = match.group().replace(",", "")
    above, slash, below = digits.partition("/")
    try:
        if not slash or below == "0":
            return round(float(above))
        return round(float(Fraction(int(above), int(below))))
    except (ValueError, OverflowError, ZeroDivisionError):  # no numerator, infinity, a denominator of 00
        return None


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:79]}…"
