r"""The parts of an answer that is a tuple, an interval, a set or a list.

(1, 2]             "(" and "]"   1   2        order counts, and so do the brackets
\{1, 2\}           a set         1   2        order does not count
1, 2    x = 1 \pm 2    a list                 the same
"""

from dataclasses import dataclass
from typing import Literal

_OPENING, _CLOSING = "([{", ")]}"

Kind = Literal["bracketed", "set", "list"]


@dataclass(frozen=True, slots=True)
class Sequence:
    """`brackets`: of a bracketed one, the outer two."""

    kind: Kind
    parts: tuple[str, ...]
    brackets: str = ""


def read_sequence(text: str) -> Sequence | None:
    """None for one value, also when it stands in brackets."""
    if text.startswith(r"\{") and text.endswith(r"\}"):
        parts = _parts(text[2:-2])
        return Sequence("set", parts) if parts else None
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and _closes_last(text):
        parts = _parts(text[1:-1])
        return Sequence("bracketed", parts, text[0] + text[-1]) if parts and len(parts) > 1 else None
    if text.count(r"\pm") == 1 and r"\mp" not in text:
        return Sequence("list", (text.replace(r"\pm", "+"), text.replace(r"\pm", "-")))
    parts = _parts(text)
    return Sequence("list", parts) if parts and len(parts) > 1 else None


def _parts(text: str) -> tuple[str, ...] | None:
    """Between the commas that stand in no brackets; None when the brackets do not match or a part is empty."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth < 0:
                return None
        elif character in ",;" and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return None if depth or not all(parts) else tuple(parts)


def _closes_last(text: str) -> bool:
    """Whether the bracket that opens the text is closed by its last character and not before."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0:
            return position == len(text) - 1
    return False
