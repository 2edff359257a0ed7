r"""The string normaliser of the MATH data set's release (github.com/hendrycks/math) as a table of rules.

    "\dfrac12"  "1/2"  "0.5"  "\frac{1}{2}"   ->  "\frac{1}{2}"
    "x = 5\text{ cm}"  "5^\circ"  "\$5"       ->  "5"

WizardMath's evaluation took it over with one change that matters: where the original gives up on "a/b" and leaves it
as it is, that copy raises, and so do both for "\frac" and "\sqrt" at the end and for two units. What an evaluation
makes of that is its own affair (`math_answers`). The rules are theirs, oddities included; the order counts.
"""

from collections.abc import Callable
from dataclasses import dataclass


class CannotNormalise(Exception):
    """One of the places where the originals raise."""


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    apply: Callable[[str], str]


def normalised(text: str, rules: tuple[Rule, ...]) -> str:
    """Raises CannotNormalise."""
    for rule in rules:
        text = rule.apply(text)
    return text


def _replacing(name: str, *pairs: tuple[str, str]) -> Rule:
    def apply(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return Rule(name, apply)


def _without_unit(text: str) -> str:
    r"""A unit is "\text{ " (with the blank) and what follows."""
    number, *units = text.split(r"\text{ ")
    if len(units) > 1:
        raise CannotNormalise(r"more than one \text{ ")
    return number


def _with_leading_zero(text: str) -> str:
    return f"0{text}" if text.startswith(".") else text


def _without_name(text: str) -> str:
    """Of "x = 5" the 5; what stands before the sign may be two characters long, a blank among them."""
    sides = text.split("=")
    return sides[1] if len(sides) == 2 and len(sides[0]) <= 2 else text


def _with_braced_roots(text: str) -> str:
    r"""\sqrt3 -> \sqrt{3}: one character without braces is taken for all of the root."""
    first, *others = text.split(r"\sqrt")
    if "" in others:
        raise CannotNormalise(r"\sqrt of nothing")
    return first + "".join(rf"\sqrt{rest}" if rest[0] == "{" else rf"\sqrt{{{rest[0]}}}{rest[1:]}" for rest in others)


def _with_braced_fractions(text: str) -> str:
    r"""\frac12 -> \frac{1}{2} and \frac1{72} -> \frac{1}{72}; one lone character leaves the whole text as it was."""
    first, *others = text.split(r"\frac")
    parts = [first]
    for rest in others:
        if not rest:
            raise CannotNormalise(r"\frac of nothing")
        if rest[0] == "{":
            parts.append(rf"\frac{rest}")
        elif len(rest) == 1:
            return text
        elif rest[1] == "{":
            parts.append(rf"\frac{{{rest[0]}}}{rest[1:]}")
        else:
            parts.append(rf"\frac{{{rest[0]}}}{{{rest[1]}}}{rest[2:]}")
    return "".join(parts)


def _half(text: str) -> str:
    return r"\frac{1}{2}" if text == "0.5" else text


def _slash_or_raise(text: str) -> str:
    """3/4 as a fraction. Anything else around one slash raises, unless it is only spelt otherwise (03/4)."""
    sides = text.split("/")
    if len(sides) != 2:
        return text
    try:
        above, below = int(sides[0]), int(sides[1])
    except ValueError as error:
        raise CannotNormalise("a slash between what are no integers") from error
    return rf"\frac{{{above}}}{{{below}}}" if text == f"{above}/{below}" else text


def _slash(text: str) -> str:
    try:
        return _slash_or_raise(text)
    except CannotNormalise:
        return text


_BEFORE_PERCENT = (
    _replacing("line breaks", ("\n", "")),
    _replacing("negative spaces", (r"\!", "")),
    _replacing("doubled backslashes", (r"\\", "\\")),
    _replacing("sizes of fractions", ("tfrac", "frac"), ("dfrac", "frac")),
    _replacing("sizes of brackets", (r"\left", ""), (r"\right", "")),
    _replacing("degrees", (r"^{\circ}", ""), (r"^\circ", "")),
    _replacing("dollar signs", (r"\$", "")),
    Rule("units on the right", _without_unit),
    _replacing("percent", (r"\%", "")),
)
_BEFORE_SLASH = (
    _replacing("decimals without a zero", (" .", " 0."), ("{.", "{0.")),
    Rule("a decimal that starts the text", _with_leading_zero),
    Rule("a name before an equals sign", _without_name),
    Rule("roots without braces", _with_braced_roots),
    _replacing("spaces", (" ", "")),
    Rule("fractions without braces", _with_braced_fractions),
    Rule("one half", _half),
)
HENDRYCKS_RULES = (
    *_BEFORE_PERCENT, _replacing("bare percent", ("%", "")), *_BEFORE_SLASH, Rule("slash of integers", _slash),
)  # fmt: skip
WIZARDMATH_RULES = (*_BEFORE_PERCENT, *_BEFORE_SLASH, Rule("slash of integers, or raise", _slash_or_raise))


def hendrycks_equal(prediction: str, reference: str) -> bool:
    """The release's own verdict: equal once normalised, or letter for letter where that raises."""
    try:
        return normalised(prediction, HENDRYCKS_RULES) == normalised(reference, HENDRYCKS_RULES)
    except CannotNormalise:
        return prediction == reference
