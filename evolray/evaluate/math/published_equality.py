"""When WizardMath's evaluation takes two answers for equal, leniencies included.

    numbers     equal to a relative 1e-4, or after dividing or multiplying the reference by 100: 18 is 0.18 and 1800
    texts       equal once braces and round brackets are taken out, and for bracketed ones the outer brackets
    sequences   in brackets: equal part by part
    formulas    by sympy (`published_symbols`)

The source is WizardLM's repository, WizardMath/inference/grader.py; the wording here is ours.
"""

from collections.abc import Callable
from math import isclose

RELATIVE_TOLERANCE = 1e-4

SymbolicTest = Callable[[str, str], bool]

_UNBRACED = str.maketrans("", "", "{}()")
_BRACKETS = "[]()"
_MOST_PARTS = 100


def published_math_equal(prediction: str, reference: str, symbolic: SymbolicTest) -> bool:
    """`symbolic` decides what is left when the cheaper tests find nothing."""
    number, expected = as_float(prediction), as_float(reference)
    if number is not None and expected is not None:
        accepted = (expected / 100, expected, expected * 100)
        return any(isclose(value, number, rel_tol=RELATIVE_TOLERANCE) for value in accepted)
    if not prediction:
        return False
    prediction, reference = prediction.strip(), reference.strip()
    return (
        _equal_as_texts(prediction, reference)
        or _equal_as_sequences(prediction, reference, symbolic)
        or symbolic(prediction, reference)
    )


def as_float(text: str) -> float | None:
    """What Python reads as a float once commas are gone; "nan" and "infinity" too."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _equal_as_texts(prediction: str, reference: str) -> bool:
    square = prediction.startswith("[") and prediction.endswith("]") and not reference.startswith("(")
    if square or (prediction.startswith("(") and prediction.endswith(")") and not reference.startswith("[")):
        prediction, reference = prediction.strip(_BRACKETS), reference.strip(_BRACKETS)
    return prediction.translate(_UNBRACED) == reference.translate(_UNBRACED)


def _equal_as_sequences(prediction: str, reference: str, symbolic: SymbolicTest) -> bool:
    if not any(all(one[:1] + one[-1:] == pair for one in (prediction, reference)) for pair in ("[]", "()")):
        return False
    parts, expected = prediction[1:-1].split(","), reference[1:-1].split(",")
    return len(parts) == len(expected) <= _MOST_PARTS and all(
        published_math_equal(one, other, symbolic) for one, other in zip(parts, expected, strict=True)
    )
