"""Problem files of the four code benchmarks, checked field by field: nothing later meets a field that is not there.

benchmark        takes a file of               and grades by
humaneval        HumanEval; HumanEval+         its checks; the base inputs of HumanEval+
humaneval_plus   HumanEval+                    base and plus inputs
mbpp             MBPP (cut to 11-510); MBPP+   its assertions; the base inputs of MBPP+
mbpp_plus        MBPP+                         base and plus inputs
"""

from collections.abc import Sequence
from typing import Any

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.code.releases import LAYOUTS, MBPP_TEST_IDS, layout_of, release_name
from evolray.evaluate.entries import entries_sha256, read_problem_entries
from evolray.pool.seed_formats import without_credentials


def read_humaneval(path: str) -> Problems:
    return _read(path, "humaneval", ("HumanEval", "HumanEval+"))


def read_humaneval_plus(path: str) -> Problems:
    return _read(path, "humaneval_plus", ("HumanEval+",))


def read_mbpp(path: str) -> Problems:
    return _read(path, "mbpp", ("MBPP", "MBPP+"))


def read_mbpp_plus(path: str) -> Problems:
    return _read(path, "mbpp_plus", ("MBPP+",))


def _read(path: str, benchmark: str, layouts: Sequence[str]) -> Problems:
    shown = without_credentials(path)
    entries = read_problem_entries(path, ("task_id",), layouts[0], "task_id")
    layout = _accepted(layout_of(entries[0][1]), entries[0][1], benchmark, layouts, shown)
    for line, entry in entries:
        _check(entry, layout, f"{shown}, line {line}")
    rows = [entry for _, entry in entries]
    if layout == "MBPP":
        rows = _test_set(rows)
    sha256 = entries_sha256(rows)
    problems = [Problem(str(row["task_id"]), row) for row in rows]
    return Problems(release_name(layout, sha256, len(rows)), shown, sha256, problems)


def _accepted(layout: str | None, entry: dict[str, Any], benchmark: str, accepted: Sequence[str], shown: str) -> str:
    if layout is not None and layout in accepted:
        return layout
    wanted = f"benchmark {benchmark} needs {' or '.join(accepted)}"
    if layout is None:
        missing = [name for name in LAYOUTS[accepted[0]] if name not in entry]
        raise UserError(
            f"{shown}: its entries hold {', '.join(map(str, list(entry)[:12]))}; {wanted}, with "
            f"{', '.join(LAYOUTS[accepted[0]])}: {', '.join(missing)} missing. Is it another release?"
        )
    if f"{layout}+" in accepted:
        plain = benchmark.removesuffix("_plus")
        raise UserError(
            f"{shown}: is {layout}, which holds no plus tests; {wanted}. Give the file of {layout}+ (evalplus), or "
            f"run benchmark {plain}."
        )
    raise UserError(f"{shown}: is {layout}; {wanted}. Give its file, or run the benchmark of this one.")


def _check(entry: dict[str, Any], layout: str, place: str) -> None:
    for name, kinds in LAYOUTS[layout].items():
        value = entry.get(name)
        if not isinstance(value, kinds):
            one_of = kinds if isinstance(kinds, tuple) else (kinds,)
            expected = " or ".join(kind.__name__ for kind in one_of)
            found = "missing" if name not in entry else type(value).__name__
            raise UserError(f"{place}: {name} is {found}, expected {expected} in an entry of {layout}.")
    for name in ("base_input", "plus_input"):
        if not all(isinstance(one, list) for one in entry.get(name, [])):
            raise UserError(f"{place}: {name} holds something else than lists of arguments.")
    if not all(isinstance(one, str) for one in entry.get("test_list", [])):
        raise UserError(f"{place}: test_list holds something else than assertions.")
    if not entry.get("base_input", entry.get("test_list", True)):
        raise UserError(f"{place}: has no tests; any program would pass.")


def _test_set(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """MBPP's test set where the whole of it is there: the papers' 500 problems."""
    test = [row for row in rows if str(row["task_id"]) in _TEST_IDS]
    return test if len(test) == len(_TEST_IDS) else rows


_TEST_IDS = frozenset(map(str, MBPP_TEST_IDS))
