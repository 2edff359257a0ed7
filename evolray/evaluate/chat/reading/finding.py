"""Which problem a line is about, be it an answer or a review: by id, by the instruction it repeats, or by both.

AlpacaEval has no ids but places in its file, which others number in ways of their own. There the instruction decides
where a line has one, and among problems with the same instruction their order.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.graded import storable

ID_KEYS = ("question_id", "idx", "problem", "id", "task_id")
PLACE_KEYS = ("index", "i")
"""Ids where places are, and else numbers that a table gave its rows."""
INSTRUCTION_KEYS = ("instruction", "Instruction")
NUMBERED_BY_PLACE = frozenset({"alpaca_eval"})
HIGHEST_ID = 1 << 63
MOST_SHOWN = 60
"""Characters of a strange value in a reason."""


def identifier(value: object) -> str | None:
    """An id as text; 5, 5.0 (what tables make of 5) and "5" are the same. None for what can be no id."""
    if isinstance(value, str):
        return storable(value.strip()) or None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < HIGHEST_ID:
        return None
    return str(int(value)) if value == int(value) else str(value)


def shown(value: object) -> str:
    """A value from a file, short and in ASCII, for a reason."""
    if not isinstance(value, str | int | float | None):
        return f"of type {type(value).__name__}"
    text = ascii(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


class Finder:
    """For one pass over a file: which of several equal instructions comes next depends on those before."""

    def __init__(self, benchmark: str, problems: Problems) -> None:
        self._benchmark = benchmark
        self._by_place = benchmark in NUMBERED_BY_PLACE
        self._of_id = {one.id: one for one in problems.all}
        self._of_instruction: dict[str, list[Problem]] = {}
        for one in problems.all:
            self._of_instruction.setdefault(_plain(_first_turn(one)), []).append(one)
        self._num_seen = Counter[str]()

    def find(self, row: Mapping[str, Any]) -> Problem | str:
        """The problem; or why there is none."""
        keys = (*ID_KEYS, *PLACE_KEYS) if self._by_place else ID_KEYS
        given = next((row[key] for key in keys if row.get(key) not in (None, "")), None)
        by_id = self._of_id.get((identifier(given) or "").removeprefix(f"{self._benchmark}/"))
        text = next((_plain(row[key]) for key in INSTRUCTION_KEYS if isinstance(row.get(key), str)), "")
        same = self._of_instruction.get(text, []) if text else []
        if by_id is not None and not self._by_place:
            return f"is {by_id.id}, but has the instruction of {same[0].id}" if same and by_id not in same else by_id
        if same:
            self._num_seen[text] += 1
            return same[(self._num_seen[text] - 1) % len(same)]
        if text and self._by_place:
            return f"no problem has the instruction {shown(text)}"
        return by_id or (f"no problem {shown(given)}" if given is not None else f"none of {', '.join(keys)}")


def _first_turn(problem: Problem) -> str:
    row = problem.row
    texts = [*(row.get(key) for key in INSTRUCTION_KEYS), *(row.get("turns") or ())]
    return next((one for one in texts if isinstance(one, str)), "")


def _plain(text: str) -> str:
    """Files differ in line ends and in white space around an instruction."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
