"""The fenced blocks of a model's answer, found line by line in time linear in its length.

    ```python     ```py     ```     ~~~ Python     any language, three or more backticks or tildes
    Here it is: ```python                          a fence may end the line that it opens on
        ```python                                  an indented fence (in a list): its indent goes from the lines
        return x```                                code may end on the line of the closing fence
    ```python ... (end of text)                    an unclosed block reaches to the end
    ```python ... ```python                        a second opening ends an unclosed block

A line of three backticks inside a string of the code ends the block early: nothing tells it from a fence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_FENCE = 60
"""Characters from a fence to the end of its line. What is longer is no fence but text with backticks."""
FENCE = re.compile(r"(?P<fence>`{3,}+|~{3,}+)[ \t]*\{?(?P<language>[A-Za-z][\w+#-]*)?[\w+#.:/{}=-]*$")
PYTHON = frozenset({"python", "py", "python3", "py3", "python2", "ipython", "ipython3", "pycon", "sage"})


@dataclass(frozen=True, slots=True)
class Block:
    """`language` in lower case, "" when none is named."""

    language: str
    code: str

    @property
    def is_python(self) -> bool:
        return self.language in PYTHON

    @property
    def may_be_python(self) -> bool:
        return self.is_python or not self.language


def fenced_blocks(text: str) -> list[Block]:
    return list(_blocks(text.split("\n")))


def without_fences(text: str) -> str:
    """The text without the lines that are fences."""
    return "\n".join(line for line in text.split("\n") if not _is_fence_alone(line))


def _blocks(lines: list[str]) -> Iterator[Block]:
    fence, language, indent = "", "", 0
    code: list[str] = []
    for line in lines:
        opening = _opening(line)
        if not fence:
            if opening:
                fence, language = opening["fence"], (opening["language"] or "").lower()
                indent, code = _indent_of(line, opening), []
        elif opening and opening["language"] and opening["fence"][0] == fence[0]:
            yield Block(language, "\n".join(code))
            fence, language = opening["fence"], opening["language"].lower()
            indent, code = _indent_of(line, opening), []
        elif opening and opening["fence"][0] == fence[0] and len(opening["fence"]) >= len(fence):
            if not _is_fence_alone(line):
                code.append(_without_indent(line[: opening.start()], indent))
            yield Block(language, "\n".join(code))
            fence = ""
        else:
            code.append(_without_indent(line, indent))
    if fence:
        yield Block(language, "\n".join(code))


def _opening(line: str) -> re.Match[str] | None:
    """The fence that ends the line, looked for from its last backticks on."""
    end = line.rstrip()
    start = max(end.rfind("```"), end.rfind("~~~"))
    if start < 0 or len(end) - start > LONGEST_FENCE:
        return None
    while start > 0 and end[start - 1] == end[start]:
        start -= 1
    return FENCE.match(end, start)


def _indent_of(line: str, opening: re.Match[str]) -> int:
    """How far the fence is indented; 0 where text stands before it."""
    before = line[: opening.start()]
    return 0 if before.strip() else len(before)


def _without_indent(line: str, indent: int) -> str:
    blanks = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blanks) :]


def _is_fence_alone(line: str) -> bool:
    opening = _opening(line)
    return opening is not None and not line[: opening.start()].strip()
