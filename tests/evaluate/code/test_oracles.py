import math
from typing import Any

import pytest

from evolray.evaluate.code.oracles import is_right

HUGE = 10**400


@pytest.mark.parametrize(
    ("got", "expected", "atol", "right"),
    [
        (3, 3, 0, True),
        (3.0, 3, 0, True),
        (True, 1, 0, True),
        ([1, 2], (1, 2), 0, False),
        ([1.0, 2.0], (1.0, 2.0), 0, False),
        ((1.0, 2.0000001), (1.0, 2.0), 0, True),
        ([1.0, 2.1], [1.0, 2.0], 0, False),
        (0.1 + 0.2, 0.3, 0, True),
        (0.3 + 9e-7, 0.3, 0, True),
        (0.3 + 2e-6, 0.3, 0, False),
        (1e9 + 50, 1e9, 0, True),  # 1e-7 of it
        (1e9 + 200, 1e9, 0, False),
        (3, 3.0000001, 0, False),  # an int for a float must be equal
        (4, 3, 0, False),  # no tolerance for ints
        ([1, 2.00000001], [1, 2.0], 0, False),  # nor for ints and floats together
        ([1, 2.00005], [1, 2.0], 1e-4, True),  # but where the problem has one
        ([[1.0, 2.00005]], [[1.0, 2.0]], 1e-4, True),
        ([1.0], [1.0, 1.0], 1e-4, False),
        (1.0, [1.0, 1.0], 1e-4, False),
        (5, [], 0, False),
        ([], [], 0, True),
        (math.nan, math.nan, 0, False),
        (math.inf, math.inf, 0, True),
        (1e308, math.inf, 0, False),
        (HUGE, 1.0, 0, False),
        (HUGE, HUGE + 1, 1e-4, False),
        ("ab", "abc", 1e-4, False),
        ({"a": 1}, {"a": 1}, 0, True),
        ({1, 2}, {2, 1}, 0, True),
        (None, 0.5, 0, False),
    ],
)
def test_equality_and_tolerance(got: Any, expected: Any, atol: float, right: bool) -> None:
    assert is_right("f", [1], got, expected, atol) is right


@pytest.mark.parametrize(
    ("entry_point", "arguments", "got", "expected", "right"),
    [
        ("find_zero", [[-6, 11, -6, 1]], 1.0, 3.0, True),  # another root
        ("find_zero", [[-6, 11, -6, 1]], 1.5, 3.0, False),
        ("find_zero", [[-6, 11, -6, 1]], "1.0", 3.0, False),
        ("find_zero", [[1, 1]], 1e308 * 10, -1.0, False),
        ("are_equivalent", [36, 57], "anything", False, True),
        ("are_equivalents", [36, 57], "anything", False, False),
        ("sum_div", [8], 0, 7, True),
        ("sum_div", [8], 7, 7, True),
        ("sum_div", [8], 1, 7, False),
        ("check_str", ["annie"], "a match", object(), True),
        ("check_str", ["annie"], True, object(), True),
        ("check_str", ["annie"], False, object(), False),
        ("check_str", ["annie"], None, object(), False),
        ("text_match_three", ["ac"], None, None, True),
        ("text_match_three", ["ac"], False, None, True),
        ("text_starta_endb", ["ac"], 0, None, False),  # no bool and not None
    ],
)
def test_special_oracles(entry_point: str, arguments: list[Any], got: Any, expected: Any, right: bool) -> None:
    assert is_right(entry_point, arguments, got, expected, 1e-4 if entry_point == "find_zero" else 0) is right
