"""Texts as a page may show them. Whoever wrote them (a model, a crawled file) decides nothing about the page.

Characters without a picture of their own become visible by their names in brackets, control characters as well as what
overrides the direction of text, so that a line reads in the order in which it is stored. (Unicode has pictures of
control characters, but many machines have no font for them.)
Markup is no concern here: templates escape, and the browser's script sets text and never HTML.
"""

import re

MOST_CHARS = 6000
"""Of one text in a page; what is beyond is cut, and the page says how long the text is."""

_CONTROLS = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split()
_ABBREVIATED = {code: f"[{name}]" for code, name in enumerate(_CONTROLS) if chr(code) not in "\t\n"} | {0x7F: "[DEL]"}
_NAMED = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0xD800, 0xE000))
_VISIBLE = {**_ABBREVIATED, **{code: f"[U+{code:04X}]" for code in _NAMED}}
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
