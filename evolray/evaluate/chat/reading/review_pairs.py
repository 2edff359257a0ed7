"""Choices between two named models: people's of MT-Bench (model_a, model_b, winner), and FastChat's by a judge that saw
both orders (model_1, model_2, g1_winner with model_1 first, g2_winner with model_2 first).

Such files often hold many pairs. The first line decides which pair counts; others are rejected by name.
"""

from functools import partial

from evolray.evaluate.chat.reading.finding import shown
from evolray.evaluate.chat.reading.review_fields import CHOSEN, BadReview, Make, Row
from evolray.evaluate.chat.verdicts import NO_VERDICT, Verdict
from evolray.evaluate.graded import storable

PEOPLE = frozenset({"winner", "model_a", "model_b"})
BOTH_ORDERS = frozenset({"g1_winner", "g2_winner", "model_1", "model_2"})


class Pairs:
    """Of one file. `model_is_first`: whether the model is the first that the first line names."""

    def __init__(self, model_is_first: bool) -> None:
        self._model_is_first = model_is_first
        self._pair: tuple[str, str] | None = None

    def people(self, row: Row, make: Make) -> list[Verdict]:
        """Which answer stood first is not known."""
        keys = ("model_a", "model_b")
        keys = keys if self._is_model_first(row, keys) else keys[::-1]
        return [_chosen(row["winner"], keys, make, "unknown")]

    def both_orders(self, row: Row, make: Make) -> list[Verdict]:
        keys = ("model_1", "model_2")
        orders = ("model_first", "baseline_first")
        if not self._is_model_first(row, keys):
            keys, orders = keys[::-1], orders[::-1]
        return [
            _chosen(row[f"{game}_winner"], keys, _with_words(make, row.get(f"{game}_judgment")), order)
            for game, order in zip(("g1", "g2"), orders, strict=True)
        ]

    def _is_model_first(self, row: Row, keys: tuple[str, str]) -> bool:
        first, second = (row[key] for key in keys)
        if not isinstance(first, str) or not isinstance(second, str) or first == second:
            raise BadReview(f"{keys[0]} {shown(first)}, {keys[1]} {shown(second)}; expected two models")
        if self._pair is None:
            self._pair = (first, second) if self._model_is_first else (second, first)
        if {first, second} != set(self._pair):
            pair = " with ".join(map(shown, self._pair))
            raise BadReview(f"compares {shown(first)} with {shown(second)}; the first line compares {pair}")
        return first == self._pair[0]


def _with_words(make: Make, words: object) -> Make:
    return partial(make, text=storable(words)) if isinstance(words, str) else make


def _chosen(winner: object, keys: tuple[str, str], make: Make, order: str) -> Verdict:
    """`keys`: what the file calls the model and the baseline."""
    if winner == "error":  # FastChat's word for an answer without a verdict
        return make(NO_VERDICT, order=order)
    if not isinstance(winner, str) or not (winner in keys or winner.startswith("tie")):
        raise BadReview(f"winner {shown(winner)}; expected {keys[0]}, {keys[1]} or tie")
    outcome = {keys[0]: "win", keys[1]: "loss"}.get(winner, "tie")
    model, baseline = CHOSEN[outcome]
    return make(outcome, order=order, model_score=model, baseline_score=baseline)
