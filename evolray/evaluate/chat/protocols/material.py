"""What a judge is shown: the rules, the question, a right answer where there is one, then the answers.

    one turn      rules, #Question#, #Reference Answer#, each answer under its name, cue
    later turns   rules, the right answers turn by turn, each conversation so far under its name, cue

The texts are in evaluate/prompts/chat/. Rules come first, so that endpoints can cache them, and a fixed cue last.

Questions and answers are put in as they are, in one pass: braces, dollars and backslashes stay, and so do headings,
brackets and claims that an answer holds to win its judge over. The rules ask the judge to believe none of it, which is
all that can be done here: a judge can be talked to by what it judges.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from evolray.evaluate.chat.benchmark import Case
from evolray.evaluate.chat.verdicts import Order
from evolray.records import Turn

NO_ANSWER = "(no answer)"

_SLOT = re.compile(r"\{([a-z]+)\}")
_FOLDER = files("evolray.evaluate") / "prompts" / "chat"
_SHARED = ("system", *(f"material/{name}" for name in (
    "question", "reference", "answer", "focus", "reference_turn", "conversation", "turn",
)))  # fmt: skip


def read_prompts(*names: str) -> Mapping[str, str]:
    """The named files and those that all protocols share. A file ends in a line break that is no part of it."""
    return {
        name: (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n") for name in (*_SHARED, *names)
    }


def answers_in(case: Case, order: Order) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The answers of a comparison as they are shown."""
    return (case.baseline, case.answer) if order == "baseline_first" else (case.answer, case.baseline)


def ask(
    prompts: Mapping[str, str],
    rules: str,
    case: Case,
    turn: int,
    answers: Mapping[str, Sequence[str]],
    with_reference: bool = False,
) -> tuple[Turn, ...]:
    """The messages to the judge. `rules` names a prompt; `answers`: a text per turn under each assistant's name."""
    reference = case.reference[:turn] if with_reference else ()
    show = _first_turn if turn == 1 else _later_turns
    focus = _fill(prompts["material/focus"], number=str(turn)) if turn > 1 else ""
    blocks = "\n".join(show(prompts, case.turns[:turn], answers, reference))
    question = _fill(prompts[rules], focus=focus, material=blocks)
    return Turn("system", prompts["system"]), Turn("user", question)


def _first_turn(
    prompts: Mapping[str, str], turns: Sequence[str], answers: Mapping[str, Sequence[str]], reference: Sequence[str]
) -> list[str]:
    blocks = [_fill(prompts["material/question"], question=turns[0])]
    if _text(reference, 0):
        blocks.append(_fill(prompts["material/reference"], answer=reference[0]))
    for name, texts in answers.items():
        blocks.append(_fill(prompts["material/answer"], name=name, answer=_text(texts, 0) or NO_ANSWER))
    return blocks


def _later_turns(
    prompts: Mapping[str, str], turns: Sequence[str], answers: Mapping[str, Sequence[str]], reference: Sequence[str]
) -> list[str]:
    blocks = [
        _fill(prompts["material/reference_turn"], number=str(number), answer=text)
        for number, text in enumerate(reference, start=1)
        if text.strip()
    ]
    for name, texts in answers.items():
        spoken = "\n".join(
            _fill(
                prompts["material/turn"],
                number=str(at + 1),
                question=question,
                answer=_text(texts, at) or NO_ANSWER,
            )
            for at, question in enumerate(turns)
        )
        blocks.append(_fill(prompts["material/conversation"], name=name, turns=spoken))
    return blocks


def _text(texts: Sequence[str], at: int) -> str:
    """As it is; "" when there is none or nothing but white space."""
    return texts[at] if at < len(texts) and texts[at].strip() else ""


def _fill(template: str, **slots: str) -> str:
    """In one pass. Raises KeyError when the template has a slot that is not given."""
    return _SLOT.sub(lambda slot: slots[slot[1]], template)
