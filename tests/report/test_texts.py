import pytest

from evolray.report.texts import MOST_CHARS, cut, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\u2028c", "a\nb\nc"),
        ("a\x00\x1b[31m\r\x7f", "a[NUL][ESC][31m[CR][DEL]"),
        ("a\u202eb\u2066c\u0090\ufeff", "a[U+202E]b[U+2066]c[U+0090][U+FEFF]"),
        ("<b>&amp;</script>", "<b>&amp;</script>"),
        ("नमस्ते שלום\u200f e\u0301", "नमस्ते שלום\u200f e\u0301"),
    ],
)
def test_what_one_cannot_see_becomes_visible_and_nothing_else_changes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_long_texts_are_cut_and_say_how_long_they_were() -> None:
    assert cut("x" * MOST_CHARS) == ("x" * MOST_CHARS, 0)
    assert cut("x" * 100_000) == ("x" * MOST_CHARS, 100_000)


def test_a_title_is_one_line() -> None:
    assert one_line("  two\n lines ", 20) == "two lines"
    assert one_line("word " * 50, 12) == "word word w…"
