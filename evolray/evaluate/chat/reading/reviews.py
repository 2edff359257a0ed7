"""Ready verdicts, by people or by a judge whom somebody else asked, from a file or a run.

    a file      FastChat's reviews and judgements, AlpacaEval's annotations, MT-Bench's votes, a table of ratings: JSON
                lines, a JSON array, Parquet (.gz too), CSV, or evolray's own verdicts.parquet
    a run       of evaluate or grade, with judged/<benchmark>-*/verdicts.parquet

What the verdicts of one problem in one turn and order do not number themselves is numbered here, as repeats: such files
are votes of several people, or of one judge asked again. A line that cannot be used is in `rejected` with its reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.reading.finding import Finder, identifier, shown
from evolray.evaluate.chat.reading.review_fields import BadReview, Row, begin, is_missing
from evolray.evaluate.chat.reading.review_formats import is_review, of_table, preference, review
from evolray.evaluate.chat.reading.review_pairs import BOTH_ORDERS, PEOPLE, Pairs
from evolray.evaluate.chat.reading.run_folders import open_run, verdicts_in
from evolray.evaluate.chat.reading.tables import is_table, table_rows
from evolray.evaluate.chat.verdicts import Verdict
from evolray.evaluate.entries import entries_sha256, read_lines
from evolray.pool.seed_formats import without_credentials

Side = Literal["first", "second"]
NAME_KEYS = ("generator_1", "generator_2", "model")
"""Who was judged, where a line says so beside its verdict."""


@dataclass(frozen=True)
class Reviews:
    """`sha256`: of the verdicts. `rejected`: `line` (or row) and `reason`."""

    verdicts: Sequence[Verdict]
    sha256: str
    source: str
    rejected: Sequence[Mapping[str, Any]]


def read_reviews(path: str, benchmark: str, problems: Problems, model_is: Side = "first") -> Reviews:
    """In the file's order. Raises UserError when it cannot be read or holds no verdict on these problems.

    `model_is`: which of two answers is the model's, where a file tells them apart by their order alone.
    """
    source, rows = _rows(path, benchmark)
    finder, reader = Finder(benchmark, problems), _Reader(model_is == "first")
    verdicts, rejected = list[Verdict](), list[dict[str, Any]]()
    for line, row in rows:
        try:
            verdicts += reader.read(line, row, finder)
        except BadReview as reason:
            rejected.append({"line": line, "reason": str(reason)})
    if not verdicts:
        why = rejected[0]["reason"] if rejected else "it is empty"
        raise UserError(
            f"{source}: no line holds a verdict on {problems.release} ({why}). Expected lines with question_id, idx or "
            "problem and outcome (win, tie, loss), score, or model_score and baseline_score; FastChat's reviews; or "
            "AlpacaEval's annotations."
        )
    return Reviews(verdicts, entries_sha256(map(asdict, verdicts)), source, rejected)


def _rows(path: str, benchmark: str) -> tuple[str, Iterator[tuple[int, object]]]:
    if folder := open_run(path):
        name, verdicts = verdicts_in(folder, benchmark)
        return f"{folder.url}/{name}", ((row, asdict(one)) for row, one in enumerate(verdicts, 1))
    return without_credentials(path), table_rows(path) if is_table(path) else read_lines(path)


class _Reader:
    """Of one file: knows which models its first line is about, and where a verdict stood that comes again."""

    def __init__(self, model_is_first: bool) -> None:
        self._model_is_first = model_is_first
        self._pairs = Pairs(model_is_first)
        self._names: tuple[str, ...] = ()
        self._seen: dict[tuple[str, int, str, int], tuple[int, str]] = {}

    def read(self, line: int, row: object, finder: Finder) -> list[Verdict]:
        if isinstance(row, Exception):
            raise BadReview(str(row))
        if not isinstance(row, dict):
            raise BadReview(f"expected an object, got {type(row).__name__}")
        problem = finder.find(row)
        if isinstance(problem, str):
            raise BadReview(problem)
        try:
            return [self._numbered(line, row, one) for one in self._verdicts(row, problem)]
        except BadReview as reason:
            raise BadReview(f"problem {shown(problem.id)}: {reason}") from None

    def _verdicts(self, row: Row, problem: Problem) -> list[Verdict]:
        make = begin(row, problem)
        self._check_names(row)
        if "preference" in row:
            return [preference(row, make)]
        if PEOPLE <= set(row):
            return self._pairs.people(row, make)
        if BOTH_ORDERS <= set(row):
            return self._pairs.both_orders(row, make)
        return [review(row, make, self._model_is_first) if is_review(row) else of_table(row, make)]

    def _check_names(self, row: Row) -> None:
        """FastChat keeps its ratings of all models in one file; they are no repeats of one another."""
        names = tuple(row[key] for key in NAME_KEYS if isinstance(row.get(key), str) and row[key].strip())
        self._names = self._names or names
        if names and names != self._names:
            given, first = (" and ".join(map(shown, one)) for one in (names, self._names))
            raise BadReview(f"is about {given}; the first line is about {first}")

    def _numbered(self, line: int, row: Row, verdict: Verdict) -> Verdict:
        repeat, is_given = _repeat(row), not is_missing(row.get("repeat"))
        while (key := (verdict.problem, verdict.turn, verdict.order, repeat)) in self._seen:
            other, judge = self._seen[key]
            if is_given and judge == verdict.judge:
                raise BadReview(f"line {other} has the verdict of turn {verdict.turn}, repeat {repeat} already")
            repeat += 1
        self._seen[key] = line, verdict.judge
        return replace(verdict, repeat=repeat)


def _repeat(row: Row) -> int:
    given = row.get("repeat")
    if is_missing(given):
        return 0
    number = identifier(given) or ""
    if not number.isdecimal() or len(number) > 6:
        raise BadReview(f"repeat {shown(given)}; expected 0 or more")
    return int(number)
