import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Verdict
from evolray.evaluate.math.gsm8k_answers import published_integer
from evolray.evaluate.math.gsm8k_grader import Gsm8kGrader


def grade(mode: str, extracted: str, reference: str) -> Verdict:
    return Gsm8kGrader(mode).grade(Problem("0", {"reference": reference}), extracted)


@pytest.mark.parametrize(
    ("extracted", "reference", "outcome"),
    [
        ("18", "18", "passed"),
        ("$18.00", "18", "passed"),
        ("18 dollars for 2 days", "18", "passed"),
        ("16 - 3 - 4 + 9 = 18", "18", "passed"),
        ("1,450,000", "1,450,000", "passed"),
        ("1450000", "1,450,000", "passed"),
        ("1.45 million", "1,450,000", "passed"),
        ("36/2", "18", "passed"),
        ("1800", "18", "wrong"),
        ("0.18", "18", "wrong"),
        ("18.4", "18", "wrong"),
        ("2.5", "2", "wrong"),
        ("-18", "18", "wrong"),
        ("5 or 18", "18", "wrong"),
        ("18 or 5", "18", "wrong"),
        ("18 + 4", "18", "wrong"),
        ("eighteen", "18", "no_answer"),
        ("", "18", "no_answer"),
    ],
)
def test_strict(extracted: str, reference: str, outcome: str) -> None:
    assert grade("strict", extracted, reference).outcome == outcome


@pytest.mark.parametrize(
    ("extracted", "reference", "outcome"),
    [
        ("18", "18", "passed"),
        ("1800", "18", "passed"),
        ("18.4", "18", "passed"),
        ("2.5", "2", "passed"),
        ("3.5", "4", "passed"),
        ("3/4", "1", "passed"),
        ("1,450,000", "1,450,000", "wrong"),
        ("2,125", "2,125", "passed"),
        ("180", "18", "wrong"),
        ("none", "18", "no_answer"),
    ],
)
def test_as_published(extracted: str, reference: str, outcome: str) -> None:
    assert grade("as_published", extracted, reference).outcome == outcome


def test_messages_say_what_was_read() -> None:
    assert grade("strict", "20 eggs", "18").message == "got 20, expected 18"
    assert grade("strict", "5 or 18", "18").message == "got 5 or 18, expected 18 (more than one number)"
    assert grade("strict", "many", "18").message == "no number in many, expected 18"
    assert grade("strict", " ", "18").message == "no answer was found in the sample"
    published = grade("as_published", "1,450,000", "1,450,000")
    assert published.message == "got 1450, expected 1450000"
    assert grade("as_published", "1800", "18").message == (
        "got 1800, expected 18 (leniency: a hundredth or a hundredfold)"
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234,567", 1234), ("-7.", -7), ("about 12 or 13", 12), ("5/0", 5), ("1/00", None), ("/5", None),
        ("9" * 400, None), ("x", None), (".5", 0), ("1.5", 2),
    ],
)  # fmt: skip
def test_the_published_way_to_read_a_number(text: str, number: int | None) -> None:
    assert published_integer(text) == number


def test_a_message_is_bounded() -> None:
    for mode in ("strict", "as_published"):
        assert len(grade(mode, "x" * 100_000, "18").message) < 300
        assert len(grade(mode, "9" * 100_000, "18").message) < 800


def test_rules_and_modes() -> None:
    assert Gsm8kGrader("strict").rules == {"grader": "GSM8K", "mode": "strict", "numbers": "exact rationals"}
    assert Gsm8kGrader("as_published").rules["relative_tolerance"] == 1e-4
    with pytest.raises(UserError, match=r"grading=lenient: GSM8K has strict, as_published\."):
        Gsm8kGrader("lenient")
