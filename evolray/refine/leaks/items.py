"""What must not be in a training set: the questions and solutions of benchmarks, read from their released files.

A file is JSON, JSON lines or Parquet, gzipped or not, local or a URL. Its layout is told by its fields:

    humaneval    task_id, prompt, canonical_solution (HumanEval+ and MBPP+, too)
    mbpp         task_id, text (or prompt), code
    gsm8k        question, answer; an item's id is its line
    math         problem (or instruction), solution (or output)
    mt_bench     question_id, turns, reference if there is one; each turn is an item, vicuna_bench likewise
    alpaca_eval  instruction, output: the reference model's answer
    wizardlm     idx, Instruction
    others       the first of QUESTION_KEYS and of SOLUTION_KEYS that hold text
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evolray.errors import UserError
from evolray.pool.json_entries import BadSeed
from evolray.pool.seed_formats import read_entries, without_credentials

TURNS_KEY = "turns"
QUESTION_KEYS = ("question", "Question", "problem", "instruction", "Instruction", "prompt", "text")
CODE_KEYS = ("canonical_solution", "code")
SOLUTION_KEYS = (*CODE_KEYS, "solution", "output", "answer", "response", "completion", "reference")
ID_KEYS = ("task_id", "question_id", "idx", "id", "unique_id")
INPUT_KEY = "input"
KEYS = (TURNS_KEY, *QUESTION_KEYS, *SOLUTION_KEYS, *ID_KEYS, INPUT_KEY)


@dataclass(frozen=True, slots=True)
class Item:
    """One problem of a benchmark. `solution` is "" when the file has none; `is_code`: it is a program."""

    benchmark: str
    id: str
    question: str
    solution: str
    is_code: bool = False


def read_benchmarks(files: Mapping[str, str]) -> tuple[Item, ...]:
    """All items of all benchmarks, name -> file, in the order of the names. Raises UserError as `read_items` does."""
    return tuple(item for name in sorted(files) for item in read_items(name, files[name]))


def read_items(benchmark: str, path: str) -> list[Item]:
    """The items of one file. Raises UserError for a file that cannot be read or an entry without a question."""
    shown = without_credentials(path)
    items: list[Item] = []
    for line, entry in read_entries(path, KEYS):
        if isinstance(entry, BadSeed) or not isinstance(entry, dict):
            why = str(entry) if isinstance(entry, BadSeed) else "not an object"
            raise UserError(f"contamination.benchmarks.{benchmark}={shown}: line {line} is {why}; expected an item.")
        found = list(_items(benchmark, line, entry))
        if not found:
            has = ", ".join(f"{key!a}" for key in list(entry)[:8]) or "no fields"
            wanted = ", ".join((TURNS_KEY, *QUESTION_KEYS))
            raise UserError(
                f"contamination.benchmarks.{benchmark}={shown}: no question in line {line}, which has {has}; "
                f"expected text in one of {wanted}. Give the benchmark's own file, or rename a field."
            )
        items += found
    if not items:
        raise UserError(f"contamination.benchmarks.{benchmark}={shown}: holds no item; expected at least one question.")
    return items


def _items(benchmark: str, line: int, entry: Mapping[str, object]) -> Iterator[Item]:
    name = _id(entry) or f"line {line}"
    turns = entry.get(TURNS_KEY)
    if isinstance(turns, list):
        references = entry.get("reference")
        answers = references if isinstance(references, list) else []
        for number, turn in enumerate(turns, 1):
            if isinstance(turn, str) and turn.strip():
                answer = answers[number - 1] if number <= len(answers) else ""
                title = name if number == 1 else f"{name} turn {number}"
                yield Item(benchmark, title, turn, answer if isinstance(answer, str) else "")
        return
    _, question = _first_text(entry, QUESTION_KEYS)
    if question:
        key, solution = _first_text(entry, SOLUTION_KEYS)
        given = entry.get(INPUT_KEY)
        if isinstance(given, str) and given.strip():
            question = f"{question}\n{given}"
        yield Item(benchmark, name, question, solution, key in CODE_KEYS)


def _first_text(entry: Mapping[str, object], keys: tuple[str, ...]) -> tuple[str, str]:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return key, value
    return "", ""


def _id(entry: Mapping[str, object]) -> str:
    """Numbers are read as floats; an id of 11.0 is 11."""
    for key in ID_KEYS:
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{value:.0f}" if float(value).is_integer() else str(value)
    return ""
