"""Texts as a page may show them. Whoever wrote them (a model, a crawled file) decides nothing about the page.

Characters without a picture of their own become visible: control characters as their Unicode pictures, what turns or
overrides the direction of text by its code point in brackets, so that a line reads in the order in which it is stored.
Markup is no concern here: templates escape, and the browser's script sets text and never HTML.
"""

import re

MOST_CHARS = 6000
"""Of one text in a page; what is beyond is cut, and the page says how long the text is."""

_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"}
_PICTURES |= {0x7F: "\u2421"}
_NAMED = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0xD800, 0xE000))
_VISIBLE = {**_PICTURES, **{code: f"[U+{code:04X}]" for code in _NAMED}}
_LINE_ENDS = re.compile("\r\n|\u0085|\u2028|\u2029")


def visible(text: str) -> str:
    """The text with one kind of line end, and with nothing in it that one cannot see."""
    return _LINE_ENDS.sub("\n", text).translate(_VISIBLE)


def cut(text: str, most: int = MOST_CHARS) -> tuple[str, int]:
    """The visible text, at most `most` characters of it, and how many it has in all (0 when it is whole)."""
    return (visible(text), 0) if len(text) <= most else (visible(text[:most]), len(text))


def one_line(text: str, most: int) -> str:
    """The beginning of a text as a title."""
    words = " ".join(visible(text[: 4 * most]).split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}\u2026"
