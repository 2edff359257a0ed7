"""The offline teacher: reads the same prompts as a real model and answers them by rule.

It needs no key, no GPU and no download, and is for demos, tests and load. No one should train on what it writes for
real: only arithmetic word problems (`arithmetic.py`) are really made harder and really solved. Other texts get
a clause out of a stock, and responses that talk about the instruction without answering it.

An answer is a function of the seed and the prompt (the last user message) alone: the same in any process, on any
machine. `flaws` is the share of evolutions and responses that show a defect of real endpoints, so that every
elimination rule has something to do, and of scores and skills that cannot be read; a prompt that got a flaw gets it
again. Whether two instructions are equal is never flawed. Verdicts on answers have rules of their own: they may also
depend on the temperature and on how often they were asked for.

What is asked is recognised by `prompts.py` and `comparisons.py`, the texts are in `phrases.py` and `data.py`, the
judge of instructions is in `judge.py`, that of answers in `verdicts.py`.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from evolray.method.teacher import Call, Completion
from evolray.records import Turn
from evolray.teachers.simulated import arithmetic, comparisons, judge, phrases
from evolray.teachers.simulated.data import data_block
from evolray.teachers.simulated.draw import Chance, draw_clause, fill
from evolray.teachers.simulated.length import shorten, tokens
from evolray.teachers.simulated.prompts import (
    CODE_METHODS,
    FIRST,
    FORMAT_CUE,
    OPEN_METHODS,
    PROBLEM,
    SECOND,
    SOLUTION_CUE,
    VERDICT_CUE,
    instruction_to_evolve,
)
from evolray.teachers.simulated.verdicts import AnswerJudge

MODEL = "simulated"

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ABOUT_CODE = frozenset(
    """function functions program code algorithm array arrays string strings python java javascript sql class classes
    script method regex html css""".split()
)
# Words that a rewrite may add without saying anything: they do not count when two texts are compared.
_IDLE = frozenset(
    """a an and are as at be but by can could do does following for from give had has have i in is it its kindly like
    me my of on or please so task thank thanks that the their them then there these this those to very want was were
    will with would you your""".split()
)


class Message(Protocol):
    """What `answer` reads of a message: evolray.records.Turn is one."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


class SimulatedTeacher:
    """Answers by rule; see the module's text. `flaws` is a share of 0-1; ValueError when it is not.

    `judge_bias` and `judge_noise` are points of its verdicts on answers; see `verdicts.py`.
    """

    def __init__(
        self,
        seed: int = 0,
        flaws: float = 0.1,
        model: str = MODEL,
        judge_bias: float = 0.0,
        judge_noise: float = 0.0,
    ) -> None:
        if not 0 <= flaws <= 1:
            raise ValueError(f"flaws is a share between 0 and 1, got {flaws}")
        self.model = model
        self._key = str(seed).encode()[:64]
        self._flawed_below = round(flaws * 2**32)
        self._answer_judge = AnswerJudge(self._key, flaws, judge_bias, judge_noise)

    async def complete(self, call: Call, priority: int = 0) -> Completion:
        await asyncio.sleep(0)  # others on the loop get their turn, as they would with a real endpoint
        messages = call.messages if call.prompt is None else (Turn("user", call.prompt),)
        answer = self.answer(messages, call.temperature or 0.0, call.attempt)
        return shorten(answer, call.max_tokens, call.stop)

    def answer(
        self, messages: Sequence[Message], temperature: float = 0.0, asked_before: int | None = None
    ) -> Completion:
        """Answer the last user message. Token counts are estimates: four characters to a token.

        `asked_before` matters to verdicts alone; None: as often as this teacher was.
        """
        prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
        to_judge = comparisons.read(prompt)
        if to_judge is None:
            text, finish_reason = self._text(prompt)
        else:
            text, finish_reason = self._answer_judge.answer(prompt, to_judge, temperature, asked_before), "stop"
        asked = sum(len(message.content) for message in messages)
        return Completion(text, finish_reason, tokens(asked), tokens(len(text)), self.model)

    def forget(self) -> None:
        """How often verdicts were asked for."""
        self._answer_judge.forget()

    def _text(self, prompt: str) -> tuple[str, str]:
        if prompt.endswith(VERDICT_CUE) and FIRST in prompt:
            return _verdict(prompt), "stop"
        chance = Chance(self._key, prompt)
        flawed = chance.below(2**32) < self._flawed_below
        judged = judge.answer(prompt, chance, flawed)
        if judged is not None:
            return judged, "stop"
        found = instruction_to_evolve(prompt)
        if found is None:
            text = _respond(prompt, chance)
            return _flawed_response(text, prompt, chance) if flawed else (text, "stop")
        fixed, instruction, cue = found
        fixed = fixed.partition("\n#Conversation#:")[0]  # what was said earlier may hold a method's phrase
        text = _evolve(fixed, instruction, cue, chance)
        return _flawed_evolution(text, instruction, cue, chance) if flawed else (text, "stop")


def _append(instruction: str, clause: str) -> str:
    """The clause as a further sentence, on a line of its own below texts of several lines."""
    text = instruction.rstrip()
    if "\n" in text:
        return f"{text}\n{clause}"
    if text and text[-1] not in ".!?:;":
        text += "."
    return f"{text} {clause}".lstrip()


def _evolve(fixed: str, instruction: str, cue: str, chance: Chance) -> str:
    if cue == "code":
        return _evolve_code(fixed, instruction, chance)
    if cue.endswith("Problem#:"):
        return _evolve_math(fixed, instruction, cue, chance)
    if cue.startswith("\n#Created"):
        return fill(chance.one_of(phrases.BREADTH), instruction, chance)
    if cue.startswith(FORMAT_CUE):
        wanted = cue[len(FORMAT_CUE) : -len(" as input):")]
        intro = fill(chance.one_of(phrases.DATA_INTROS), instruction, chance, format=wanted)
        return f"{_append(instruction, intro)}\n{data_block(wanted, chance)}"
    clauses = phrases.OPEN_CLAUSES[_named(OPEN_METHODS, fixed)]
    return _append(instruction, draw_clause(clauses, instruction, chance))


def _named(methods: Mapping[str, str], fixed: str) -> str:
    """The operator whose phrase stands in the fixed text; for any other wording the first one."""
    return next((name for phrase, name in methods.items() if phrase in fixed), "add_constraints")


def _evolve_code(fixed: str, instruction: str, chance: Chance) -> str:
    operator = _named(CODE_METHODS, fixed)
    if operator == "mislead":
        code = fill(chance.one_of(phrases.WRONG_CODE), instruction, chance)
        return f"{instruction.rstrip()}\nThis piece of code may serve as a reference:\n```python\n{code}\n```"
    return _append(instruction, draw_clause(phrases.CODE_CLAUSES[operator], instruction, chance))


def _evolve_math(fixed: str, instruction: str, cue: str, chance: Chance) -> str:
    problem = arithmetic.parse(instruction)
    rng = chance.random()
    if cue.startswith("\n#Created"):
        other = arithmetic.make(rng) if problem is None else arithmetic.another_easier(problem, rng)
        return arithmetic.render(other)
    downward = "easier" in fixed
    if problem is not None:
        return arithmetic.render((arithmetic.easier if downward else arithmetic.harder)(problem, rng))
    if not downward:
        return _append(instruction, draw_clause(phrases.MATH_CLAUSES, instruction, chance))
    sentences = _SENTENCE_END.split(instruction.strip())
    if len(sentences) < 3:
        return arithmetic.render(arithmetic.make(rng))
    return " ".join(sentences[:-2] + sentences[-1:])  # the question stays, the condition before it goes


def _respond(prompt: str, chance: Chance) -> str:
    instruction, is_math = prompt, False
    if prompt.endswith(SOLUTION_CUE):
        _, found, rest = prompt.partition(PROBLEM)
        if found:
            instruction, is_math = rest[: -len(SOLUTION_CUE)], True
    problem = arithmetic.parse(instruction)
    if problem is not None:
        return arithmetic.solve(problem)
    if is_math:
        return _respond_with_sum(instruction, chance)
    opening, closing = chance.one_of(phrases.OPENINGS), chance.one_of(phrases.CLOSINGS)
    if not _ABOUT_CODE.isdisjoint(_WORD.findall(instruction[:600].lower())):
        code = fill(chance.one_of(phrases.CODE_RESPONSES), instruction, chance)
        return f"{fill(opening, instruction, chance)}\n```python\n{code}\n```"
    return fill(f"{opening} {chance.one_of(phrases.MIDDLES)} {closing}", instruction, chance)


def _respond_with_sum(instruction: str, chance: Chance) -> str:
    """Of the right form but, but for luck, wrong: it adds up whatever numbers the problem states."""
    numbers = [int(number) for number in _NUMBER.findall(instruction)[:6]] or [chance.below(90) + 10]
    total, lines = numbers[0], [f"Start with {numbers[0]}."]
    for number in numbers[1:]:
        lines.append(f"Add the next number: {total} + {number} = {total + number}.")
        total += number
    return f"{' '.join(lines)} The answer is: {total}."


def _flawed_evolution(text: str, instruction: str, cue: str, chance: Chance) -> tuple[str, str]:
    domain = "code" if cue == "code" else "math" if cue.endswith("Problem#:") else "open"
    flaw = chance.below(6)
    if flaw == 0:
        return chance.one_of(phrases.POLITE) + instruction, "stop"
    if flaw == 1:
        return instruction, "stop"
    if flaw == 2:
        return chance.one_of(phrases.LEAKS[domain]).replace("{}", text), "stop"
    if flaw == 3:
        return "", "stop"
    if flaw == 4:
        clauses = {
            "open": phrases.OPEN_CLAUSES["add_constraints"],
            "code": phrases.CODE_CLAUSES["add_constraints"],
            "math": phrases.MATH_CLAUSES,
        }
        second = _append(instruction, draw_clause(clauses[domain], instruction, chance))
        return f"Option 1: {text}\nOption 2: {second}", "stop"
    return _cut(text), "length"


def _flawed_response(text: str, instruction: str, chance: Chance) -> tuple[str, str]:
    flaw = chance.below(4)
    if flaw == 0:
        return fill(chance.one_of(phrases.REFUSALS), instruction, chance), "stop"
    if flaw == 1:
        return chance.one_of(phrases.NO_CONTENT), "stop"
    if flaw == 2:
        return "", "stop"
    return _cut(text), "length"


def _cut(text: str) -> str:
    return text[: max(1, len(text) * 3 // 5)]


def _verdict(prompt: str) -> str:
    """Equal when both texts have the same words, politeness and stop words aside, in whatever order."""
    first, _, second = prompt[: -len(VERDICT_CUE)].partition(FIRST)[2].partition(SECOND)
    first, second = first.strip(), second.strip()
    if len(second) > len(first) and second.startswith(first) and not second[len(first)].isalnum():
        equal = not _content(second[len(first) :])  # the usual case, and the cheap one
    else:
        equal = _content(first) == _content(second)
    return "Equal" if equal else "Not Equal"


def _content(text: str) -> list[str]:
    return sorted(word for word in _WORD.findall(text.lower()) if word not in _IDLE)
