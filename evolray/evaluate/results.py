"""Reading what an evaluation left, from Python and notebooks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from evolray.evaluate.chat.verdicts import Verdict, read_verdicts
from evolray.evaluate.graded import SAMPLES, read_all
from evolray.evaluate.manifest import read_scores
from evolray.pool.layout import Folder, open_folder

if TYPE_CHECKING:
    import pandas

KNOWLEDGE = "knowledge"
GOOD = ("passed", "win", "tie", "scored")
"""The outcomes that nobody has to look into."""


class Results:
    """The scores and samples of a run of `evaluate` or `grade`."""

    def __init__(self, run: str) -> None:
        """Raises UserError when nothing is scored there."""
        self.folder: Folder = open_folder(run)
        self.scores: dict[str, Any] = read_scores(self.folder)
        """By benchmark: score, low and high (a 95 % interval) in the `unit` of the `metric`, groups, outcomes, rules,
        data, versions. Graded ones have passed, total and pass@k beside these, judged ones wins, ties and losses."""

    def samples(self, *, failed: bool = False) -> Iterator[dict[str, Any]]:
        """Every sample with its prompt, what was extracted, its outcome and why; `failed`: those that did not pass,
        were found worse than the baseline's, or have no verdict."""
        return (row for row in read_all(self.folder) if not failed or row["outcome"] not in GOOD)

    def verdicts(self) -> dict[tuple[str, str], list[Verdict]]:
        """What judges said, in their own words, by benchmark and problem; nothing where reviews took their place."""
        found: dict[tuple[str, str], list[Verdict]] = {}
        for name, entry in self.scores.items():
            if file := entry.get("verdict_file"):
                for verdict in read_verdicts(self.folder, file):
                    found.setdefault((name, verdict.problem), []).append(verdict)
        return found

    @property
    def knowledge(self) -> list[str]:
        """Where lm-eval's samples are: a Parquet file per benchmark, with choices and log-likelihoods."""
        found = self.folder.names(KNOWLEDGE)
        return [f"{self.folder.url}/{KNOWLEDGE}/{name}/{SAMPLES}" for name in found]

    def to_pandas(self) -> "pandas.DataFrame":
        import pyarrow.parquet as pq

        with self.folder.open(SAMPLES) as file:
            return pq.read_table(file).to_pandas()

    def __repr__(self) -> str:
        parts = [f"{name} {score_text(entry)}" for name, entry in self.scores.items()]
        return f"Results({self.folder.url}: {', '.join(parts)})"


def score_text(entry: Mapping[str, Any]) -> str:
    """For example "66.67 % pass@1" or "6.43 of 10". Entries of older runs have pass@1 alone."""
    score, unit = entry.get("score", entry.get("pass@1")), entry.get("unit", "%")
    if score is None:
        return "no score"
    metric = "" if unit == "of 10" else entry.get("metric", "pass@1")
    return " ".join(part for part in (f"{score:.2f}", unit, metric) if part)
