"""How good the simulated judge finds an answer: by rule, from 3 to 8 in half points, 1 for none at all.

    3     to begin with
    0-2   for length: all of it from 80 words on
    0-1   for the share of the question's longer words that it takes up
    0-1   for its form: code, a table, a list or steps where they are asked for; half a point where nothing is
    0-1   for a right result, where that is known; half a point where it is not; with a wrong one 4 in all at most

A result is known of the arithmetic problems that `arithmetic.py` reads, and where the last line of a reference answer
holds a number. The best is 8 and the worst 3 so that a bias of up to 2 points never meets an end of the scale.
"""

import re

from evolray.teachers.simulated import arithmetic

NONE, WORST, BEST = 1.0, 3.0, 8.0

_ENOUGH_WORDS = 80
_MOST_WITH_A_WRONG_RESULT = 4.0
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?", re.ASCII)
_LIST_ITEM = re.compile(r"\n[ \t]*(?:[-*+]|\d+[.)])\s")  # an item below another line
# What a question may ask for -> what shows that an answer has it.
_FORMS = (
    (re.compile(r"\b(?:code|function|program|script|regex|html|sql)\b"), re.compile(r"```|^ {4}\S|^def |<\w+>", re.M)),
    (re.compile(r"\btable\b"), re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)),
    (re.compile(r"\b(?:list|steps?|bullets?|tips|points|ways|outline)\b"), _LIST_ITEM),
)


def quality(question: str, answer: str, reference: str = "") -> float:
    words = _WORD.findall(answer.lower())
    if not words:
        return NONE
    points = WORST + min(2.0, 2 * len(words) / _ENOUGH_WORDS)
    points += _taken_up(question, frozenset(words)) + _form(question, answer)
    right = is_right(question, answer, reference)
    points += 0.5 if right is None else float(right)
    if right is False:
        points = min(points, _MOST_WITH_A_WRONG_RESULT)
    return half_points(points, WORST, BEST)


def half_points(points: float, lowest: float, highest: float) -> float:
    """To the nearest half point on the scale."""
    return min(highest, max(lowest, int(2 * points + 0.5) / 2))


def is_right(question: str, answer: str, reference: str = "") -> bool | None:
    """None when the right result is not known."""
    expected = _result(question, reference)
    if expected is None:
        return None
    given = _NUMBER.findall(answer)
    return bool(given) and _value(given[-1]) == expected


def _result(question: str, reference: str) -> float | None:
    problem = arithmetic.parse(question)
    if problem is not None:
        return float(arithmetic.answer(problem))
    numbers = _NUMBER.findall(reference.strip().rpartition("\n")[2])
    return _value(numbers[-1]) if numbers else None


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _taken_up(question: str, said: frozenset[str]) -> float:
    asked = {word for word in _WORD.findall(question.lower()) if len(word) > 3}
    return len(asked & said) / len(asked) if asked else 0.5


def _form(question: str, answer: str) -> float:
    text = question.lower()
    wanted = [shown for asked, shown in _FORMS if asked.search(text)]
    return sum(bool(shown.search(answer)) for shown in wanted) / len(wanted) if wanted else 0.5
