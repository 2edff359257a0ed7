"""What is asked and what came back, shard by shard, in a run directory.

    questions/00017.parquet     what is asked, complete before anything is sampled
    sampled/00017.parquet       one row per question, in the same order; its presence says that the shard is finished

A question is a conversation, or a text that the model continues as it stands (`prompt`), which is what base models
and the papers' released prompts want. A conversation may go on after the model's answer (`follow_ups`); then one sample
holds the answers to all of its turns. Files of versions that knew neither follow-ups nor temperatures are read as if
there were none.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.layout import Folder, shard_name
from evolray.records import Turn

QUESTIONS, SAMPLED = "questions", "sampled"


@dataclass(frozen=True, slots=True)
class Question:
    """`id` and `sample` together are unique within a run; `sample` counts from 0.

    Either `messages` or `prompt` is set. An answer has at most `max_tokens` and ends before the first of `stop`.
    `given_input` is Alpaca's input to the last message; where a chat template has no place for it, it follows the
    message on a new line (`joined`). `follow_ups`: what the user says after the model's first answer, after its second,
    ...; each answer has `max_tokens` and `stop` of its own. `temperature` goes before the sampler's.
    """

    id: str
    sample: int
    messages: tuple[Turn, ...] = ()
    prompt: str | None = None
    max_tokens: int = 2048
    stop: tuple[str, ...] = ()
    given_input: str = ""
    follow_ups: tuple[str, ...] = ()
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.prompt is not None and self.follow_ups:
            raise ValueError(f"{self.id}: a prompt that is continued has no turns; follow_ups need messages.")

    @property
    def turns(self) -> int:
        """How many answers it asks for."""
        return 1 + len(self.follow_ups)

    @property
    def joined(self) -> tuple[Turn, ...]:
        """`messages` with the input in the last of them."""
        if not self.given_input:
            return self.messages
        last = self.messages[-1]
        return (*self.messages[:-1], Turn(last.role, f"{last.content}\n{self.given_input}"))

    def after(self, answers: Sequence[str]) -> tuple[Turn, ...]:
        """What follows `messages` when the model has answered so far: each answer, and what the user says to it."""
        said = zip(answers, self.follow_ups, strict=False)
        return tuple(turn for answer, text in said for turn in (Turn("assistant", answer), Turn("user", text)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer. `cause` is set when there is none: a short stable name that is counted; `message` is for people.

    `prompt` is the text that the model was given, as far as it is known: an endpoint renders its own.
    `finish_reason` is "stop", "length" (cut off at max_tokens) or an endpoint's own word.

    Of a question with follow-ups, `text` is the answer to the last turn and `earlier` holds those to the turns before;
    `prompt` is what the last turn was given, with all that was said before. Tokens are summed over the turns, since
    each is a computation, or a call, of its own. `finish_reason` is "length" when any of the answers was cut off, for a
    later one builds on it; else that of the last. When a turn gets no answer, the cause is that turn's, `message` says
    which it was, and `earlier` holds what was answered before it.
    """

    id: str
    sample: int
    text: str = ""
    prompt: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    cause: str = ""
    message: str = ""
    earlier: tuple[str, ...] = ()


_TEXTS = pa.list_(pa.string())
_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
QUESTION_SCHEMA = pa.schema(
    [
        ("id", pa.string()), ("sample", pa.int32()), ("messages", _TURNS), ("prompt", pa.string()),
        ("max_tokens", pa.int32()), ("stop", _TEXTS), ("given_input", pa.string()), ("follow_ups", _TEXTS),
        ("temperature", pa.float64()),
    ]
)  # fmt: skip
_COLUMNS: dict[Any, pa.DataType] = {int: pa.int32(), str: pa.string(), tuple[str, ...]: _TEXTS}
SAMPLE_SCHEMA = pa.schema([(one.name, _COLUMNS[one.type]) for one in fields(Sample)])


def write_questions(folder: Folder, shard: int, questions: Sequence[Question]) -> None:
    rows = [
        {
            "id": one.id,
            "sample": one.sample,
            "messages": [{"role": turn.role, "content": turn.content} for turn in one.messages],
            "prompt": one.prompt,
            "max_tokens": one.max_tokens,
            "stop": list(one.stop),
            "given_input": one.given_input,
            "follow_ups": list(one.follow_ups),
            "temperature": one.temperature,
        }
        for one in questions
    ]
    folder.write(shard_name(QUESTIONS, shard), _parquet(rows, QUESTION_SCHEMA))


def read_questions(folder: Folder, shard: int) -> list[Question]:
    return [
        Question(
            row["id"],
            row["sample"],
            tuple(Turn(turn["role"], turn["content"]) for turn in row["messages"] or ()),
            row["prompt"],
            row["max_tokens"],
            tuple(row["stop"] or ()),
            row["given_input"],
            tuple(row.get("follow_ups") or ()),
            row.get("temperature"),
        )
        for row in _rows(folder, shard_name(QUESTIONS, shard))
    ]


def write_samples(folder: Folder, shard: int, samples: Iterable[Sample]) -> None:
    rows = [{one.name: getattr(sample, one.name) for one in fields(Sample)} for sample in samples]
    folder.write(shard_name(SAMPLED, shard), _parquet(rows, SAMPLE_SCHEMA))


def read_samples(folder: Folder, shard: int) -> list[Sample]:
    rows = _rows(folder, shard_name(SAMPLED, shard))
    return [Sample(**{**row, "earlier": tuple(row.get("earlier") or ())}) for row in rows]


def _parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def _rows(folder: Folder, name: str) -> list[dict[str, Any]]:
    with folder.open(name) as file:
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows
