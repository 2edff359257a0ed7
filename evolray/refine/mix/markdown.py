"""Markdown of texts that anybody may have written: shown as they are, and never read as marks or HTML."""

import re
from collections.abc import Iterable, Sequence

# C0 and C1 controls but tab and newline, and the characters that turn the direction of what follows.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|&~$])")
_BACKTICKS = re.compile("`+")


def inline(text: str) -> str:
    """One line, for a table's cell or in running text."""
    return _MARKS.sub(r"\\\1", seen(" ".join(text.split())))


def seen(text: str) -> str:
    """Characters that do something instead of being seen, as their code points."""
    return _UNSEEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text.replace("\r\n", "\n"))


def fenced(text: str, most: int) -> str:
    """A block between fences longer than any run of backticks in it; of a longer text the first `most` characters."""
    shown = seen(text[:most])
    if len(text) > most:
        shown += f"\n[... {len(text) - most:,} more characters]"
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """Numbers to the right. Texts must have been through `inline` where they are not our own."""
    rows = [list(row) for row in rows]
    right = [bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(heads))]
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    lines = [list(heads), ["--:" if one else "---" for one in right], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
