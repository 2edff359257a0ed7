import pytest

from evolray.evaluate.math import published_symbols
from evolray.evaluate.math.published_symbols import may_be_evaluated, published_equal


@pytest.mark.parametrize(
    ("prediction", "reference", "equal"),
    [
        ("0.053571", r"\frac{3}{56}", True),  # within 1e-3
        ("0.0536", r"\frac{3}{56}", True),
        ("0.054", r"\frac{3}{56}", False),
        ("(x+1)^2", "x^2+2x+1", True),
        (r"\sqrt{8}", r"2\sqrt{2}", True),
        ("506_7", "506", True),  # what cannot be read after a formula is not looked at
        (r"y=\frac{1}{2}x+2", r"\frac{1}{2}x+2", False),
        (r"\begin{pmatrix}1\end{pmatrix}", "1", False),
    ],
)
def test_equal(prediction: str, reference: str, equal: bool) -> None:
    assert published_equal(prediction, reference) is equal


@pytest.mark.parametrize("text", ["2**3+x1", "sqrt(2)/3", "factorial(5)", "(1, 2)", "5!", ".5*pi"])
def test_arithmetic_may_be_evaluated(text: str) -> None:
    assert may_be_evaluated(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "open(x)",
        "eval(1)",
        "x.y",
        "1.5.real",
        "(1).real",
        "x[0]",
        "lambda:0",
        "a=1",
        '"s"',
        "x;y",
        "print(1)",
        "1_000",
        "é",
        "x\\y",
        "`x`",
        "{1}",
        "a if b else c",
        "f'1'",
    ],
)
def test_programs_may_not(text: str) -> None:
    assert not may_be_evaluated(text)


def test_a_grammar_that_does_not_work_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> object:
        raise ImportError("another antlr")

    published_symbols.check_grammar()
    monkeypatch.setattr(published_symbols._parse_latex_antlr, "parse_latex", broken)
    with pytest.raises(RuntimeError, match=r"another antlr.*expected 1/2\. Install antlr4-python3-runtime"):
        published_symbols.check_grammar()
