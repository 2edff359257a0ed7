"""A data file's own names for what we call instruction, input, response and messages."""

from collections.abc import Mapping
from itertools import islice

from evolray.errors import UserError
from evolray.pool.json_entries import BadSeed
from evolray.pool.seed_formats import read_entries, without_credentials
from evolray.pool.seeds import CONVERSATION_KEYS, INPUT_KEYS, INSTANCES_KEY, INSTRUCTION_KEYS, KEYS, RESPONSE_KEYS

# Our names for columns, each with the keys it stands in for.
COLUMNS: dict[str, tuple[str, ...]] = {
    "instruction": INSTRUCTION_KEYS,
    "input": INPUT_KEYS,
    "response": RESPONSE_KEYS,
    "messages": CONVERSATION_KEYS,
}

LOOKED_AT = 100  # entries, before anything starts


def entry_keys(columns: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that an entry is read by, `columns` included. Raises UserError for a name that is not in COLUMNS."""
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise UserError(f"columns names {', '.join(unknown)}; expected some of {', '.join(COLUMNS)}.")
    return (*KEYS, *(column for column in columns.values() if column not in KEYS))


def renamed(entry: object, columns: Mapping[str, str]) -> object:
    """The entry with the named columns under our own names, and no other key that would come before them.

    Raises BadSeed when it lacks one.
    """
    if not columns or not isinstance(entry, dict):
        return entry
    fields = dict(entry)
    for name in columns:
        for key in COLUMNS[name]:
            fields.pop(key, None)
    if "messages" not in columns:
        for key in (*CONVERSATION_KEYS, INSTANCES_KEY):
            fields.pop(key, None)
    for name, column in columns.items():
        if column not in entry:
            raise BadSeed(f"no column {column[:40]!a} for the {name}; found {', '.join(map(ascii, list(entry)[:8]))}")
        fields[COLUMNS[name][0]] = entry[column]
    return fields


def check_columns(path: str, columns: Mapping[str, str]) -> None:
    """Raises UserError when the first entries hold nothing that is asked for; a single bad one is rejected later."""
    shown = without_credentials(path)
    keys = entry_keys(columns)
    some = [entry for _, entry in islice(read_entries(path, keys), LOOKED_AT)]
    if not some:
        raise UserError(f"data={shown}: holds no entry.")
    there = dict.fromkeys(key for entry in some if isinstance(entry, dict) for key in entry)
    if missing := [f"{ours}: {theirs}" for ours, theirs in columns.items() if theirs not in there]:
        raise UserError(f"columns={{{', '.join(missing)}}}: {shown} has {', '.join(there) or 'no columns'}.")
    if there and not there.keys() & {*keys}:
        raise UserError(
            f"data={shown}: has {', '.join(there)}; expected some of {', '.join(keys)}. Say which is which with "
            "columns={instruction: ..., response: ...}."
        )
