"""Samples that somebody else drew: a JSONL file, such as the papers' scripts and evalplus write, made ready to grade.

A line has the problem's id (`task_id`, `idx`, `id` or `problem`) and what the model wrote:

    solution                        a whole program
    completion                      what follows the prompt, or a whole program
    all_code                        the model's raw output, with or without the prompt before it
    text, output, response, sample  the model's raw output

Where a line has several, what is to be extracted from is the raw output, and the program where nothing is extracted.
`auto` leaves programs as they are and extracts from raw output as `general` does.

A line that cannot be used (no JSON, no such problem, no text) is kept in rejected.jsonl with its reason, and counted.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark, Problem, Problems
from evolray.evaluate.entries import read_lines
from evolray.evaluate.graded import storable
from evolray.sampling.questions import Sample

ID_KEYS = ("task_id", "idx", "id", "problem")
RAW_KEYS, CODE_KEYS = ("all_code",), ("solution", "completion")
OTHER_KEYS = ("text", "output", "response", "sample")


@dataclass
class ReadySamples:
    """`key`: the field that was taken. `rejected`: lines with `line` and `reason`."""

    samples: list[Sample] = field(default_factory=list)
    key: str = ""
    rejected: list[dict[str, Any]] = field(default_factory=list)


def digest_of(samples: Sequence[Sample]) -> str:
    """Over the samples in their order."""
    parts = ("\0".join((one.id, str(one.sample), *one.earlier, one.text, "")) for one in samples)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def read_ready_samples(path: str, benchmark: Benchmark, problems: Problems, extraction: str) -> ReadySamples:
    """Raises UserError when the file cannot be read or no line of it is about these problems."""
    known = {one.id: one for one in problems.all}
    found, numbers = ReadySamples(), Counter[str]()
    for line, entry in read_lines(path):
        outcome = _sample(entry, benchmark.name, known, extraction, found)
        if isinstance(outcome, str):
            found.rejected.append({"line": line, "reason": outcome})
            continue
        problem, text = outcome
        found.samples.append(Sample(f"{benchmark.name}/{problem}", numbers[problem], text, finish_reason="stop"))
        numbers[problem] += 1
    if not found.samples:
        why = found.rejected[0]["reason"] if found.rejected else "it is empty"
        raise UserError(
            f"samples={path}: no line holds a sample of {problems.release} ({why}). Expected JSON lines with "
            f"{ID_KEYS[0]} and one of {', '.join((*CODE_KEYS, *RAW_KEYS, *OTHER_KEYS))}."
        )
    return found


def _sample(
    entry: object, name: str, known: Mapping[str, Problem], extraction: str, found: ReadySamples
) -> tuple[str, str] | str:
    """The problem's id and the text; or why the line is rejected."""
    if isinstance(entry, Exception):
        return str(entry)
    if not isinstance(entry, dict):
        return f"expected an object, got {type(entry).__name__}"
    given = next((entry[key] for key in ID_KEYS if entry.get(key) is not None), None)
    problem = next((one for one in _spellings(str(given), name) if one in known), None)
    if problem is None:
        return f"no problem {given!r}" if given is not None else f"none of {', '.join(ID_KEYS)}"
    key = found.key if found.key in entry else next((key for key in _keys(extraction) if key in entry), None)
    text = entry.get(key) if key else None
    if not isinstance(text, str):
        return f"problem {problem}: no text in any of {', '.join(_keys(extraction))}"
    found.key = found.key or str(key)
    return problem, storable(text)


def _spellings(given: str, name: str) -> Iterator[str]:
    """MBPP's 11 is MBPP+'s Mbpp/11, and a number counts the problems of a set that has no ids."""
    yield given
    yield given.rpartition("/")[2]
    yield f"Mbpp/{given}"
    yield f"{name}/{given}"


def _keys(extraction: str) -> tuple[str, ...]:
    code_first = extraction in ("none", "auto")
    return (*CODE_KEYS, *RAW_KEYS, *OTHER_KEYS) if code_first else (*RAW_KEYS, *OTHER_KEYS, *CODE_KEYS)


def chosen_extraction(wanted: str, key: str, has_programs: bool) -> str:
    """What `auto` means for samples taken from the field `key`: a program that somebody cut out is left as it is."""
    if wanted != "auto":
        return wanted
    return "none" if has_programs and key in CODE_KEYS else "general"
