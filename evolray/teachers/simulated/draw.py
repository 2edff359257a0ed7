"""How the simulated teacher draws from its stock: by a hash of the prompt, so that the same prompt gets the same.

Topics are words of the instruction itself, so that rewrites and responses seem to be about it.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from random import Random

from evolray.teachers.simulated.phrases import SLOTS

_LONG_WORD = re.compile(r"\b[A-Za-z]{5,24}\b")
_NO_TOPIC = frozenset(
    """sorry given prompt rewritten created problem option there their these those which would could should about after
    other where while being please following write explain describe sentences words three include every least""".split()
)


class Chance:
    """Draws from one hash of the prompt: 512 bits, spent a few at a time."""

    __slots__ = ("_bits",)

    def __init__(self, key: bytes, prompt: str) -> None:
        data = prompt.encode("utf-8", "surrogatepass")
        self._bits = int.from_bytes(blake2b(data, digest_size=64, key=key).digest(), "little")

    def below(self, limit: int) -> int:
        self._bits, drawn = divmod(self._bits, limit)
        return drawn

    def one_of(self, stock: Sequence[str]) -> str:
        return stock[self.below(len(stock))]

    def random(self) -> Random:
        return Random(self.below(2**64))


def fill(clause: str, instruction: str, chance: Chance, **more: str) -> str:
    """The clause with its slots drawn; {topic} and {other} are words of the instruction."""
    slots = {slot: chance.one_of(stock) for slot, stock in SLOTS.items() if f"{{{slot}}}" in clause}
    return clause.format(
        topic=_topic(instruction, chance),
        other=_topic(instruction, chance),
        n=chance.below(87) + 12,
        few=chance.below(6) + 3,
        year=chance.below(90) + 1910,
        **slots,
        **more,
    )


def draw_clause(clauses: Sequence[str], instruction: str, chance: Chance) -> str:
    """One of the clauses, filled; preferably one that no earlier generation has put into the instruction."""
    for _ in range(5):
        clause = chance.one_of(clauses)
        if clause.partition("{")[0] not in instruction:
            break
    return fill(clause, instruction, chance)


def _topic(instruction: str, chance: Chance) -> str:
    """A long word from near a drawn place in the first 400 characters; long texts cost no more than short ones."""
    for _ in range(4):
        word = _LONG_WORD.search(instruction, chance.below(min(len(instruction), 400) + 1))
        if word is not None and (topic := word[0].lower()) not in _NO_TOPIC:
            return topic
    return "matter"
