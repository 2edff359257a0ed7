"""What ratings add up to, in the run folder:

results.json                     comparisons, mean ranks, criteria, agreement, and what could not be used by reason
ratings.csv                      a row per rater, problem and model, unblinded
rejected.csv                     every line that could not be used, and why
labels/<first>_vs_<other>.csv    the raters' majority by problem, as labels.NAME= of evolray evaluate reads it
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evolray.blind.agreement import agreement
from evolray.blind.arrangement import Sheet
from evolray.blind.cells import table
from evolray.blind.counting import both_ways, by_group, criteria_means, majorities, mean_ranks, outcomes
from evolray.blind.reading import Ratings
from evolray.pool.layout import Folder

RESULTS, RATINGS, REJECTED, LABELS = "results.json", "ratings.csv", "rejected.csv", "labels"
Groups = Mapping[str, Mapping[str, str]]


def results_of(ratings: Ratings, models: Sequence[str], criteria: Sequence[str], groups: Groups) -> dict[str, Any]:
    """The part of results.json that the ratings decide. Wins are those of the first model."""
    first, *others = models
    comparisons = {}
    for other in others:
        said = outcomes(ratings.all, first, other)
        comparisons[other] = {**both_ways(said), "groups": by_group(said, groups), "agreement": agreement(said)}
    return {
        "ratings": len(ratings.all),
        "raters": {rater: sum(one.rater == rater for one in ratings.all) for rater in ratings.unrated},
        "unrated": dict(ratings.unrated),
        "rejected": ratings.reasons(),
        "comparisons": comparisons,
        "mean_rank": mean_ranks(ratings.all, models),
        "criteria": criteria_means(ratings.all, models, criteria),
    }


def write_results(
    folder: Folder,
    results: Mapping[str, Any],
    ratings: Ratings,
    sheets: Sequence[Sheet],
    models: Sequence[str],
    criteria: Sequence[str],
) -> None:
    columns = ["rater", "problem", "model", "letter", "rank", *criteria, "comment"]
    folder.write(RATINGS, table(columns, _unblinded(ratings, sheets, criteria)))
    lines = [[one.file, one.line, one.item, one.reason, one.detail] for one in ratings.rejected]
    folder.write(REJECTED, table(["file", "line", "item", "reason", "detail"], lines))
    first, *others = models
    for other, name in zip(others, label_names(models), strict=True):
        folder.write(name, _labels(majorities(outcomes(ratings.all, first, other)).items()))
    folder.write(RESULTS, json.dumps(results, ensure_ascii=False, indent=1).encode() + b"\n")


def label_names(models: Sequence[str]) -> list[str]:
    """A file for each model but the first; what no file name may hold becomes an underscore."""
    first, *others = (re.sub(r"[^\w.\-]+", "_", model) for model in models)
    taken: list[str] = []
    for other in others:
        name = f"{LABELS}/{first}_vs_{other}"
        taken.append(f"{name}_{len(taken) + 2}.csv" if f"{name}.csv" in taken else f"{name}.csv")
    return taken


def _labels(by_problem: Iterable[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("problem", "outcome"), *by_problem])
    return text.getvalue().encode()


def _unblinded(ratings: Ratings, sheets: Sequence[Sheet], criteria: Sequence[str]) -> Iterable[list[object]]:
    letters = {
        (sheet.rater, place.item.problem, model): letter
        for sheet in sheets for place in sheet.places for letter, model in place.by_letter().items()
    }  # fmt: skip
    for one in ratings.all:
        for model, rank in one.ranks.items():
            given = one.criteria.get(model, {})
            letter = letters[one.rater, one.problem, model]
            rated = [given.get(name) for name in criteria]
            yield [one.rater, one.problem, model, letter, rank, *rated, one.comment]
