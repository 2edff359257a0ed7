"""Two models, ranked: the protocol of AlpacaEval 1."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.evaluate.chat.benchmark import Case, Judgement
from evolray.evaluate.chat.protocols.material import answers_in, ask, read_prompts
from evolray.evaluate.chat.verdicts import Order
from evolray.records import Turn

FIRST, SECOND = "model_1", "model_2"

_PROMPTS = read_prompts("ranking")
_LONGEST = 1000  # characters of the list; a hundred tokens are half of that
_RANKS: Mapping[Any, int] = {1: 1, 2: 2, "1": 1, "2": 2}


@dataclass(frozen=True)
class Ranking:
    name = "ranking"
    source = (
        "AlpacaEval 1, annotator alpaca_eval_gpt4 (github.com/tatsu-lab/alpaca_eval): two outputs for an instruction, "
        "ranked in a list of dictionaries; our own wording"
    )
    is_comparison = True
    temperature = 0.0
    max_tokens = 100
    prompts = _PROMPTS

    def messages(self, case: Case, turn: int, order: Order) -> tuple[Turn, ...]:
        first, second = answers_in(case, order)
        answers: Mapping[str, Sequence[str]] = {FIRST: first, SECOND: second}
        return ask(self.prompts, "ranking", case, turn, answers)

    def parse(self, text: str) -> Judgement | None:
        return parse_ranking(text)


def parse_ranking(text: str) -> Judgement | None:
    """The one list in the text, Python's or JSON's, whatever stands around it (a code fence, a sentence).

    It must have two entries, each of a model and its rank and of nothing else, one for each model, with ranks of 1 or
    2, as numbers or texts. Equal ranks are a tie.
    """
    listed = _list_in(text)
    if listed is None or len(listed) != 2 or not all(_is_entry(one) for one in listed):
        return None
    ranks = {one["model"]: _RANKS[one["rank"]] for one in listed}
    if ranks.keys() != {FIRST, SECOND}:
        return None
    ahead = ranks[SECOND] - ranks[FIRST]
    return Judgement((1 + ahead) / 2, (1 - ahead) / 2)


def _list_in(text: str) -> list[Any] | None:
    """From the first bracket to the last: two lists, or brackets in a sentence, are not one list."""
    start, end = text.find("["), text.rfind("]") + 1
    literal = text[start:end]
    # A backslash has no place in it, and would make Python warn of escapes that it does not know.
    if start < 0 or not literal or len(literal) > _LONGEST or "\\" in literal:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(literal)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list) else None
    return None


def _is_entry(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and one.keys() == {"model", "rank"}
        and isinstance(one["model"], str)
        and isinstance(one["rank"], int | str)
        and not isinstance(one["rank"], bool)
        and one["rank"] in _RANKS
    )
