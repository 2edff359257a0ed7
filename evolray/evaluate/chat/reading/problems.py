"""Reading the problems of the chat benchmarks, and what their authors laid down by skill, category and difficulty.

    wizard_eval    idx, Skill, Difficulty (1 to 10), Instruction
    vicuna_bench   question_id, category, and turns (one) or, in its first release, text
    mt_bench       question_id, category, turns (two)
    alpaca_eval    instruction, dataset and, where the file is one of outputs, output and generator. It has no ids: an
                   entry's place in the file, from 0, is its id

A problem's row is the release's entry. A release is recognised by ids, groups and texts, so another container, or
AlpacaEval's problems with another baseline's outputs, are still that release; its sha256 is over the outputs, too.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.reading.finding import identifier
from evolray.evaluate.entries import entries_sha256, read_problem_entries
from evolray.evaluate.graded import storable
from evolray.pool.seed_formats import without_credentials

WIZARD, VICUNA, MT, ALPACA = "WizardLM test set", "Vicuna Bench", "MT-Bench", "AlpacaEval"
RELEASES = {
    "4418da482a10932ebaa6a8c92ab1ae4fdf68d40e4c2186bd9fc306c6f11e3196": "WizardLM test set, 218 items",
    "8a173bd34a9d325a866f2ace18300948bbe4fc6d780e18920a552bdd97449e6a": "Vicuna Bench, 80 questions",
    "e2f1d587cbe6b90df767210930723cd32d43deb5a2ddd6cce5cb2d54d6c843fc": "MT-Bench, 80 questions of two turns",
    "6140ae57a253e0ec7a1637f5c364bb72316f088c136554e3bb1636b705f46f10": "AlpacaEval, 805 instructions",
}
"""sha256 of the problems' ids, groups and texts -> what they are."""

EASY, HARD, HARDEST_EASY = "easy (1-7)", "hard (8-10)", 7
_DIFFICULTIES = frozenset(str(one) for one in range(1, 11))
_RUBRICS: dict[str, Literal["coding", "math"]] = {
    "code generation": "coding", "code debug": "coding", "coding": "coding", "math": "math",
}  # fmt: skip
_MT_TEMPERATURES = {
    "writing": 0.7, "roleplay": 0.7, "stem": 0.1, "humanities": 0.1,
    "extraction": 0.0, "math": 0.0, "coding": 0.0, "reasoning": 0.0,
}  # fmt: skip
_MT_OTHER_TEMPERATURE = 0.7  # FastChat's, for a category that it does not list
_MT_WITH_REFERENCE = frozenset({"math", "reasoning", "coding"})

_OTHERS: tuple[tuple[str, set[str]], ...] = (
    ("a file of AlpacaEval's annotations", {"instruction", "preference"}),
    ("a file of reviews", {"question_id", "review_id"}),
    ("a file of answers", {"question_id", "answer_id"}),
    (WIZARD, {"Skill", "Difficulty", "Instruction"}),
    (ALPACA, {"instruction", "dataset"}),
    ("HumanEval", {"prompt", "entry_point"}),
    ("MBPP", {"text", "test_list"}),
    ("GSM8K", {"question", "answer"}),
    ("MATH", {"problem", "solution"}),
    ("MATH", {"instruction", "output", "level"}),
)


# --- the files ---


def read_wizard_eval(path: str) -> Problems:
    """Raises UserError for a file that is not WizardLM's test set."""
    expected = "idx, Skill, a Difficulty from 1 to 10 and an Instruction"
    return _read(path, WIZARD, expected, ("Skill", "Difficulty", "Instruction"), _wizard)


def read_vicuna_bench(path: str) -> Problems:
    """Raises UserError for a file that is not of Vicuna Bench."""
    expected = "question_id, category and one turn"
    return _read(path, VICUNA, expected, ("category", "turns"), lambda row, _: _question(row, num_turns=1))


def read_mt_bench(path: str) -> Problems:
    """Raises UserError for a file that is not of MT-Bench."""
    expected = "question_id, category and two turns"
    return _read(path, MT, expected, ("category", "turns"), lambda row, _: _question(row, num_turns=2))


def read_alpaca_eval(path: str) -> Problems:
    """Raises UserError for a file that is not of AlpacaEval."""
    return _read(path, ALPACA, "instruction and dataset", ("dataset", "instruction"), _alpaca)


def _read(
    path: str,
    title: str,
    expected: str,
    fields: tuple[str, ...],
    read: Callable[[Mapping[str, Any], int], Problem | None],
) -> Problems:
    """`fields`: what counts beside the id. `read`: from an entry and its number, from 0."""
    shown, problems = without_credentials(path), dict[str, Problem]()
    for number, (line, row) in enumerate(read_problem_entries(path, (), title)):
        place, problem = f"{shown}, line {line}", read(row, number)
        if problem is None:
            raise UserError(f"{place}: {_seen(row)}; expected an entry of {title} with {expected}.{_hint(row)}")
        if problem.id in problems:
            hint = "Each problem stands in its file once; remove one"
            raise UserError(f"{place}: the id {ascii(problem.id)[:60]} is there twice. {hint}.")
        problems[problem.id] = problem
    contents = [{"id": one.id, **{name: one.row[name] for name in fields}} for one in problems.values()]
    outputs = [alpaca_baseline(one) if title == ALPACA else () for one in problems.values()]
    sha256 = entries_sha256({**one, "output": output} for one, output in zip(contents, outputs, strict=True))
    unknown = f"{len(problems):,} items of {title} (sha256 {sha256[:12]}…)"
    return Problems(RELEASES.get(entries_sha256(contents), unknown), shown, sha256, list(problems.values()))


def _wizard(row: Mapping[str, Any], _: int) -> Problem | None:
    id, difficulty = identifier(row.get("idx")), identifier(row.get("Difficulty"))
    is_known = difficulty in _DIFFICULTIES and _is_text(row.get("Skill"))
    if id is None or difficulty is None or not is_known or not _is_text(row.get("Instruction")):
        return None
    return Problem(id, {**_stored(row, "Skill", "Instruction"), "Difficulty": int(difficulty)})


def _question(row: Mapping[str, Any], num_turns: int) -> Problem | None:
    id, turns = identifier(row.get("question_id")), _turns(row)
    if id is None or len(turns) != num_turns or not all(map(_is_text, turns)) or not _is_text(row.get("category")):
        return None
    return Problem(id, {**_stored(row, "category"), "turns": [*map(storable, turns)]})


def _alpaca(row: Mapping[str, Any], number: int) -> Problem | None:
    if "preference" in row or not _is_text(row.get("instruction")) or not _is_text(row.get("dataset")):
        return None
    return Problem(str(number), _stored(row, "instruction", "dataset"))


def _stored(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: storable(row[name]) for name in names}}


def _turns(row: Mapping[str, Any]) -> list[Any]:
    turns = row.get("turns", [row["text"]] if "text" in row else [])
    return turns if isinstance(turns, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _seen(row: Mapping[str, Any]) -> str:
    fields = f"holds {', '.join(ascii(name)[1:-1] for name in list(row)[:12]) or 'no fields'}"
    return f"{fields} ({len(row['turns'])} turns)" if isinstance(row.get("turns"), list) else fields


def _hint(row: Mapping[str, Any]) -> str:
    titles = {1: VICUNA, 2: MT} if {"question_id", "category"} <= set(row) else {}
    other = next((name for name, fields in _OTHERS if fields <= set(row)), None) or titles.get(len(_turns(row)))
    return f" It looks like {other}; is it under the right name?" if other else ""


# --- what the user says ---


def wizard_turns(problem: Problem) -> tuple[str, ...]:
    return (problem.row["Instruction"],)


def vicuna_turns(problem: Problem) -> tuple[str, ...]:
    return tuple(problem.row["turns"])


mt_turns = vicuna_turns


def alpaca_turns(problem: Problem) -> tuple[str, ...]:
    return (problem.row["instruction"],)


# --- what the authors laid down ---


def rubric_of_skill(skill: str) -> Literal["coding", "math", "general"]:
    """Of WizardLM's skills and Vicuna Bench's categories: code and mathematics are judged by rules of their own."""
    return _RUBRICS.get(skill.strip().casefold(), "general")


def split_of(difficulty: int) -> str:
    """The papers call 8 and above hard: 63 of the 218 items."""
    return HARD if difficulty > HARDEST_EASY else EASY


def mt_temperature(problem: Problem) -> float:
    """Of the model's answers, by category."""
    return _MT_TEMPERATURES.get(problem.row["category"], _MT_OTHER_TEMPERATURE)


def mt_wants_reference(problem: Problem) -> bool:
    """Whether the judge is shown a right answer: where it is known to be led astray without one."""
    return problem.row["category"] in _MT_WITH_REFERENCE


def alpaca_baseline(problem: Problem) -> tuple[str, ...]:
    """The baseline's answer where the file is one of outputs. It may be empty: two of text-davinci-003's are."""
    output = problem.row.get("output")
    return (storable(output),) if isinstance(output, str) else ()
