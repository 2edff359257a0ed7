from fractions import Fraction

import pytest

from evolray.evaluate.math.exact_numbers import last_number, read_number, same_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18),
        ("1,450,000", 1_450_000),
        ("-3", -3),
        ("- 3", -3),
        ("\N{MINUS SIGN}7", -7),
        ("$5.50", Fraction(11, 2)),
        ("-$5", -5),
        ("$-5", -5),
        (r"\$15,\!000", 15_000),
        ("15{,}000", 15_000),
        ("3/4", Fraction(3, 4)),
        (r"\dfrac{3}{4}", Fraction(3, 4)),
        (r"\frac34", Fraction(3, 4)),
        (r"\frac{-1}{2}", Fraction(-1, 2)),
        (r"2\frac{1}{2}", Fraction(5, 2)),
        ("2 1/2", Fraction(5, 2)),
        (".5", Fraction(1, 2)),
        ("1.5 million", 1_500_000),
        ("0.1", Fraction(1, 10)),
    ],
)
def test_read_exactly(text: str, value: Fraction | int) -> None:
    number = read_number(text)
    assert number is not None
    assert number.value == value


@pytest.mark.parametrize("text", ["", "x", "1,23", "1234,567", "1/0", "5 dollars", "1e5", "nan", "9" * 500, "1 2", "٣"])
def test_what_is_no_number(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("found", "expected", "equal"),
    [
        ("0.55", r"\frac{11}{20}", True),
        ("0.333333", r"\frac13", True),
        ("0.333334", r"\frac13", False),
        ("0.333", r"\frac13", False),  # too few places to stand for it
        ("18.0", "18", True),
        ("18.0000001", "18", False),
        ("0.0000001", "0", False),
        ("1800", "18", False),
    ],
)
def test_equal_exactly_or_rounded_right(found: str, expected: str, equal: bool) -> None:
    one, other = read_number(found), read_number(expected)
    assert one is not None and other is not None
    assert same_number(one, other, rounded_from=6) is equal


def test_the_last_number_of_a_text() -> None:
    assert last_number("She had 16, gave 4 away and sold $1,200.50 worth.") == "$1,200.50"
    assert last_number("none at all") == ""
