"""Elimination: the rules that reject an evolved instruction, each with the name that is counted.

WizardLM, section 3.3, has four rules; the names are ours:

    no_information_gain   a judge calls the evolved instruction equal to its parent (`parse_verdict`)
    refusal               the response says "sorry" and has fewer than 80 words
    no_content            the response is made of punctuation and stop words alone
    prompt_leak           the evolved instruction copies words of the evolving prompt

The other rules catch what real endpoints return now and then: `empty`, `truncated` (cut off at the token limit),
`several_alternatives` (a choice of rewrites instead of one) and `unchanged` (the parent again, word for word).

A rule is a function of the texts. Rules run in the order in which a domain lists them and the first hit counts.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evolray.method.teacher import Completion
from evolray.records import normalise

REFUSAL_WORDS = 80  # a response of this many words or more is an answer, whatever it regrets

# Phrases of the evolving prompts that an evolved instruction must not copy; matched without regard to case.
# "given prompt" covers "#Given Prompt#" as well, and so on.
OPEN_LEAKS = ("given prompt", "rewritten prompt", "created prompt")
MATH_LEAKS = ("given problem", "rewritten problem", "created problem")
CODE_LEAKS = ("programming test question below", "raise the difficulty by this method", "not limited to it:")

STOP_WORDS = frozenset(
    """a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he her here
    hers herself him himself his how i if in into is it its itself just me more most my myself no nor not now of off
    on once only or other our ours ourselves out over own same she should so some such than that the their theirs
    them themselves then there these they this those through to too under until up very was we were what when where
    which while who whom why will with would you your yours yourself yourselves""".split()
)

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
CONTRACTION = re.compile(r"(?:n['’]t|['’](?:s|d|ll|m|re|ve))$")

# "Option 1: ...", "**Version B** ...", "Rewrite #2. ...": the teacher offered a choice. A decimal is no label.
ALTERNATIVE = re.compile(
    r"^[\s#*>-]*(?:option|alternative|version|variant|rewrite|prompt|question|problem)"
    r"\s*#?\s*(\d+|[A-Ea-e])\b\s*\**\s*[:.)\-–](?!\d)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Evolved:
    """What the rules look at: the parent's text and the completion that should be its evolved child."""

    parent: str
    completion: Completion

    @property
    def text(self) -> str:
        return self.completion.text.strip()


@dataclass(frozen=True)
class InstructionRule:
    reason: str
    rejects: Callable[[Evolved], bool]


@dataclass(frozen=True)
class ResponseRule:
    reason: str
    rejects: Callable[[Completion], bool]


def is_empty(completion: Completion) -> bool:
    return not completion.text.strip()


def is_truncated(completion: Completion) -> bool:
    return completion.finish_reason == "length"


def is_unchanged(evolved: Evolved) -> bool:
    """The same words in the same order; case, white space and punctuation at the ends do not make a change."""
    return _bare(evolved.text) == _bare(evolved.parent)


def offers_several(evolved: Evolved) -> bool:
    """Nothing but two or more numbered alternatives. After words of its own, an instruction may list options."""
    alternatives = {label.lower() for label in ALTERNATIVE.findall(evolved.text)}
    return len(alternatives) >= 2 and bool(ALTERNATIVE.match(evolved.text)) and not ALTERNATIVE.search(evolved.parent)


@dataclass(frozen=True)
class Leaks:
    """Whether an evolved instruction copies a phrase of the prompt which its parent does not contain itself."""

    phrases: tuple[str, ...]

    def __call__(self, evolved: Evolved) -> bool:
        text, parent = evolved.text.lower(), evolved.parent.lower()
        return any(phrase in text and phrase not in parent for phrase in self.phrases)


def is_refusal(response: Completion) -> bool:
    """WizardLM's second rule: "sorry" in fewer than 80 words."""
    return "sorry" in response.text.lower() and len(response.text.split()) < REFUSAL_WORDS


def has_no_content(response: Completion) -> bool:
    """WizardLM's third rule: nothing but punctuation and stop words. Letters and digits of any script are content."""
    return all(CONTRACTION.sub("", word.lower()) in STOP_WORDS for word in WORD.findall(response.text))


def instruction_rules(leaks: tuple[str, ...]) -> tuple[InstructionRule, ...]:
    """The rules on the evolved text alone, which cost nothing and so come first."""
    return (
        InstructionRule("empty", lambda evolved: is_empty(evolved.completion)),
        InstructionRule("truncated", lambda evolved: is_truncated(evolved.completion)),
        InstructionRule("prompt_leak", Leaks(leaks)),
        InstructionRule("several_alternatives", offers_several),
        InstructionRule("unchanged", is_unchanged),
    )


RESPONSE_RULES = (
    ResponseRule("empty", is_empty),
    ResponseRule("truncated", is_truncated),
    ResponseRule("refusal", is_refusal),
    ResponseRule("no_content", has_no_content),
)


def reject_instruction(rules: Sequence[InstructionRule], evolved: Evolved) -> str | None:
    """The reason of the first rule that rejects, or None."""
    return next((rule.reason for rule in rules if rule.rejects(evolved)), None)


def reject_response(rules: Sequence[ResponseRule], response: Completion) -> str | None:
    """The reason of the first rule that rejects, or None."""
    return next((rule.reason for rule in rules if rule.rejects(response)), None)


def parse_verdict(text: str) -> bool | None:
    """True for Equal, False for Not Equal, None for anything else.

    "Equal" is a substring of "Not Equal", so only the whole answer counts, without quotes, emphasis and a full stop.
    """
    return {"equal": True, "not equal": False}.get(normalise(text).strip("\"'“”‘’`*.!# ").lower())


def _bare(text: str) -> str:
    return normalise(text).strip(" .!?\"'").lower()
