"""When an output counts as the one that the reference gave: evalplus's rules.

    equal                        ==, so that 1, 1.0 and True are one, and a list is not a tuple
    a float, or floats alone     |got - expected| <= atol + 1e-7 |expected|, atol 1e-6 where the problem says 0
    any output, where the        the same; the outputs must have one type and one length
      problem says atol > 0
    find_zero                    HumanEval/32: the polynomial at the output is at most atol from 0; or the output is the
                                 reference's, which for large coefficients is no closer
    are_equivalent               Mbpp/164: always right, its reference is wrong
    sum_div                      Mbpp/295: 0 is right too
    check_str, text_match_three, Mbpp/737, 787, 794: whether it is None counts, or the bool that it is
      text_starta_endb

The special cases are those of evalplus 0.2, with which the published scores on MBPP+ v0.1.0 were made; later versions
compare eight more tasks as sets. The tolerance is as in evalplus 0.3, which asks for one type and one length: before,
a number agreed with an empty list.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

RELATIVE = 1e-7
ABSOLUTE_FOR_FLOATS = 1e-6
NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})

SUMMARY = {
    "equality": "==; floats within atol + 1e-7 |expected|, atol of the problem or 1e-6",
    "special": "evalplus 0.2: find_zero, are_equivalent, sum_div, " + ", ".join(sorted(NOT_NONE)),
}


def is_right(entry_point: str, arguments: Sequence[Any], got: Any, expected: Any, atol: float) -> bool:
    if special := _SPECIAL.get(entry_point):
        return special(arguments, got, expected, atol)
    return _agrees(got, expected, atol)


def _agrees(got: Any, expected: Any, atol: float) -> bool:
    if got == expected:
        return True
    if atol == 0:
        if not _is_floats(expected):
            return False
        atol = ABSOLUTE_FOR_FLOATS
    return type(got) is type(expected) and _is_close(got, expected, atol)


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, float) for one in value)
    return isinstance(value, float)


def _is_close(got: Any, expected: Any, atol: float) -> bool:
    if isinstance(expected, list | tuple):
        return (
            isinstance(got, list | tuple)
            and len(got) == len(expected)
            and all(_is_close(one, other, atol) for one, other in zip(got, expected, strict=True))
        )
    if got == expected:
        return True
    if not isinstance(got, int | float | complex) or not isinstance(expected, int | float | complex):
        return False
    try:
        distance, allowed = abs(got - expected), atol + RELATIVE * abs(expected)
    except OverflowError:  # an integer beyond all floats
        return False
    return math.isfinite(allowed) and distance <= allowed


def _is_root(arguments: Sequence[Any], got: Any, expected: Any, atol: float) -> bool:
    if got == expected:
        return True
    if not isinstance(got, int | float):
        return False
    try:
        value = sum(coefficient * math.pow(got, power) for power, coefficient in enumerate(arguments[0]))
    except (ValueError, OverflowError):
        return False
    return bool(abs(value) <= atol)


def _is_anything(arguments: Sequence[Any], got: Any, expected: Any, atol: float) -> bool:
    return True


def _agrees_or_is_zero(arguments: Sequence[Any], got: Any, expected: Any, atol: float) -> bool:
    return bool(got == 0) or _agrees(got, expected, atol)


def _is_there(arguments: Sequence[Any], got: Any, expected: Any, atol: float) -> bool:
    there = got if isinstance(got, bool) else got is not None
    return there == (expected is not None)


_SPECIAL: dict[str, Callable[[Sequence[Any], Any, Any, float], bool]] = {
    "find_zero": _is_root,
    "are_equivalent": _is_anything,
    "sum_div": _agrees_or_is_zero,
    **{name: _is_there for name in NOT_NONE},
}
