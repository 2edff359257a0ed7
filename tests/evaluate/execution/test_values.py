"""What crosses, exactly as it was; and that nothing else does."""

import json
import math
from collections import Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from evolray.evaluate.execution.inside.values import MOST_DEPTH, Reader, TooMuch, Writer


def no_handle(value: Any) -> Any:
    raise TypeError(f"a handle for {type(value).__name__}")


def cross(value: Any) -> Any:
    data = json.dumps(Writer(no_handle).write(value), allow_nan=False)
    return Reader(no_handle, no_handle).read(json.loads(data))


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down, in the same order."""
    return repr(one) == repr(other) and type(one) is type(other)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 0.0, -0.0, 0.1, 5e-324, 1e308,
        math.inf, -math.inf, math.nan, 1j, complex(-0.0, math.inf), "", "text", "\ud800 alone", "\0\x1b", b"",
        b"\xff\0", bytearray(b"x"), [], [[[]]], (), (1,), [1, True, 1.0], ((1, 2), [3]), {}, {1: 2, "1": 3},
        {(1, 2): [4]}, {None: 5, True: {"a": [{}]}}, set(), {1}, frozenset({(1, 2)}), {"list": [1]},
        {"handle": [0]}, [{"int": "0x1"}],
        range(3), range(10, 0, -2), slice(1, None), Counter("aab"), OrderedDict([(2, 1), (1, 2)]), deque([1, 2]),
        deque([1], 5), Decimal("1.10"), Decimal("NaN"), Fraction(1, 3), date(2024, 2, 29),
        datetime(2024, 1, 1, 2, 3, 4, 5),
        datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=2))), time(1, 2, 3, 4),
        timedelta(-1, 5, 7), ..., NotImplemented, int, [str, dict], type(None),
    ],
    ids=lambda value: repr(value)[:30].encode("ascii", "backslashreplace").decode(),
)  # fmt: skip
def test_values_cross_unchanged(value: Any) -> None:
    assert same(cross(value), value)


def test_numbers_that_are_too_long_to_print() -> None:
    assert cross([10**5000, -(10**5000)]) == [10**5000, -(10**5000)]


class Lying:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        raise AssertionError("not asked")

    __len__ = __str__ = __repr__ = __index__ = __float__ = items = keys = __iter__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("base", "content"),
    [
        (int, 5), (float, 2.5), (str, "x"), (list, [1]), (tuple, (1,)), (dict, {1: 2}), (set, {1}),
        (frozenset, frozenset({1})), (bytes, b"x"),
    ],
)  # fmt: skip
def test_subclasses_are_reduced_to_their_content(base: Any, content: Any) -> None:
    assert same(cross(type("Liar", (Lying, base), {})(content)), content)


def test_kinds_of_the_library_that_are_subclasses() -> None:
    Point = namedtuple("Point", "x y")
    Colour = IntEnum("Colour", "RED")
    assert same(cross(Point(1, [2])), (1, [2]))
    assert same(cross(defaultdict(list, {1: [2]})), {1: [2]})
    assert same(cross(Colour.RED), 1)


def test_numpy_crosses_by_content() -> None:
    assert same(cross([np.int64(3), np.float32(0.5), np.bool_(True), np.str_("a")]), [3, 0.5, True, "a"])
    assert same(cross(np.array([[1, 2], [3, 4]])), [[1, 2], [3, 4]])


@pytest.mark.parametrize("value", [object(), lambda: 1, iter([]), UserDict(), Lying(), Writer, ValueError("x")])
def test_everything_else_becomes_a_handle(value: Any) -> None:
    assert Writer(lambda one: [id(one)]).write([value]) == [{"handle": [id(value)]}]


def test_a_value_that_contains_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(TooMuch):
        cross(value)


def test_the_deepest_that_crosses() -> None:
    value: Any = 0
    for _ in range(MOST_DEPTH):
        value = [value]
    assert cross(value) == value
    with pytest.raises(TooMuch):
        cross([value])


@pytest.mark.parametrize(
    "data",
    [
        {}, {"list": [], "tuple": []}, {"unknown": 1}, {"tuple": 5}, {"set": [[1]]}, {"dict": [[1]]}, {"dict": [1]},
        {"dict": [[[1], 2]]}, {"int": 5}, {"int": "x"}, {"float": "1"}, {"bytes": 3}, {"bytes": "zz"},
        {"range": [0, 1, 0]},
        {"range": "abc"}, {"complex": [1, 2, 3]}, {"Decimal": "x"}, {"Decimal": [0]}, {"Fraction": [1, 0]},
        {"date": [0, 0, 0]},
        {"datetime": [2024]}, {"timedelta": [10**30]}, {"type": "object"}, {"type": []}, {"constant": "None"},
        {"deque": [[], -1]}, {"slice": []}, [{"tuple": [{"nested": 1}]}],
    ],
    ids=json.dumps,
)  # fmt: skip
def test_reading_refuses_what_writing_never_writes(data: Any) -> None:
    with pytest.raises(ValueError):
        Reader(no_handle, no_handle).read(data)


def test_keys_with_equal_hashes_are_refused() -> None:
    modulus = 2**61 - 1  # of hashes of numbers
    few, many = ([{"int": hex(n * modulus)} for n in range(number)] for number in (900, 2_000))
    assert len(Reader(no_handle, no_handle).read({"set": few})) == 900
    for data in ({"set": many}, {"frozenset": many}, {"dict": [[key, 1] for key in many]}):
        with pytest.raises(ValueError, match="keys with equal hashes"):
            Reader(no_handle, no_handle).read(data)
