from random import Random

import pyarrow as pa
import pytest

from evolray.refine.duplicates.tokens import compared, exact_digest, prose_tokens, shingles, unnamed
from evolray.refine.text.code import code_tokens


def similarity(one: str, other: str, n: int = 2) -> float:
    """Exact Jaccard of the shingles."""
    found = shingles([(one,), (other,)], n)
    first, second = (set(found.hashes[found.offsets[at] : found.offsets[at + 1]].tolist()) for at in (0, 1))
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a poem.", "write   a POEM"),
        ("“Quoted” words, please!", '"quoted" words please'),
        ("Caf\u00e9", "Cafe\u0301"),
        ("ｆｕｌｌ width", "full width"),
        ("line\nbreaks\tand tabs", "line breaks and tabs"),
        ("a \u2013 b", "a - b"),
        ("???", "? ? ?"),
    ],
)
def test_the_same_text_in_another_writing_is_an_exact_duplicate(one: str, other: str) -> None:
    assert exact_digest((one,)) == exact_digest((other,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2 + 3?", "What is 2 - 3?"),
        ("Write it in C++", "Write it in C#"),
        ("Write it in C++", "Write it in C"),
        ("(2+3)*4", "2+(3*4)"),
        ("x < 5", "x > 5"),
        ("3.14", "314"),
        ("👍", "👎"),
        ("???", "!!!"),
        ("a b", "ab"),
    ],
)
def test_symbols_make_texts_different(one: str, other: str) -> None:
    assert exact_digest((one,)) != exact_digest((other,))


def test_a_text_is_not_the_same_as_its_parts() -> None:
    assert exact_digest(("a b",)) != exact_digest(("a", "b"))


def test_no_text_has_no_digest_and_no_shingles() -> None:
    assert exact_digest(()) == exact_digest((" \n",)) == bytes(16)
    assert shingles([(), ("two words",), ()], 2).lengths.tolist() == [0, 1, 0]


@pytest.mark.parametrize("text", ["?!", "🙂🙂", "a", "一二三", "\x00\x01", "﷽", "\u202e", "हिन्दी"])
def test_every_visible_text_has_shingles_and_is_like_itself(text: str) -> None:
    assert shingles([(text,)], 2).lengths[0] > 0
    assert exact_digest((text,)) != bytes(16)


def test_words_and_symbols() -> None:
    assert prose_tokens("Is C++ (or C#) > 3.5 -2 state-of-the-art 50%?") == [
        "is", "c++", "or", "c#", ">", "3", "5", "-", "2", "state", "of", "the", "art", "50", "%",
    ]  # fmt: skip
    assert prose_tokens("数学 ab") == ["数", "学", "ab"]


PROGRAM = """def total(values, limit):
    result = 0
    for value in values:
        if value < limit:
            result = result + round(value, 2)
    return result"""
RENAMED = """def add_up(xs, most):
    # adds them up
    s = 0
    for x in xs:
        if x < most:
            s = s + round(x, 2)
    return s"""


@pytest.mark.parametrize("frame", ["{}", "Explain this program to me:\n\n{}", "Explain this:\n```python\n{}\n```"])
def test_names_and_comments_of_a_program_make_no_difference(frame: str) -> None:
    assert similarity(frame.format(PROGRAM), frame.format(RENAMED)) == 1
    other = PROGRAM.replace("round", "abs").replace("<", "==").replace("+", "-")
    assert similarity(frame.format(PROGRAM), frame.format(other)) < 0.7


def test_what_is_called_keeps_its_name() -> None:
    assert unnamed(code_tokens("y = max(x, items.count)")) == "v = max ( x , items . count )".split()
    assert unnamed(code_tokens("def f(a):\n    return f(a)")) == "def v ( v ) : return v ( v )".split()
    assert unnamed(code_tokens("# nothing but a comment")) == []


@pytest.mark.parametrize(
    ("code", "tokens"),
    [
        ("for a, b in pairs: a += b", "for v , v in pairs : v += v"),
        ("x, y = y, 1", "v , v = v , 1"),
        ("function add(a, b = 2) { return a + b; }", "function v ( v , v = 2 ) { return v + v ; }"),
        ("int sum(int[] xs, int n) { int s = 0; }", "int v ( int [ ] v , int v ) { int v = 0 ; }"),
        ("key = lambda one, k=2: one[k]", "v = lambda v , v = 2 : v [ v ]"),
        ("const f = x => x * 2", "const v = v => v * 2"),
        ("class Tree: pass", "class v : pass"),
        ("a == b and self.size == 3", "a == b and self . size == 3"),
        ("SELECT name FROM people WHERE age > 5", "SELECT name FROM people WHERE age > 5"),
        ("color: red; margin: 5px;", "color : red ; margin : 5px ;"),
    ],
)
def test_names_that_a_program_introduces_are_one(code: str, tokens: str) -> None:
    assert unnamed(code_tokens(code)) == tokens.split()


def test_a_sentence_above_code_is_compared_by_its_words() -> None:
    one = "Write a snippet to get the fifth element of the following list.\nmy_list = [1,2,3,4,5]"
    other = "Count how often every number occurs in these values here.\nvalues = [1,2,3,4,5]"
    assert similarity(one, other) < 0.5


def test_prose_in_a_fence_is_compared_by_its_words() -> None:
    one, other = ("```\nThe cat sat on the mat all day.\n```", "```\nOur dog ran to some tree and back.\n```")
    assert similarity(one, other) == 0


@pytest.mark.parametrize(
    ("of", "found"),
    [("instruction", ("before", "asked")), ("response", ("said",)), ("both", ("before", "asked", "said"))],
)
def test_which_texts_are_compared(of: str, found: tuple[str, ...]) -> None:
    context = [{"role": "user", "content": "before"}, {"role": "assistant", "content": " "}]
    table = pa.table({"context": [context, None], "instruction": ["asked", " "], "response": ["said", ""]})
    assert compared(table, of) == [found, ()]


def test_hostile_texts_cost_time_by_their_length() -> None:
    random = Random(1)
    signs = "`\"'{}()[];=<>#/*-\n \\ab1$"
    texts = ["".join(random.choices(signs, k=20_000)), "`" * 50_000, "#" * 50_000, "-" * 50_000, "x = [" * 10_000]
    assert (shingles([(text,) for text in texts], 2).lengths > 0).all()
