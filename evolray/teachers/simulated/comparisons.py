"""How the simulated teacher recognises that it is to judge answers, and what it then reads, from the text alone.

    ... #Question#, #Reference Answer# (maybe), #<name># for each answer, cue                    on a first turn
    ... #Reference Answer, Turn 1#, ..., #Conversation with <name># for each answer, cue         on a later turn

The cue says how the verdict is wanted and by which names the answers go. The first heading that fits counts, so a
question or an answer that holds such headings itself is read wrongly, but read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

Form = Literal["scores", "solution_and_scores", "choice", "ranking", "rating"]

NO_ANSWER = "(no answer)"

_CUES: Mapping[str, tuple[Form, tuple[str, ...]]] = {
    "\n#Scores#:": ("scores", ("Assistant 1", "Assistant 2")),
    "\n#Solution and Scores#:": ("solution_and_scores", ("Assistant 1", "Assistant 2")),
    "\n#Choice#:": ("choice", ("Assistant A", "Assistant B")),
    "\n#Ranking#:": ("ranking", ("model_1", "model_2")),
    "\n#Rating#:": ("rating", ("Assistant",)),
}
_QUESTION, _REFERENCE = "\n#Question#:\n", "\n#Reference Answer#:\n"


@dataclass(frozen=True, slots=True)
class ToJudge:
    """What is asked about: one answer or two, in the order in which they are shown. "" where there is none."""

    form: Form
    question: str
    answers: tuple[str, ...]
    reference: str = ""


def read(prompt: str) -> ToJudge | None:
    """None when the prompt asks for no such verdict."""
    cue = prompt[prompt.rfind("\n") :]
    if cue not in _CUES:
        return None
    form, names = _CUES[cue]
    body = prompt[: -len(cue)]
    single = body.find(_QUESTION)
    conversation = body.find(f"\n#Conversation with {names[0]}#:")
    if single >= 0 and (conversation < 0 or single < conversation):
        return _first_turn(form, names, body[single + len(_QUESTION) :])
    return _later_turn(form, names, body) if conversation >= 0 else None


def _first_turn(form: Form, names: tuple[str, ...], body: str) -> ToJudge | None:
    parts = _split(body, [f"\n#{name}#:\n" for name in names])
    if parts is None:
        return None
    question, _, reference = parts[0].partition(_REFERENCE)
    return ToJudge(form, question, tuple(map(_answer, parts[1:])), reference)


def _later_turn(form: Form, names: tuple[str, ...], body: str) -> ToJudge | None:
    parts = _split(body, [f"\n#Conversation with {name}#:" for name in names])
    if parts is None:
        return None
    turns = [_last_turn(part) for part in parts[1:]]
    number, question, _ = turns[0]
    reference = parts[0].partition(f"\n#Reference Answer, Turn {number}#:\n")[2]
    return ToJudge(form, question, tuple(_answer(answer) for _, _, answer in turns), reference)


def _last_turn(conversation: str) -> tuple[int, str, str]:
    """Its number, the question and the answer; all of the conversation when it has no turns."""
    found = 1, "", conversation
    for number in count(1):
        _, _, asked = conversation.partition(f"\n#Question, Turn {number}#:\n")
        question, answered, conversation = asked.partition(f"\n#Answer, Turn {number}#:\n")
        if not answered:
            break
        found = number, question, conversation
    return found


def _split(text: str, headings: list[str]) -> list[str] | None:
    """The text before, between and after the headings; None when one of them is missing."""
    parts = []
    for heading in headings:
        before, found, text = text.partition(heading)
        if not found:
            return None
        parts.append(before)
    return [*parts, text]


def _answer(text: str) -> str:
    return "" if text.strip() == NO_ANSWER else text.strip()
