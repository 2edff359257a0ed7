"""Programs as tokens: what makes no difference, what does, and texts made to be slow."""

import pytest

from evolray.refine.text.code import canonical, code_tokens, looks_like_code, split_code

PYTHON = '''
def total(numbers, step=2):
    """Adds them up."""
    result = 0  # so far
    for i, number in enumerate(numbers):
        result += number // step
    return result, "it's"
'''
RENAMED = """
def f(xs,  step2 = 2):
    '''Zählt alles zusammen.'''
    s=0
    # langsam
    for a, b in enumerate(xs):
        s+=b//step2
    return s, 'it\\'s'
"""
JAVA = """
/** The largest. */
public static int largest(int[] values, int count) {
  int best = values[0]; // until now
  for (int i = 1; i < count; i++) { if (values[i] > best) best = values[i]; }
  System.out.println("done");
  return best;
}
"""


def test_white_space_comments_quotes_and_docstrings_make_no_difference() -> None:
    other = (
        PYTHON.replace("  # so far", "").replace('"""Adds them up."""', "'''Andere.'''").replace('"it\'s"', "'it\\'s'")
    )
    assert code_tokens(other.replace(" = ", "=").replace(", ", ",")) == code_tokens(PYTHON)


@pytest.mark.parametrize(
    ("code", "tokens"),
    [
        ("n // 2", ["n"]),  # no Python to be seen: a comment
        ("def f(n):\n    return n // 2", "def f ( n ) : return n // 2".split()),
        ("x = 1; // one\ny /* two */ = 2;", "x = 1 ; y = 2 ;".split()),
        ("SELECT a -- b\nFROM c -- d", "SELECT a FROM c".split()),
        ("i--; --j;", "i -- ; -- j ;".split()),
        ("#include <stdio.h>\n# a comment", "# include < stdio . h >".split()),
        ("a <!-- b --> c", ["a", "c"]),
        ("f('#no', \"//no\", `x`)", ["f", "(", '"#no"', ",", '"//no"', ",", '"x"', ")"]),
        ('s = """kept"""\nt', ["s", "=", '"kept"', "t"]),
        ('f("""kept""")', ["f", "(", '"kept"', ")"]),
        ("def f():\n    'dropped'\n    return 'kept'", ["def", "f", "(", ")", ":", "return", '"kept"']),
        ("don't stop, it's fine", ["don", "'", "t", "stop", ",", "it", "'", "s", "fine"]),
        ("a==b!=c", "a == b != c".split()),
        ("", []),
    ],
)
def test_tokens(code: str, tokens: list[str]) -> None:
    assert code_tokens(code) == tokens


def test_names_of_the_author_make_no_difference_and_those_of_others_do() -> None:
    tokens = canonical(code_tokens(PYTHON))
    assert canonical(code_tokens(RENAMED)) == tokens
    assert tokens[:4] == ["def", "v1", "(", "v2"]
    assert "enumerate" in tokens
    assert canonical(code_tokens(PYTHON.replace("enumerate", "zip"))) != tokens


def test_names_in_a_language_with_types() -> None:
    tokens = canonical(code_tokens(JAVA))
    other = JAVA.replace("largest", "f").replace("values", "a").replace("count", "n").replace("best", "x")
    assert canonical(code_tokens(other.replace("int i ", "int k ").replace("i++", "k++").replace("[i]", "[k]").replace(
        "i <", "k <"))) == tokens  # fmt: skip
    assert {"System", "out", "println"} <= set(tokens)
    assert not {"largest", "values", "count", "best", "i"} & set(tokens)


@pytest.mark.parametrize(
    ("code", "tokens"),
    [
        ("a, b = b, a", "v1 , v2 = v2 , v1"),
        ("sorted(xs, key=len)", "sorted ( xs , key = len )"),
        ("self.size = size", "self . v1 = v1"),
        ("lambda p: p.size", "lambda v1 : v1 . size"),
        ("const f = (x, y) => x + y", "const v1 = ( v2 , v3 ) => v2 + v3"),
        ("except E as error: raise error", "except E as v1 : raise v1"),
        ("SELECT name FROM people WHERE age = 5", "SELECT name FROM people WHERE age = 5"),
        ("return x;", "return x ;"),
    ],
)
def test_what_the_code_defines(code: str, tokens: str) -> None:
    assert canonical(code_tokens(code)) == tokens.split()


def test_prose_and_code_apart() -> None:
    text = "Look:\n```python\nx = 1\n```\nand\n~~~\ny = 2\n```\n~~~\nthe end\n```\nopen"
    assert split_code(text) == ("Look:\n\n\nand\n\n\nthe end", "x = 1\n\n\ny = 2\n```\n\n\nopen")
    assert split_code("x = 1") == ("x = 1", "")
    assert split_code("x = 1", is_code=True) == ("", "x = 1")
    assert split_code("use ``` here") == ("use ``` here", "")


@pytest.mark.parametrize("code", [PYTHON, JAVA, "SELECT a\nFROM b;", "#include <a.h>\nint main() {\n}", "x = f(1)"])
def test_code_looks_like_code(code: str) -> None:
    assert looks_like_code(code)


@pytest.mark.parametrize(
    "text",
    ["", "What is love?", "Write a function.\nIt returns the sum of a list.", "Dear Anna,\n\nI am well.\nYours, Ben"],
)
def test_prose_does_not_look_like_code(text: str) -> None:
    assert not looks_like_code(text)


@pytest.mark.parametrize(
    "part",
    [
        '"\\',
        "/*",
        '"',
        "'",
        "<!--",
        "`",
        "(a",
        "a,",
        "```\n",
        "#",
        "lambda ",
        "a b = ",
        '""" ',
        ",a=1",
        "(a)=>",
        "\ud800\0",
    ],
)
def test_no_text_takes_more_than_linear_time(part: str) -> None:
    """Steps that grow with the square of 100,000 characters would not end."""
    text = part * (100_000 // len(part))
    assert canonical(code_tokens(text)) is not None
    assert split_code(text, is_code=True) is not None
    assert looks_like_code(text) in (True, False)
