r"""When two mathematical answers are equal, strictly: the same value, however it is spelt.

spelling    units, degrees, dollars, sizes of brackets and the like are seen past (`tidy`)
numbers     exactly, or a decimal of six or more places that rounds the other value correctly; a percent sign is read
            as a unit or as hundredths. 4000 is not 40
words       \text{even}: the same letters. Words never equal a formula
bases       506_7: the same digits, and the same base where both name one
names       "x = 5" is 5; under two different names they are not equal
sequences   tuples and intervals in order and with the same brackets; sets and lists in any order
formulas    by math-verify (`verified_symbols`)
"""

import re

from evolray.evaluate.math.exact_numbers import read_number, same_number
from evolray.evaluate.math.published_equality import SymbolicTest
from evolray.evaluate.math.sequences import Sequence, read_sequence
from evolray.evaluate.math.tidy import as_words, has_words, tidied, without_percent

DECIMALS = 6
LONGEST_ANSWER = 10_000
"""Characters; longer ones equal nothing."""
_MOST_PARTS = 50
_DEEPEST = 4

_BASE = re.compile(r"([0-9A-Fa-f]+(?:\.[0-9A-Fa-f]+)?)_(?:\{\s?)?(\d{1,2})(?:\s?\})?")
_DIGITS = re.compile(r"[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]+)?")
_GREEK = "alpha|beta|gamma|delta|theta|lambda|mu|phi|omega|rho|sigma|tau|epsilon"
_NAMED = re.compile(
    rf"(?P<name>(?:(?:[A-Za-z]|\\(?:{_GREEK}))(?:'|_\w|_\{{\w{{1,5}}\}})?(?:\s?\(\s?[A-Za-z](?:\s?,\s?[A-Za-z])?\s?\))?)"
    r"|\\angle\s?[A-Z]{1,3}|[A-Z]{2,4})\s?(?:=|\\in(?![A-Za-z]))\s?(?P<value>.+)"
)
_COMPARED_AS_A_WHOLE = re.compile(r"[<>]|\\(?:leq?|geq?|lt|gt|in|cup|cap|begin|langle)(?![A-Za-z])")


def strictly_equal(prediction: str, reference: str, verified: SymbolicTest) -> bool:
    """`verified` decides about formulas. What it raises goes through."""
    if max(len(prediction), len(reference)) > LONGEST_ANSWER:
        return False
    return _equal(tidied(prediction), tidied(reference), verified, _DEEPEST)


def _equal(prediction: str, reference: str, verified: SymbolicTest, depth: int) -> bool:
    if not prediction or not reference:
        return False
    if prediction == reference:
        return True
    if (numbers := _numbers_equal(prediction, reference)) is not None:
        return numbers
    if has_words(prediction) or has_words(reference):
        return as_words(prediction) == as_words(reference)
    if (digits := _equal_in_base(prediction, reference)) is not None:
        return digits
    if depth and (values := _values_of(prediction, reference)):
        return _equal(*values, verified, depth - 1)
    if depth and not _COMPARED_AS_A_WHOLE.search(f"{prediction} {reference}"):
        parts, expected = read_sequence(prediction), read_sequence(reference)
        if parts or expected:
            return bool(parts and expected and _equal_sequences(parts, expected, verified, depth - 1))
    if prediction.count("=") != reference.count("="):
        return bool(depth) and _equal_in_chain(prediction, reference, verified, depth - 1)
    return verified(without_percent(prediction)[0], without_percent(reference)[0])


def _numbers_equal(prediction: str, reference: str) -> bool | None:
    """None unless both are numbers."""
    (found_text, found_percent), (expected_text, expected_percent) = map(without_percent, (prediction, reference))
    found, expected = read_number(found_text), read_number(expected_text)
    if found is None or expected is None:
        return None
    if same_number(found, expected, DECIMALS):
        return True
    if found_percent == expected_percent:
        return False
    return found.value == expected.value * 100 if found_percent else found.value * 100 == expected.value


def _equal_in_base(prediction: str, reference: str) -> bool | None:
    """None unless one of them names its base and the other is digits too."""
    found, expected = _BASE.fullmatch(prediction), _BASE.fullmatch(reference)
    if found and expected:
        return found.groups() == expected.groups()
    match, other = (found, reference) if found else (expected, prediction)
    return match[1] == other if match and _DIGITS.fullmatch(other) else None


def _values_of(prediction: str, reference: str) -> tuple[str, str] | None:
    """What stands behind the names, where at least one is named and the other is no equation of another kind."""
    found, expected = _NAMED.fullmatch(prediction), _NAMED.fullmatch(reference)
    if found and expected:
        same_name = found["name"].replace(" ", "") == expected["name"].replace(" ", "")
        return (found["value"], expected["value"]) if same_name else None
    if found and "=" not in reference:
        return found["value"], reference
    if expected and "=" not in prediction:
        return prediction, expected["value"]
    return None


def _equal_sequences(found: Sequence, expected: Sequence, verified: SymbolicTest, depth: int) -> bool:
    if len(found.parts) != len(expected.parts) or len(found.parts) > _MOST_PARTS:
        return False
    kinds = {found.kind, expected.kind}
    if kinds == {"bracketed", "set"} or (kinds == {"bracketed"} and found.brackets != expected.brackets):
        return False
    if "bracketed" in kinds:
        if kinds != {"bracketed"} and "()" not in (found.brackets, expected.brackets):
            return False  # an interval is no list
        pairs = zip(found.parts, expected.parts, strict=True)
        return all(_equal(tidied(one), tidied(other), verified, depth) for one, other in pairs)
    left = list(found.parts)
    for other in expected.parts:
        for position, one in enumerate(left):
            if _equal(tidied(one), tidied(other), verified, depth):
                del left[position]
                break
        else:
            return False
    return True


def _equal_in_chain(prediction: str, reference: str, verified: SymbolicTest, depth: int) -> bool:
    """1 + 1 = 2 is 2 when all of its parts are; another equation is no value."""
    if "=" in reference:
        return False
    return all(_equal(part.strip(), reference, verified, depth) for part in prediction.split("="))
