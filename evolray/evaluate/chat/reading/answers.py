"""Ready answers to the problems of a chat benchmark, by whichever program they were written.

    FastChat                     question_id with text (Vicuna Bench) or choices[0].turns (MT-Bench)
    AlpacaEval                   instruction, output, generator
    evolray generate, scripts    an id with text, output, response, answer or completion, or a list of them, one per
                                 turn, in turns or answers; else the only other text of the line, which the papers'
                                 scripts name after the model
    evolray evaluate             a run, or a cell of a sweep: the folder with samples.parquet, or that file

Files are JSON lines, a JSON array or Parquet (.gz too). Problems that nobody answered are absent. A line that cannot be
used is in `rejected` with its reason; what a run holds of other benchmarks is no line of ours.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.reading.finding import ID_KEYS, INSTRUCTION_KEYS, PLACE_KEYS, Finder, shown
from evolray.evaluate.chat.reading.run_folders import open_run, sample_rows
from evolray.evaluate.entries import entries_sha256, read_lines
from evolray.evaluate.graded import FAILED, storable
from evolray.pool.seed_formats import without_credentials

LIST_KEYS = ("turns", "answers")
TEXT_KEYS = ("text", "output", "response", "answer", "completion")
NAME_KEYS = ("generator", "model_id", "model")
_NO_ANSWERS = frozenset(
    {
        *ID_KEYS, *PLACE_KEYS, *INSTRUCTION_KEYS, *NAME_KEYS, "input", "prompt", "question", "category", "Skill",
        "Difficulty", "dataset", "datasplit", "answer_id", "finish_reason", "benchmark", "outcome", "base", "message",
        "extracted",
    }
)  # fmt: skip
"""Texts of a line that are about the answer, not the answer."""
_OF_RUN = frozenset({"benchmark", "problem", "sample", "text"})
"""What a row of samples.parquet has."""

Turns = Callable[[Problem], tuple[str, ...]]


@dataclass(frozen=True)
class Answers:
    """`name`: who answered. `texts`: by problem, one per turn; empty ones are answers, too. `sha256`: of `texts`.
    `rejected`: `line` (or row) and `reason`."""

    name: str
    source: str
    sha256: str
    texts: Mapping[str, tuple[str, ...]]
    rejected: Sequence[Mapping[str, Any]]


def read_answers(path: str, benchmark: str, problems: Problems, turns: Turns) -> Answers:
    """The first answer to each problem. Raises UserError when there is none, or the file cannot be read."""
    folder = open_run(path)
    source = folder.url if folder else without_credentials(path)
    finder, texts, lines = Finder(benchmark, problems), dict[str, tuple[str, ...]](), dict[str, int]()
    names, others, rejected = Counter[str](), set[str](), list[dict[str, Any]]()
    for line, row in sample_rows(folder) if folder else read_lines(path):
        if isinstance(row, dict) and _OF_RUN <= set(row) and row["benchmark"] != benchmark:
            others.add(shown(row["benchmark"]))
            continue
        found = _answer(row, finder, turns)
        if not isinstance(found, str) and found[0].id in texts:
            found = f"problem {shown(found[0].id)}: answered on line {lines[found[0].id]} already"
        if isinstance(found, str):
            rejected.append({"line": line, "reason": found})
            continue
        problem, given, name = found
        texts[problem.id], lines[problem.id] = given, line
        names[name] += 1
    if not texts:
        why = rejected[0]["reason"] if rejected else f"it answers {', '.join(sorted(others)) or 'nothing'}"
        raise UserError(
            f"{source}: no line holds an answer to {problems.release} ({why}). Expected lines with an id or the "
            f"instruction and one of {', '.join(TEXT_KEYS)}, turns or choices; or a run of evolray evaluate."
        )
    if not folder and all(texts.get(one.id) in (None, turns(one)) for one in problems.all):  # one echo is an answer
        raise UserError(f"{source}: holds the questions of {problems.release}; expected the answers to them.")
    sha256 = entries_sha256({"id": id, "texts": given} for id, given in texts.items())
    return Answers(_name(names, source), source, sha256, texts, rejected)


def _answer(row: object, finder: Finder, turns: Turns) -> tuple[Problem, tuple[str, ...], str] | str:
    """The problem, its answer and who answered; or why the line is rejected."""
    if isinstance(row, Exception):
        return str(row)
    if not isinstance(row, dict):
        return f"expected an object, got {type(row).__name__}"
    problem = finder.find(row)
    if isinstance(problem, str):
        return problem
    place, expected = f"problem {shown(problem.id)}", turns(problem)
    if isinstance(row.get("sample"), int | float) and row["sample"] != 0:
        return f"{place}: is sample {shown(row['sample'])}; only sample 0 counts"
    if row.get("outcome") == FAILED:
        return f"{place}: failed: {shown(row.get('message'))}"
    texts = _texts(row)
    if isinstance(texts, str):
        return f"{place}: {texts}"
    if len(texts) != len(expected):
        return f"{place}: {len(texts)} answers; expected {len(expected)}, one per turn"
    name = next((row[key] for key in NAME_KEYS if isinstance(row.get(key), str) and row[key].strip()), "")
    return problem, texts, storable(name.strip())


def _texts(row: Mapping[str, Any]) -> tuple[str, ...] | str:
    """One text per turn; or why there is none."""
    if isinstance(choices := row.get("choices"), list) and choices and isinstance(choices[0], dict):
        return _listed(choices[0].get("turns")) or "choices[0] has no turns that are texts"
    if listed := next(filter(None, (_listed(row.get(key)) for key in LIST_KEYS)), None):
        return listed
    if key := next((key for key in TEXT_KEYS if row.get(key) is not None), None):
        texts = _listed(row.get("earlier") or []) or ()
        last = _listed([row[key]] if isinstance(row[key], str) else row[key])
        return (*texts, *last) if last else f"{key} is no text"
    others = [name for name, value in row.items() if isinstance(value, str) and name not in _NO_ANSWERS]
    if len(others) == 1:
        return (storable(row[others[0]]),)
    which = f"several other texts: {', '.join(map(shown, others[:8]))}" if others else "no other text"
    return f"none of {', '.join((*TEXT_KEYS, *LIST_KEYS))}, and {which}"


def _listed(value: object) -> tuple[str, ...] | None:
    """None when these are no texts."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        return None
    return tuple(map(storable, value))


def _name(names: Counter[str], source: str) -> str:
    """What all lines say; else the file's name, or the folder's."""
    if len(names) == 1 and (name := next(iter(names))):
        return name
    last = source.rstrip("/").rpartition("/")[2]
    return last.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json").removesuffix(".parquet") or source
