"""What flows through evolray: seeds, records, and what became of those that did not get through.

Standard library only. An instruction's identity comes from its text alone (`root_id`), so that adding to a seed
file or reordering it changes nothing that was already done. Lineage is in typed fields, one record per generation:

    <root>.g0  the seed            operator "seed"
    <root>.g1  its child           parent_id "<root>.g0"
    <root>.g3  a child of g1       parent_id "<root>.g1": the attempt of generation 2 was eliminated
"""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

SEED = "seed"  # the operator of generation 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, in the roles of a chat endpoint."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Seed:
    """One usable entry of a seed file. `line` is 1-based, where the entry begins in `source`."""

    instruction: str
    input: str = ""
    response: str = ""
    context: tuple[Turn, ...] = ()
    source: str = ""
    line: int = 0

    @property
    def root_id(self) -> str:
        """16 hex digits, from the instruction, the input and the context, after `normalise`."""
        parts = [normalise(self.instruction), normalise(self.input)]
        parts += [f"{turn.role}:{normalise(turn.content)}" for turn in self.context]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """Instruction and input as the one text that is evolved and responded to."""
        return f"{self.instruction.strip()}\n{self.input.strip()}".strip()


@dataclass(frozen=True, slots=True)
class Record:
    """An instruction that is kept, with its response.

    `context` holds the turns of a conversation before this instruction (empty for single-turn seeds).
    `teacher` names the model that wrote the response ("" for a seed that kept its own). The token counts are of all
    answers that went into this record: evolved instruction, verdict and response. `attempts` counts the evolutions
    tried on the parent until this one was kept.
    """

    root_id: str
    generation: int
    parent_id: str | None
    domain: str
    operator: str
    variant: str
    instruction: str
    response: str
    context: tuple[Turn, ...] = ()
    teacher: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 0

    @property
    def id(self) -> str:
        return record_id(self.root_id, self.generation)


@dataclass(frozen=True, slots=True)
class Eliminated:
    """An instruction that a rule rejected. `step` is the last question asked: evolve, judge or respond."""

    root_id: str
    generation: int
    parent_id: str | None
    domain: str
    operator: str
    variant: str
    reason: str
    step: str
    instruction: str
    response: str = ""
    context: tuple[Turn, ...] = field(default=())
    teacher: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def id(self) -> str:
        return record_id(self.root_id, self.generation)


@dataclass(frozen=True, slots=True)
class Failed:
    """What could not be done: a call that was given up, or a seed line that could not be read (`line` > 0)."""

    root_id: str
    generation: int
    operator: str
    cause: str
    message: str
    parent_id: str | None = None
    source: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        return record_id(self.root_id, self.generation)


Outcome = Record | Eliminated | Failed


def record_id(root_id: str, generation: int) -> str:
    return f"{root_id}.g{generation}"


def normalise(text: str) -> str:
    """One spelling for texts that differ only in Unicode form or white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())
