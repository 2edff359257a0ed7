"""The protocol between the method and whoever answers: an endpoint, a loaded model, a rule, a script.

The method says what it asks and on whose behalf. Who answers, how often a dropped connection is retried, what is
remembered and what it costs is not the method's business.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from evolray.records import Turn, record_id

Purpose = Literal["evolve", "judge", "respond", "sample", "difficulty", "skills"]


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a model. `root_id`, `generation`, `purpose` and `attempt` name it uniquely within a run.

    Either `messages`, a conversation to be answered, or `prompt`, a text to be continued as it stands. `max_tokens`,
    `stop` and `temperature` are for this call alone; None and () leave them to the model's settings.
    """

    purpose: Purpose
    root_id: str
    generation: int
    messages: tuple[Turn, ...]
    attempt: int = 0
    prompt: str | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None

    @property
    def record_id(self) -> str:
        return record_id(self.root_id, self.generation)

    @property
    def characters(self) -> int:
        """Of all that is asked."""
        return len(self.prompt or "") + sum(len(turn.content) for turn in self.messages)


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer that was paid for. `finish_reason` is the endpoint's word: "length" means cut off."""

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""


class TeacherError(Exception):
    """A call that was given up. `cause` is a short stable name that is counted; `message` is for people."""

    def __init__(self, record_id: str, cause: str, message: str) -> None:
        super().__init__(f"{record_id}: {cause}: {message}")
        self.record_id = record_id
        self.cause = cause
        self.message = message


class Teacher(Protocol):
    async def complete(self, call: Call) -> Completion:
        """Answer one call. Raises TeacherError when no answer can be had."""
        ...
