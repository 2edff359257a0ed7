"""Seed files read as a stream: each entry becomes a Seed, or a Failed that says where it is and what is wrong with it.

Shapes of an entry, in order of precedence:

    a conversation   `conversations` or `messages`: turns with from/value or role/content. One human turn, chosen by
                     `turn`, is the instruction; the turns before it are its context, the reply to it the response.
    self-instruct    `instances`: input and response come from the first instance.
    flat             the keys below; where several are there, the first that is neither null nor blank.

        instruction  instruction, Instruction (WizardLM's test set), question (GSM8K), problem (MATH), prompt
        input        input; words that say there is none, such as "<No Input>" or "N/A", count as none
        response     response, output, completion, solution, answer

Nothing is dropped in silence: as many outcomes come out as the file has entries. Not promised: that seeds differ from
each other, since duplicates have the same `root_id` and are the business of whoever collects them. Texts are kept as
they stand (a NUL included); only what cannot be stored or sent is refused.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

from evolray.errors import UserError
from evolray.pool.json_entries import BadSeed
from evolray.pool.seed_formats import read_entries, without_credentials
from evolray.records import SEED, Failed, Seed, Turn

INSTRUCTION_KEYS = ("instruction", "Instruction", "question", "problem", "prompt")
INPUT_KEYS = ("input",)
RESPONSE_KEYS = ("response", "output", "completion", "solution", "answer")
CONVERSATION_KEYS = ("conversations", "messages")
INSTANCES_KEY = "instances"
KEYS = (*INSTRUCTION_KEYS, *INPUT_KEYS, *RESPONSE_KEYS, *CONVERSATION_KEYS, INSTANCES_KEY)

MAX_INSTRUCTION_CHARS = 100_000  # instruction and input together; some 25,000 tokens

Role = Literal["system", "user", "assistant"]
ROLES: dict[str, Role] = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
}

# Alpaca's ways to say that there is no input, its typing errors ("<ninput>", "<noput>") among them. "NA" is not one:
# it may be sodium. Brackets, quotes, backslashes and full stops around the words do not count.
_NO_INPUT = re.compile(
    r"""[\W_]* (?: (?: no[\s_-]*input | ninput | noput )
            (?: \s+ (?:is\s+)? (?: needed | required | necessary | provided | given ) )?
        | none | null | nil | n\s*/\s*a | not\s+applicable ) [\W_]*""",
    re.VERBOSE | re.IGNORECASE,
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_seeds(path: str, *, turn: str = "last", limit: int | None = None) -> Iterator[Seed | Failed]:
    """One Seed or Failed per entry of `path`, in the order of the file.

    `path` is a local file, a URL that pyarrow.fs opens, or `hf:NAME[:SPLIT]`. `turn` chooses the human turn of a
    conversation: "first", "last" or its 0-based number. `limit` stops after so many entries.

    Raises UserError, at the earliest on the first `next`: for a file that is missing, empty, of an unknown format or
    broken beyond one entry, and at the end when no entry was a usable seed.
    """
    index = _turn_index(turn)
    if limit is not None and limit < 1:
        raise UserError(f"seeds.limit is {limit}; expected a number from 1 on, or null for all entries.")
    source = without_credentials(path)
    num_entries = num_seeds = 0
    first_failed: Failed | None = None
    for line, entry in islice(read_entries(path, KEYS), limit):
        outcome = seed_of_entry(entry, index, source, line)
        num_entries += 1
        if isinstance(outcome, Seed):
            num_seeds += 1
        else:
            first_failed = first_failed or outcome
        yield outcome
    if first_failed and not num_seeds:
        raise UserError(
            f"{source}: none of the {num_entries:,} entries read is a usable seed; the first one, in line "
            f"{first_failed.line}: {first_failed.message}. Expected entries such as "
            '{"instruction": "...", "input": "...", "output": "..."} or {"conversations": [...]}.'
        )
    if not num_entries:
        raise UserError(f"{source}: holds no entry. Expected at least one instruction.")


def content_key(seed: Seed) -> bytes:
    """8 bytes from all of the seed's text, response included, but not from where it stood.

    Seeds with one `root_id` may still differ, in the response or in white space. The smallest key picks one of them
    whatever the order of the file.
    """
    turns = [[turn.role, turn.content] for turn in seed.context]
    text = json.dumps([seed.instruction, seed.input, seed.response, turns])
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).digest()


def _turn_index(turn: str) -> int:
    if turn in ("first", "last"):
        return 0 if turn == "first" else -1
    if re.fullmatch(r"[0-9]{1,9}", turn):
        return int(turn)
    raise UserError(f"seeds.turn is {turn!r}; expected first, last or the number of a human turn, counted from 0.")


def seed_of_entry(entry: object, turn_index: int, source: str, line: int) -> Seed | Failed:
    """What `read_entries` yields, as a seed; `turn_index` counts a conversation's human turns, -1 is the last."""
    try:
        if isinstance(entry, BadSeed):
            raise entry
        return _seed(entry, turn_index, source, line)
    except BadSeed as problem:
        return Failed("", 0, SEED, "bad_seed", str(problem), source=source, line=line)


def _seed(entry: object, turn_index: int, source: str, line: int) -> Seed:
    context: tuple[Turn, ...] = ()
    if (turns := conversation_of(entry)) is not None:
        instruction, response, context = _chosen_turn(turns, turn_index)
        given_input = ""
    else:
        instruction, given_input, response = texts_of(entry)
    seed = Seed(instruction, given_input, response, context, source, line)
    num_chars = len(instruction) + len(given_input)
    if num_chars > MAX_INSTRUCTION_CHARS:
        limit = f"at most {MAX_INSTRUCTION_CHARS:,} are taken"
        raise BadSeed(f"instruction and input have {num_chars:,} characters; {limit}")
    check_encodable(instruction, given_input, response, *(turn.content for turn in context))
    return seed


def conversation_of(entry: object) -> list[Turn] | None:
    """All turns of an entry that is a conversation, blank ones included; None when it is not one.

    Raises BadSeed for an entry that is no object and for turns that cannot be read.
    """
    fields = _object("the entry", entry)
    key = next((key for key in CONVERSATION_KEYS if fields.get(key) is not None), None)
    return None if key is None else _turns(key, fields[key])


def texts_of(entry: object) -> tuple[str, str, str]:
    """Instruction, input and response of an entry that is no conversation; the latter two may be "".

    Raises BadSeed when there is no instruction or a text is not text.
    """
    fields = _object("the entry", entry)
    instance = _first_instance(fields.get(INSTANCES_KEY))
    instruction = _text(fields, INSTRUCTION_KEYS)
    given_input = _text(fields if instance is None else instance, INPUT_KEYS)
    response = _text(fields if instance is None else instance, RESPONSE_KEYS)
    if not instruction:
        raise BadSeed(_no_instruction(fields))
    return instruction, "" if _NO_INPUT.fullmatch(given_input) else given_input, response


def check_encodable(*texts: str) -> None:
    if any(_LONE_SURROGATE.search(text) for text in texts):
        raise BadSeed("half of a surrogate pair (such as \\ud83d alone) in the text, which UTF-8 cannot hold")


def _object(what: str, value: object) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise BadSeed(f"{what} is {_kind(value)}; expected an object")


def _text(fields: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """The first text under one of `keys` that is not blank, "" when there is none."""
    for key in keys:
        value = fields.get(key)
        if value is not None and not isinstance(value, str):
            raise BadSeed(f"{key} is {_kind(value)}; expected text")
        if value and not value.isspace():
            return value
    return ""


def _no_instruction(fields: Mapping[str, object]) -> str:
    if blank := [key for key in INSTRUCTION_KEYS if fields.get(key) is not None]:
        return f"{blank[0]} is blank; expected text"
    found = ", ".join(f"{key[:40]!a}" for key in islice(fields, 8))
    expected = ", ".join(INSTRUCTION_KEYS + CONVERSATION_KEYS)
    return f"no instruction; found the keys {found or '(none)'}, expected one of {expected}"


def _first_instance(instances: object) -> Mapping[str, object] | None:
    if not instances:
        return None
    if not isinstance(instances, list):
        raise BadSeed(f"{INSTANCES_KEY} is {_kind(instances)}; expected an array")
    return _object(f"the first of {INSTANCES_KEY}", instances[0])


def _turns(key: str, turns: object) -> list[Turn]:
    if not isinstance(turns, list):
        raise BadSeed(f"{key} is {_kind(turns)}; expected an array of turns")
    return [_turn(f"turn {number} of {key}", turn) for number, turn in enumerate(turns)]


def _turn(where: str, turn: object) -> Turn:
    fields = _object(where, turn)
    try:
        speaker = _text(fields, ("from", "role"))
        content = _text(fields, ("value", "content"))
    except BadSeed as problem:
        raise BadSeed(f"{where}: {problem}") from None
    role = ROLES.get(speaker.strip().lower())
    if role is None:
        raise BadSeed(f"{where} is from {speaker[:40]!a}; expected one of {', '.join(ROLES)}")
    return Turn(role, content)


def _chosen_turn(turns: list[Turn], turn_index: int) -> tuple[str, str, tuple[Turn, ...]]:
    """Instruction, response and context for one human turn; `turn_index` counts human turns, -1 is the last."""
    human = [position for position, turn in enumerate(turns) if turn.role == "user"]
    if not human:
        raise BadSeed(f"the conversation of {len(turns)} turns has no human turn")
    if turn_index >= len(human):
        raise BadSeed(f"the conversation has {len(human)} human turns, so none with the number {turn_index} (from 0)")
    position = human[turn_index]
    if not turns[position].content:
        raise BadSeed(f"the chosen human turn (turn {position} of the conversation) is blank")
    context = tuple(turn for turn in turns[:position] if turn.content or turn.role != "system")
    if any(not turn.content for turn in context):
        raise BadSeed("a turn before the chosen human turn is blank")  # endpoints refuse empty messages
    reply = turns[position + 1 : position + 2]
    response = reply[0].content if reply and reply[0].role == "assistant" else ""
    return turns[position].content, response, context


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "an array"}
    names |= {dict: "an object", type(None): "null"}
    return names.get(type(value), type(value).__name__)
