"""`evolray blind`: sheets for people who rate answers, and what their ratings add up to.

run.yaml        the full config, and what decides the sheets: another config is refused
key.json        whose answer stands where. It is not for raters
sheets/         what raters get, each their own: rater-01.html, and rater-01.csv for whoever prefers a spreadsheet
results.json, ratings.csv, rejected.csv, labels/    once ratings are read (`results`)

A sheet that is there is left as it is: somebody may have rated in it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from evolray.blind.arrangement import LETTERS, Item, Sheet, arrange, draw, key_of, raters
from evolray.blind.names import items_naming
from evolray.blind.page.rendering import render
from evolray.blind.reading import Ratings, read_ratings
from evolray.blind.results import RESULTS, Groups, results_of, write_results
from evolray.blind.rows import rating_files, read_rows
from evolray.blind.sheets import HOW_TO_RATE, check_criteria, to_csv
from evolray.blind.summary import cautions, read_back, summary
from evolray.config.blind import BlindConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import Problems
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.benchmarks import CHAT_BENCHMARKS
from evolray.evaluate.chat.reading.answers import Answers, read_answers
from evolray.pool.layout import Folder, hold, open_folder
from evolray.pool.manifest import check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials

STAGE, KEY, SHEETS = "blind", "key.json", "sheets"


@dataclass(frozen=True)
class Blind:
    """What was written. `results` as in results.json, None while there are no ratings."""

    run: str
    models: tuple[str, ...]
    items: int
    raters: int
    left_out: Mapping[str, int]
    """By model, the problems that it has no answer to; they are on no sheet."""
    naming_itself: Mapping[str, Sequence[str]]
    """By model, the problems where its answer holds its own name, so that a rater can tell."""
    unusable: Mapping[str, str]
    """By model, how many lines of its answers could not be read, and why the first of them could not."""
    results: Mapping[str, Any] | None = None

    def lines(self) -> list[str]:
        """What the terminal says."""
        return [
            *summary(self.run, self.models, self.items, self.raters),
            *cautions(self.left_out, self.naming_itself, self.unusable),
            *(read_back(self.models[0], self.results) if self.results else ()),
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True)
class _Study:
    """All that decides the sheets."""

    benchmark: ChatBenchmark
    problems: Problems
    answers: Mapping[str, Answers]
    items: list[Item]
    left_out: dict[str, int]
    sheets: list[Sheet]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.answers)

    def unusable(self) -> dict[str, str]:
        rejected = {name: given.rejected for name, given in self.answers.items() if given.rejected}
        return {name: f"{len(some):,} ({some[0]['reason']})" for name, some in rejected.items()}

    def groups(self) -> Groups:
        wanted = {item.problem for item in self.items}
        some = [problem for problem in self.problems.all if problem.id in wanted]
        return {column: {one.id: of(one) for one in some} for column, of in self.benchmark.groups.items()}


def blind(config: BlindConfig) -> Blind:
    """Write the sheets and, with `ratings`, read them back. Raises UserError or EvolrayError; can be called again."""
    _check(config)
    study = _study(config)
    folder = open_folder(config.run)
    identity = _identity(config, study)
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        _write_sheets(folder, config, study)
        results = _read_back(folder, config, study) if config.ratings else None
    naming = items_naming(study.items, study.models)
    return Blind(
        folder.url, study.models, len(study.items), config.raters, study.left_out, naming, study.unusable(), results
    )  # fmt: skip


def standing(folder: Folder) -> list[str]:
    """What `evolray status` says of a run of this stage; nothing of another's."""
    if not folder.exists(KEY):
        return []
    sheets = sum(name.endswith(".html") for name in folder.names(SHEETS))
    lines = [f"{folder.url}: {sheets} {'sheet' if sheets == 1 else 'sheets'} in {SHEETS}/"]
    if not folder.exists(RESULTS):
        return [*lines, "no ratings yet: once sheets came back, the same command with ratings=[FILE,...] reads them"]
    results = json.loads(folder.read(RESULTS))
    return [*lines, *read_back(results["models"][0], results)]


def _check(config: BlindConfig) -> None:
    if config.benchmark not in CHAT_BENCHMARKS:
        raise UserError(f"benchmark={config.benchmark}: expected one of {', '.join(CHAT_BENCHMARKS)}.")
    if not 2 <= len(config.answers) <= len(LETTERS):
        raise UserError(f"answers names {len(config.answers)} models; expected 2 to {len(LETTERS)}, as NAME: FILE.")
    if config.raters < 1:
        raise UserError(f"raters={config.raters}: expected 1 or more.")
    if config.limit is not None and config.limit < 1:
        raise UserError(f"limit={config.limit}: expected 1 or more, or null for all problems.")
    check_criteria(config.criteria)


def _study(config: BlindConfig) -> _Study:
    benchmark = CHAT_BENCHMARKS[config.benchmark]
    problems = benchmark.read(config.problems)
    answers = {name: _read_answers(name, path, benchmark, problems) for name, path in config.answers.items()}
    left_out = {name: sum(one.id not in given.texts for one in problems.all) for name, given in answers.items()}
    items = [
        Item(one.id, benchmark.turns(one), {name: answers[name].texts[one.id] for name in answers})
        for one in problems.all if all(one.id in given.texts for given in answers.values())
    ]  # fmt: skip
    if not items:
        numbers = ", ".join(f"{name} {len(given.texts):,}" for name, given in answers.items())
        raise UserError(
            f"No problem is answered by all models, so there is nothing to compare (answers to {benchmark.title}'s "
            f"{len(problems.all):,} problems: {numbers}). Are the files of the same benchmark?"
        )
    drawn = draw(items, config.limit, config.seed)
    sheets = [arrange(drawn, list(answers), rater, config.seed) for rater in raters(config.raters)]
    return _Study(benchmark, problems, answers, drawn, {name: n for name, n in left_out.items() if n}, sheets)


def _read_answers(name: str, path: str, benchmark: ChatBenchmark, problems: Problems) -> Answers:
    try:
        return read_answers(path, benchmark.name, problems, benchmark.turns)
    except UserError as error:
        raise UserError(f"answers.{name}: {error}") from None


def _identity(config: BlindConfig, study: _Study) -> dict[str, Any]:
    return {
        "stage": STAGE, "benchmark": study.benchmark.name, "problems": study.problems.sha256,
        "models": list(study.models), "answers": {name: one.sha256 for name, one in study.answers.items()},
        "raters": config.raters, "limit": config.limit, "criteria": list(config.criteria), "seed": config.seed,
    }  # fmt: skip


def _described(config: BlindConfig, folder: Folder) -> dict[str, Any]:
    return {
        **asdict(config),
        "run": folder.url,
        "problems": without_credentials(config.problems),
        "answers": {name: without_credentials(path) for name, path in config.answers.items()},
        "ratings": [without_credentials(path) for path in config.ratings],
    }


def _write_sheets(folder: Folder, config: BlindConfig, study: _Study) -> None:
    """The key first: no sheet is out whose ratings could not be told apart."""
    key = key_of(study.models, study.sheets)
    if folder.exists(KEY) and folder.read(KEY) != key:
        raise UserError(
            f"{folder.url}/{KEY} is not the key of these sheets; was it edited, or made by another version? Choose "
            "another run=."
        )
    folder.write(KEY, key)
    _write_new(folder, "how_to_rate.txt", HOW_TO_RATE.encode)
    for sheet in study.sheets:
        _write_new(folder, f"{sheet.rater}.html", partial(render, sheet, config.criteria))
        _write_new(folder, f"{sheet.rater}.csv", partial(to_csv, sheet, config.criteria))


def _write_new(folder: Folder, name: str, made: Callable[[], bytes]) -> None:
    if not folder.exists(f"{SHEETS}/{name}"):
        folder.write(f"{SHEETS}/{name}", made())


def _read_back(folder: Folder, config: BlindConfig, study: _Study) -> dict[str, Any]:
    ratings = _usable(config, study)
    results = {
        "benchmark": study.benchmark.name, "title": study.benchmark.title, "release": study.problems.release,
        "models": list(study.models), "items": len(study.items), "left_out": study.left_out,
        "naming_itself": {name: len(some) for name, some in items_naming(study.items, study.models).items()},
        **results_of(ratings, study.models, config.criteria, study.groups()),
    }  # fmt: skip
    write_results(folder, results, ratings, study.sheets, study.models, config.criteria)
    return results


def _usable(config: BlindConfig, study: _Study) -> Ratings:
    rows = (row for path in rating_files(config.ratings) for row in read_rows(path))
    ratings = read_ratings(rows, study.sheets, config.criteria)
    if not ratings.all:
        why = "; ".join(f"{one.reason}: {one.detail}" for one in ratings.rejected[:3]) or "nothing is filled in"
        raise UserError(f"ratings: no usable rating in {len(config.ratings)} file(s) ({why}).")
    return ratings
