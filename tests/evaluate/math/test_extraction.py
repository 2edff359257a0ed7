import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.math.boxed import boxes_in, last_answer
from evolray.evaluate.math.extraction import (
    general_formula,
    general_number,
    published_formula,
    published_text,
    whole_sample,
)

ANY = Problem("0", {})


@pytest.mark.parametrize(
    ("sample", "number", "formula"),
    [
        ("The answer is: 18", "18", "18"),
        ("The answer is: 1. No, The answer is: 18.\n", "18.", "18"),
        ("The answer is: x.\nNow y", "x.\nNow y", "x"),
        ("The answer is 18", "", ""),  # no colon: invalid in the originals
        ("The answer is:18", "", ""),
        ("the answer is: 18", "", ""),
        ("18", "", ""),
    ],
)
def test_published(sample: str, number: str, formula: str) -> None:
    assert published_text(sample, ANY) == number
    assert published_formula(sample, ANY) == formula


@pytest.mark.parametrize(
    ("sample", "number"),
    [
        ("She sells 9 eggs.\n#### 1,450,000", "1,450,000"),
        ("The answer is: 18.", "18"),
        ("The answer is 18 because 9 * 2 is 18.", "18"),
        ("**Answer:** $18", "$18"),
        ("The final answer is $\\boxed{18}$. It took 3 steps.", "18"),
        ("So she makes **18 dollars** a day, every day of 7.", "18 dollars"),
        ("It is 9 at first, then 18.", "18"),
        ("The answer is: 18\n\nQuestion: Tom has 3 apples.\nAnswer: The answer is: 3", "18"),
        ("Question: how many?\nThe answer is: 18", "18"),
        ("The answer is clear: nothing. So 18", "18"),
        ("no number", ""),
    ],
)
def test_general_finds_a_number(sample: str, number: str) -> None:
    assert general_number(sample, ANY) == number


@pytest.mark.parametrize(
    ("sample", "formula"),
    [
        (r"Hence \boxed{\frac{\sqrt{3}}{2}}.", r"\frac{\sqrt{3}}{2}"),
        (r"First \boxed{1}, later \boxed{2}.", "2"),
        (r"\boxed{2} and $\boxed{-3}$", "2, -3"),
        (r"$\boxed{\{1, 2\}}$", r"\{1, 2\}"),
        (r"\fbox{7}", "7"),
        (r"$\boxed 7$", "7"),
        (r"The answer is $\frac{1}{2}$, not less.", r"\frac{1}{2}"),
        ("The answer is:\n\\[ x^2 + 1 \\]", "x^2 + 1"),
        ("Answer: (3, 4)\nDone", "(3, 4)"),
        (r"\boxed{12", "12"),  # cut off inside: no box, but a number
        ("Therefore $x = 5$", "5"),
    ],
)
def test_general_finds_a_formula(sample: str, formula: str) -> None:
    assert general_formula(sample, ANY) == formula


def test_none_takes_all_of_it() -> None:
    assert whole_sample(" 18 \n", ANY) == "18"


def test_boxes_inside_boxes_are_part_of_them() -> None:
    assert [box.content for box in boxes_in(r"\boxed{a \boxed{b}} } \boxed{c}")] == [r"a \boxed{b}", "c"]
    assert last_answer(r"{\boxed{1}") == "1"


@pytest.mark.parametrize(
    "sample",
    [
        r"\boxed{" * 30_000,
        "{" * 100_000,
        "answer is " * 20_000,
        "$" * 200_000,
        r"\boxed" + " " * 190_000,
        "**a" * 60_000,
        "1,111" * 40_000,
        "1 " + " " * 190_000,
        r"\[" * 100_000,
        "answer is: $" * 15_000,
        "\n" * 100_000 + "Question",
    ],
    ids=lambda sample: repr(sample[:12]),
)
def test_hostile_samples_end(sample: str) -> None:
    assert len(general_number(sample, ANY)) <= len(sample)
    assert len(general_formula(sample, ANY)) <= len(sample)
