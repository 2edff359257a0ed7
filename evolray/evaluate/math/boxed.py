r"""Finding \boxed{...} in a solution: braces balanced, escaped ones (\{) not counted, in time linear in the text."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\\boxed\s*(?P<opens>\{)|\\fbox\s*(?P<fbox_opens>\{)|\\boxed\s+(?P<bare>[^\s${}\\]+)|\\.|[{}]", re.DOTALL
)
_JOINED = re.compile(r"(?:[\s$.,;:]|\\[()\[\]]|\\text\s*\{\s*(?:and|or)\s*\}|\b(?:and|or)\b)*")


@dataclass(frozen=True, slots=True)
class Box:
    """`content` between the braces; `start` and `end` of the whole."""

    content: str
    start: int
    end: int


def boxes_in(text: str) -> list[Box]:
    """The boxes that are closed, outermost ones only, from left to right."""
    found: list[Box] = []
    open_braces: list[tuple[int, int] | None] = []  # of a box, where it starts and where its content does
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if token["opens"] or token["fbox_opens"]:
            open_braces.append((token.start(), token.end()))
        elif token["bare"]:
            found.append(Box(token["bare"], token.start(), token.end()))
        elif mark == "{":
            open_braces.append(None)
        elif mark == "}" and open_braces:
            opened = open_braces.pop()
            if opened is not None:
                while found and found[-1].start > opened[0]:  # those inside it
                    found.pop()
                found.append(Box(text[opened[1] : token.start()], opened[0], token.end()))
    return found


def last_answer(text: str) -> str:
    """The content of the last box; of several that are parts of one answer ("... and ..."), all, with commas. "" when
    there is none."""
    boxes = boxes_in(text)
    parts: list[str] = []
    following: Box | None = None
    for box in reversed(boxes):
        if following is not None and not _JOINED.fullmatch(text, box.end, following.start):
            break
        parts.append(box.content.strip())
        following = box
    return ", ".join(reversed(parts))
