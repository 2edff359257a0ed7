"""Entries of data files as records: a seed of its own each, or with the lineage that an export gave it.

A plain entry becomes generation 0 of its own root, whose id comes from its text as a seed's does (`records.Seed`). Of
a conversation the last turn that was answered is the instruction, its answer the response, the turns before them the
context; `train` reads the same file so, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evolray.pool.columns import entry_keys, renamed
from evolray.pool.json_entries import BadSeed
from evolray.pool.seeds import check_encodable, conversation_of, seed_of_entry
from evolray.records import SEED, Failed, Record, Turn

BAD_ENTRY = "bad_entry"

TEXTS = ("domain", "operator", "variant", "teacher", "response")
NUMBERS = ("generation", "prompt_tokens", "completion_tokens", "attempts")
LINEAGE_KEYS = ("root_id", "parent_id", "context", *TEXTS, *NUMBERS)
LARGEST = {"generation": 2**15 - 1, "attempts": 2**15 - 1}  # int16 columns; the others are int32
ROOT_ID = re.compile(r"[0-9a-f]{16}")
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that is no record. `line` is 1-based, where it begins in its file; of a table, its row."""

    line: int
    message: str


def keys_read(columns: Mapping[str, str]) -> tuple[str, ...]:
    """What is read of an entry, where a file has columns."""
    keys = entry_keys(columns)
    return (*keys, *(key for key in LINEAGE_KEYS if key not in keys))


def record_of_entry(entry: object, line: int, columns: Mapping[str, str]) -> Record | Rejected:
    """`entry` is what `read_entries(path, keys_read(columns))` yields, a BadSeed included."""
    try:
        if isinstance(entry, BadSeed):
            raise entry
        if not columns and isinstance(entry, dict) and _has_lineage(entry):
            return _with_lineage(entry)
        entry = renamed(entry, columns)
        return _as_seed(entry, line)
    except BadSeed as problem:
        return Rejected(line, str(problem))


def _as_seed(entry: object, line: int) -> Record | Rejected:
    turns = conversation_of(entry)
    seed = seed_of_entry(entry, -1 if turns is None else _last_answered(turns), "", line)
    if isinstance(seed, Failed):
        return Rejected(line, seed.message)
    domain = entry.get("domain") if isinstance(entry, dict) else None
    domain = domain if isinstance(domain, str) else ""
    check_encodable(domain)
    return Record(seed.root_id, 0, None, domain, SEED, "", seed.text, seed.response, seed.context)


def _last_answered(turns: list[Turn]) -> int:
    """The number among the user's turns of the last that has an answer; -1 for the last one when none has."""
    human = [at for at, turn in enumerate(turns) if turn.role == "user"]
    following = ((number, turns[at + 1 : at + 2]) for number, at in enumerate(human))
    answered = [number for number, next in following if next and next[0].role == "assistant" and next[0].content]
    return answered[-1] if answered else -1


def _has_lineage(entry: Mapping[str, Any]) -> bool:
    root, generation = entry.get("root_id"), entry.get("generation")
    return isinstance(root, str) and bool(ROOT_ID.fullmatch(root)) and isinstance(generation, int | float)


def _with_lineage(entry: Mapping[str, Any]) -> Record:
    instruction = entry.get("instruction")
    if not isinstance(instruction, str) or not instruction.strip():
        raise BadSeed("has the lineage of a record, but no instruction")
    parent = entry.get("parent_id")
    if parent is not None and not isinstance(parent, str):
        raise BadSeed("parent_id is no text")
    texts: dict[str, Any] = {name: entry.get(name) or "" for name in TEXTS}
    if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
        raise BadSeed(f"{wrong[0]} is no text")
    numbers: dict[str, Any] = {name: _number(name, entry.get(name) or 0) for name in NUMBERS}
    context = _turns(entry.get("context"))
    check_encodable(instruction, parent or "", *texts.values(), *(turn.content for turn in context))
    return Record(entry["root_id"], parent_id=parent, instruction=instruction, context=context, **texts, **numbers)


def _number(name: str, value: object) -> int:
    largest = LARGEST.get(name, 2**31 - 1)
    if isinstance(value, int | float) and 0 <= value <= largest and value == int(value):
        return int(value)
    raise BadSeed(f"{name} is {str(value)[:40]!a}; expected a whole number from 0 to {largest:,}")


def _turns(turns: object) -> tuple[Turn, ...]:
    if turns is None:
        return ()
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise BadSeed("context is no array of turns")
    said = [(turn.get("role"), turn.get("content")) for turn in turns]
    if not all(role in ROLES and isinstance(content, str) for role, content in said):
        raise BadSeed(f"a turn of context lacks its role ({', '.join(ROLES)}) or its content")
    return tuple(Turn(role, content) for role, content in said)
