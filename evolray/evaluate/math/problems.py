r"""Reading the problems of GSM8K and MATH.

    GSM8K   question, answer ("... #### 18"); it has no ids, so the entry's number in the file, from 0, is the id
    MATH    idx, instruction, output ("... \boxed{402} ..."), type, level; or as Hendrycks released it: problem,
            solution, type (or subject), level. The id is idx, unique_id or id, else the entry's number

A problem's row is the release's entry with `reference`, the answer to compare with, and for MATH the same names
whichever the layout. A file is known by its content; one that is not is named by its size and hash.
"""

from collections.abc import Mapping
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.entries import entries_sha256, read_problem_entries
from evolray.evaluate.math.boxed import last_answer
from evolray.evaluate.math.exact_numbers import read_number
from evolray.evaluate.math.gsm8k_answers import reference_of
from evolray.pool.seed_formats import without_credentials

RELEASES = {
    "a36515b0e79d98b2d2ca26c2c7176ef9da9547dbfc362a68fba4b32b65ab0628": "GSM8K test (1,319 problems)",
    "af25c1a231e35a61dbf1c5a0f7f15acab0e53382f36bd16fdf718bbd45eb0cbe": (
        "MATH test, stratified subset of 499 problems (DeepSeek-Coder)"
    ),
}
"""sha256 of the entries -> what they are."""

_MATH_LAYOUTS = (("instruction", "output"), ("problem", "solution"))
_MATH_IDS = ("idx", "unique_id", "id")
_OTHERS = (
    ("HumanEval", {"prompt", "entry_point"}),
    ("MBPP", {"text", "test_list"}),
    ("MBPP+", {"prompt", "assertion"}),
    ("GSM8K", {"question", "answer"}),
    ("MATH", {"instruction", "output", "level"}),
    ("MATH", {"problem", "solution"}),
)


def read_gsm8k(path: str) -> Problems:
    """Raises UserError for a file that is not of GSM8K."""
    problems = []
    entries = read_problem_entries(path, (), "GSM8K")
    for number, (line, row) in enumerate(entries):
        place = f"{without_credentials(path)}, line {line}"
        _check(row, ("question", "answer"), "GSM8K", place)
        reference = reference_of(row["answer"]) if "####" in row["answer"] else ""
        if read_number(reference) is None:
            raise UserError(
                f"{place}: the answer ends in {row['answer'][-40:]!r}; expected GSM8K's '#### ' and a number."
            )
        problems.append(Problem(str(number), {**row, "reference": reference}))
    return _problems("GSM8K", path, problems, [row for _, row in entries])


def read_math(path: str) -> Problems:
    """Raises UserError for a file that is not of MATH."""
    problems: dict[str, Problem] = {}
    entries = read_problem_entries(path, (), "MATH")
    for number, (line, row) in enumerate(entries):
        place = f"{without_credentials(path)}, line {line}"
        layout = next((one for one in _MATH_LAYOUTS if set(one) <= set(row)), _MATH_LAYOUTS[0])
        _check(row, layout, "MATH", place)
        id = str(next((row[name] for name in _MATH_IDS if row.get(name) is not None), number))
        if id in problems:
            raise UserError(f"{place}: the id {id} is there twice. Each problem stands in its file once; remove one.")
        problems[id] = Problem(id, _math_row(row, layout, place))
    return _problems("MATH", path, list(problems.values()), [row for _, row in entries])


def _math_row(row: Mapping[str, Any], layout: tuple[str, str], place: str) -> dict[str, Any]:
    question, solution = (row[name] for name in layout)
    reference = last_answer(solution)
    if not reference:
        raise UserError(rf"{place}: the solution has no \boxed{{}} with the answer; expected an entry of MATH.")
    level = str(row.get("level") or "unknown")
    return {
        **row,
        "instruction": question,
        "output": solution,
        "reference": reference,
        "type": str(row.get("type") or row.get("subject") or "unknown"),
        "level": f"Level {level}" if level.isdigit() else level,
    }


def _check(row: Mapping[str, Any], needed: tuple[str, ...], title: str, place: str) -> None:
    if all(isinstance(row.get(name), str) and row[name].strip() for name in needed):
        return
    other = next((name for name, fields in _OTHERS if name != title and fields <= set(row)), None)
    looks = f" It looks like {other}: is it under the right name?" if other else ""
    raise UserError(
        f"{place}: holds {', '.join(map(str, list(row)[:12])) or 'no fields'}; expected an entry of {title} with the "
        f"texts {' and '.join(needed)}.{looks}"
    )


def _problems(title: str, path: str, problems: list[Problem], entries: list[dict[str, Any]]) -> Problems:
    sha256 = entries_sha256(entries)
    release = RELEASES.get(sha256, f"{title}, {len(problems):,} problems (sha256 {sha256[:12]}…)")
    return Problems(release, without_credentials(path), sha256, problems)
