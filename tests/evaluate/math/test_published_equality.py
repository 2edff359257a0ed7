import pytest

from evolray.evaluate.math.published_equality import published_math_equal


def never(prediction: str, reference: str) -> bool:
    raise AssertionError(f"the symbolic test was asked about {prediction} and {reference}")


@pytest.mark.parametrize(
    ("prediction", "reference", "equal"),
    [
        ("18", "18", True),
        ("1800", "18", True),  # the published leniency
        ("0.18", "18", True),
        ("180", "18", False),
        ("1,800", "1800", True),
        ("18.001", "18", True),  # within 1e-4
        ("18.01", "18", False),
        ("0", "0", True),
        ("nan", "nan", False),
        ("", "18", False),
        (r"\frac{1}{1}20", r"\frac{11}{20}", True),  # the same letters once braces are gone
        ("(1,2)", "1,2", True),
        ("[1,2]", "1,2", True),
        ("(1,200)", "(1,2)", True),  # part by part, with the leniency
    ],
)
def test_without_symbols(prediction: str, reference: str, equal: bool) -> None:
    assert published_math_equal(prediction, reference, never) is equal


def test_what_is_left_is_asked() -> None:
    asked: list[tuple[str, str]] = []

    def symbolic(prediction: str, reference: str) -> bool:
        asked.append((prediction, reference))
        return prediction == "x+1"

    assert published_math_equal(" x+1 ", "1+x", symbolic)
    assert not published_math_equal("(x+1,y)", "(1+x,z)", symbolic)
    assert asked == [("x+1", "1+x"), ("x+1", "1+x"), ("y", "z"), ("(x+1,y)", "(1+x,z)")]
