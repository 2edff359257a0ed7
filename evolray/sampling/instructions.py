"""What `generate` answers: instructions from a file or a pool, each with a name that its answer can be found by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evolray.errors import UserError
from evolray.pool.json_entries import BadSeed
from evolray.pool.pool import Pool, is_run
from evolray.pool.seed_formats import read_entries, without_credentials
from evolray.pool.seeds import INPUT_KEYS, INSTRUCTION_KEYS, KEYS, check_encodable, conversation_of, texts_of
from evolray.records import Turn

ID_KEYS = ("idx", "id", "task_id", "question_id")
COLUMNS = {"id": ID_KEYS, "instruction": INSTRUCTION_KEYS, "input": INPUT_KEYS}


@dataclass(frozen=True, slots=True)
class Instruction:
    """`id`: the entry's own, else "line-N"; where one comes twice, the later gets its line added."""

    id: str
    messages: tuple[Turn, ...]
    given_input: str = ""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An entry that cannot be answered, and why."""

    line: int
    reason: str


def read_instructions(path: str, columns: Mapping[str, str]) -> Iterator[Instruction | Unusable]:
    """One outcome per record of an evolve run, or per entry of a file, in order.

    A conversation is answered from its beginning to its last user turn. Raises UserError when the file cannot be read.
    """
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise UserError(f"columns names {', '.join(unknown)}; expected some of {', '.join(COLUMNS)}.")
    yield from _of_pool(path) if is_run(path) else _of_file(path, columns)


def _of_pool(path: str) -> Iterator[Instruction]:
    for record in Pool(path).records():
        yield Instruction(record.id, (*record.context, Turn("user", record.instruction)))


def _of_file(path: str, columns: Mapping[str, str]) -> Iterator[Instruction | Unusable]:
    keys = (*KEYS, *ID_KEYS, *(column for column in columns.values() if column not in KEYS))
    seen: set[str] = set()
    for line, entry in read_entries(path, keys):
        try:
            found = _instruction(entry, line, columns)
        except BadSeed as problem:
            yield Unusable(line, f"{without_credentials(path)}, line {line}: {problem}")
            continue
        if found.id in seen:
            found = Instruction(f"{found.id}:{line}", found.messages, found.given_input)
        seen.add(found.id)
        yield found


def _instruction(entry: object, line: int, columns: Mapping[str, str]) -> Instruction:
    if isinstance(entry, BadSeed):
        raise entry
    if isinstance(entry, dict):
        renamed = {COLUMNS[ours][0]: entry.get(theirs) for ours, theirs in columns.items()}
        entry = {**entry, **renamed}
    if (turns := conversation_of(entry)) is not None:
        last = max((number for number, turn in enumerate(turns) if turn.role == "user"), default=None)
        if last is None:
            raise BadSeed("the conversation has no user's turn")
        messages, given_input = tuple(turns[: last + 1]), ""
    else:
        instruction, given_input, _ = texts_of(entry)
        messages = (Turn("user", instruction),)
    check_encodable(given_input, *(turn.content for turn in messages))
    return Instruction(_id(entry, line), messages, given_input)


def _id(entry: object, line: int) -> str:
    values = (entry.get(key) for key in ID_KEYS) if isinstance(entry, dict) else ()
    for value in values:
        if isinstance(value, float) and value.is_integer():  # the reader takes every number as a float
            return str(int(value))
        if isinstance(value, str | int) and str(value).strip():
            return str(value)
    return f"line-{line}"
