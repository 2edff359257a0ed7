from collections.abc import Iterator

import pytest

from evolray.evaluate.math.helper import Helper
from evolray.evaluate.math.strict_answers import LONGEST_ANSWER, strictly_equal
from evolray.evaluate.math.tidy import tidied


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    helper = Helper()
    yield helper
    helper.close()


EQUAL = [
    ("15000", r"\$15,\!000"),
    ("1,016", "1016"),
    (r"$\frac{1}{2}$", "0.5"),
    ("10/2", "5"),
    ("1 1/2", r"\frac32"),
    (r"2\frac{1}{2}", r"\frac{5}{2}"),
    ("0.333333", r"\frac13"),
    ("1.414214", r"\sqrt2"),
    (r"\boxed{5}", "5"),
    ("5.", "5"),
    # units, degrees, percent
    ("85 feet", r"85\text{ feet}"),
    (r"85\text{ ft}", "85"),
    (r"10\text{ cm}^2", "10"),
    (r"12\text{ degrees}", r"12^\circ"),
    ("45", r"45^\circ"),
    ("25", r"25\%"),
    (r"25\%", "25"),
    ("0.25", r"25\%"),
    (r"25\%", r"\frac14"),
    # words
    (r"\text{evelyn}", r"\text{Evelyn}"),
    ("Evelyn", r"\text{Evelyn}"),
    ("B", r"\text{(B)}"),
    ("(B)", r"\text{(B)}"),
    ("June 20", r"\text{June 20}"),
    (r"\mathrm{even}", r"\text{even}"),
    # bases, names
    ("506_{7}", "506_7"),
    ("506", "506_7"),
    ("x=5", "5"),
    ("15", "k = 15"),
    ("f(x) = 2x", "2x"),
    ("x = 2+3 = 5", "5"),
    (r"\frac{x}{2} + 2", r"y = \frac{1}{2} x + 2"),
    (r"\angle ABC = 30^\circ", "30"),
    # sequences
    ("( 3 , \\pi/2 )", r"\left(3, \frac{\pi}{2}\right)"),
    ("1,2", "2,1"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("2, 1", r"\{1,2\}"),
    ("1,2", "(1,2)"),
    ("43 and 19", r"19 \text{ and }43"),
    ("-5, 7, -2", r"7, -2, \text{ and } -5"),
    (r"x = 4 \text{ or } x = 5", "5,4"),
    (r"1 \pm \sqrt2", r"1+\sqrt2, 1-\sqrt2"),
    (r"x \in (2,3)", "(2,3)"),
    (r"(3,\infty) \cup (-\infty,2)", r"(-\infty, 2) \cup (3, \infty)"),
    ("2 < x < 3", "(2,3)"),
    # formulas
    ("3(n^2-6)", "3n^2-18"),
    (r"3 \cdot 3^{2006}", "3^{2007}"),
    ("-75i+116", "116 - 75i"),
    (r"-\frac{1}{2x}", r"-\frac1{2x}"),
    ("9x^2 - 16y^2 = 144", r"\frac{x^2}{16} - \frac{y^2}{9} = 1"),
    (r"\begin{bmatrix} 0.4 \\ 0 \end{bmatrix}", r"\begin{pmatrix} 2/5 \\ 0 \end{pmatrix}"),
]
DIFFERENT = [
    ("4000", "40"),
    ("40", "4000"),
    ("0.4", "40"),
    ("2500", r"25\%"),
    ("0.333", r"\frac13"),
    ("1.4142", r"\sqrt2"),
    ("0.0000001", "0"),
    ("41", "40"),
    # what passes against any reference as published
    ("a/b", "5"),
    (r"\frac", "5"),
    (r"\sqrt", "3"),
    (r"5\text{ cm}\text{ x}", "7"),
    (r"5\text{ cm}\text{ x}", "5"),
    ("x/y", r"\frac12"),
    # words
    ("Evelny", r"\text{Evelyn}"),
    (r"\text{C}", r"\text{(B)}"),
    ("odd", r"\text{even}"),
    (r"\text{seven}", "7"),
    # bases, names
    ("506_7", "506_8"),
    ("605", "506_7"),
    ("y = 5", "x = 5"),
    ("4 = 5", "5"),
    ("2x = 10", "10"),
    ("x", "y"),
    (r"\frac{x^2}{16} - \frac{y^2}{9}", r"\frac{x^2}{16} - \frac{y^2}{9} = 1"),
    # sequences
    ("(1,2)", "[1,2]"),
    ("(1,2)", "(2,1)"),
    ("2,1", "(1,2)"),
    ("5,7", "5"),
    ("5", "5,7"),
    ("1,1,2", "1,2,2"),
    ("(1,2)", r"\{1,2\}"),
    (r"(-\infty,2] \cup (3,\infty)", r"(-\infty, 2) \cup (3, \infty)"),
    # formulas
    (r"\frac{1120}{1}", r"\frac{11}{20}"),
    (r"\frac1120", r"\frac{11}{20}"),
    (r"-\frac{x}{2}", r"-\frac1{2x}"),
    (r"2 \cos x", r"2 \sin x"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    ("3^{2008}", "3^{2007}"),
    ("", "5"),
    ("5", ""),
]


@pytest.mark.parametrize(("prediction", "reference"), EQUAL)
def test_equal(helper: Helper, prediction: str, reference: str) -> None:
    assert strictly_equal(prediction, reference, helper.verified_equal)


@pytest.mark.parametrize(("prediction", "reference"), DIFFERENT)
def test_different(helper: Helper, prediction: str, reference: str) -> None:
    assert not strictly_equal(prediction, reference, helper.verified_equal)


def test_numbers_words_and_lists_of_them_need_no_formulas() -> None:
    def never(prediction: str, reference: str) -> bool:
        raise AssertionError(f"asked about {prediction} and {reference}")

    assert strictly_equal("(1, -2)", "(1,-2)", never)
    assert not strictly_equal("(1, 3)", "(1, -2)", never)
    assert strictly_equal("18.0", "18", never)
    assert not strictly_equal(r"\text{odd}", r"\text{even}", never)


@pytest.mark.parametrize(
    "prediction",
    ["(" * 9_000, "=" * 9_000, "1," * 4_900 + "1", " and " * 1_900, "x=" * 4_900, "1" * (LONGEST_ANSWER + 1)],
)
def test_hostile_answers_are_different_without_formulas(prediction: str) -> None:
    assert not strictly_equal(prediction, "3,4", lambda one, other: False)


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        (r"x = \left( 1,\,\dfrac12 \right).", r"x = ( 1,\frac12 )"),
        (r"\[ 85\text{ feet} \]", "85"),
        (r"\$8", "8"),
        (r"19 \text{ and } 43", "19 , 43"),
        (r"7\;\text{cm}^2", "7"),
        (r"\text{even}", r"\text{even}"),
        (r"5\text{ cm}\text{ x}", r"5\text{ cm}"),
        ("3 xy", "3 xy"),
        (r"\( 1 \\[2pt] 2 \\ 3 \)", r"1 \\[2pt] 2 \\ 3"),
    ],
)
def test_tidied(text: str, tidy: str) -> None:
    assert tidied(text) == tidy
