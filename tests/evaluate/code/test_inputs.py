from typing import Any

import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.inputs import inputs_of


def converted(id: str, *stored: list[Any]) -> list[Any]:
    return [list(one) for one in inputs_of(Problem(id, {"base_input": list(stored)}), "base_input")]


@pytest.mark.parametrize(
    ("id", "stored", "expected"),
    [
        ("Mbpp/2", [[1, 2], [3]], [(1, 2), (3,)]),
        ("Mbpp/3", [[1, 2], [3]], [[1, 2], [3]]),  # not of those that take tuples
        ("Mbpp/63", [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
        ("Mbpp/259", [[[1, 2]], [[3, 4]]], [((1, 2),), ((3, 4),)]),
        ("Mbpp/580", [[1, [2, [3]]]], [(1, (2, (3,)))]),
        ("Mbpp/250", [[1, 2], 1], [(1, 2), 1]),
        ("Mbpp/307", [["a", [1]], 1, 50], [("a", [1]), 1, 50]),
        ("Mbpp/106", [[1], [2]], [[1], (2,)]),
        ("Mbpp/75", [[[1, 2]], 3], [[(1, 2)], 3]),
        ("Mbpp/278", [[1, [2, 3]]], [(1, (2, 3))]),
        ("Mbpp/115", [[[1, 2], [], {}]], [[{1, 2}, {}, {}]]),
        ("Mbpp/722", [{"a": [6.2, 70]}, 6.0, 70], [{"a": (6.2, 70)}, 6.0, 70]),
        ("Mbpp/252", ["(1+2j)"], [1 + 2j]),
        ("Mbpp/124", ["0.0", "1j"], [0.0, 1j]),
        ("HumanEval/2", [[1, 2]], [[1, 2]]),
    ],
)
def test_what_json_cannot_hold_is_turned_back(id: str, stored: list[Any], expected: list[Any]) -> None:
    (arguments,) = converted(id, stored)
    assert arguments == expected
    assert list(map(type, arguments)) == list(map(type, expected))


def test_no_inputs_may_be_written_as_an_object() -> None:
    assert inputs_of(Problem("Mbpp/793", {"plus_input": {}}), "plus_input") == []
