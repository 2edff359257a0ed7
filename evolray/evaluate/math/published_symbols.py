"""Runs in the helper process: whether two formulas are equal by the published grader's last test.

A formula is read as LaTeX by sympy's own grammar, or else as an expression; two are equal when their difference
simplifies to 0 or their values agree to 1e-3 (WizardLM's repository, WizardMath/inference/grader.py).

One thing differs. sympy's `parse_expr`, and `N` when it is given a text, evaluate Python, and an answer is hostile:
only numbers, operators, single letters and the functions named here reach them. Whatever else stays unread, as if it
could not be parsed, and no text reaches any other function of sympy.
"""

import re
from collections.abc import Callable
from math import isclose
from typing import Any

import sympy
from sympy.parsing.latex import _parse_latex_antlr
from sympy.parsing.sympy_parser import parse_expr

RELATIVE_TOLERANCE = 1e-3
FUNCTIONS = frozenset(
    "sqrt cbrt root exp log ln sin cos tan cot sec csc asin acos atan sinh cosh tanh factorial binomial pi oo zoo nan "
    "gcd lcm floor ceiling sign".split()
)
_TOKEN = re.compile(r"\s+|\d+(?:\.\d*)?|\.\d+|(?P<name>[A-Za-z][A-Za-z0-9]*)|[-+*/^(),!]")
_SYMBOL = re.compile(r"[A-Za-z]\d*")

# sympy's parser was generated for another release of the antlr runtime and refuses all others. The tables that it was
# generated into have been the same since antlr 4.10; `check_grammar` makes sure that they work.
_parse_latex_antlr.version = lambda package: "4.11"
_NAMES: dict[str, Any] = {name: getattr(sympy, name) for name in sympy.__all__} | {"__builtins__": {}}


def published_equal(prediction: str, reference: str) -> bool:
    """Raises MemoryError; whatever else sympy raises means that a test did not find them equal."""
    left, right = _read(prediction), _read(reference)
    if not any(isinstance(one, str) for one in (left, right)) and _holds(lambda: sympy.simplify(left - right) == 0):
        return True
    return _holds(lambda: isclose(_value(left), _value(right), rel_tol=RELATIVE_TOLERANCE))


def check_grammar() -> None:
    """Raises RuntimeError when sympy's grammar of LaTeX does not work with the antlr that is installed."""
    try:
        found = _parse_latex_antlr.parse_latex(r"\frac{1}{2}").doit()
    except Exception as error:
        found = error
    if found != sympy.Rational(1, 2):
        raise RuntimeError(
            rf"sympy {sympy.__version__} read \frac{{1}}{{2}} as {found!r}; expected 1/2. Install "
            "antlr4-python3-runtime 4.13, as constraints.txt has it."
        )


def may_be_evaluated(text: str) -> bool:
    """Whether the text is made of numbers, operators and known names alone, so that evaluating it is arithmetic."""
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return False
        name = token["name"]
        if name and name not in FUNCTIONS and not _SYMBOL.fullmatch(name):
            return False
        position = token.end()
    return True


def _read(text: str) -> Any:
    """A sympy object, or the text itself when it cannot be read."""
    for parse in (_parse_latex_antlr.parse_latex, _parse_plain):
        try:
            return parse(text)
        except MemoryError:
            raise
        except Exception:  # the parsers raise many kinds, RecursionError among them
            continue
    return text


def _value(formula: Any) -> Any:
    """`N` evaluates a text as Python too."""
    if isinstance(formula, str) and not may_be_evaluated(formula):
        raise ValueError("not plain arithmetic")
    return sympy.N(formula)


def _parse_plain(text: str) -> Any:
    if not may_be_evaluated(text):
        raise ValueError("not plain arithmetic")
    return parse_expr(text, global_dict=dict(_NAMES))


def _holds(test: Callable[[], bool]) -> bool:
    try:
        return bool(test())
    except MemoryError:
        raise
    except Exception:  # TypeError for what has no difference or no value, and much else
        return False
