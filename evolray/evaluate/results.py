"""Reading what an evaluation left, from Python and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from evolray.evaluate.graded import SAMPLES, read_all
from evolray.evaluate.manifest import read_scores
from evolray.pool.layout import Folder, open_folder

if TYPE_CHECKING:
    import pandas


class Results:
    """The scores and samples of a run of `evaluate` or `grade`."""

    def __init__(self, run: str) -> None:
        """Raises UserError when nothing is scored there."""
        self.folder: Folder = open_folder(run)
        self.scores: dict[str, Any] = read_scores(self.folder)
        """By benchmark: passed, total, pass@1 (in percent), pass@k with intervals, outcomes, rules, data, versions."""

    def samples(self, *, failed: bool = False) -> Iterator[dict[str, Any]]:
        """Every sample with its prompt, what was extracted, its outcome and why; `failed`: those that did not pass."""
        return (row for row in read_all(self.folder) if not failed or row["outcome"] != "passed")

    def to_pandas(self) -> "pandas.DataFrame":
        import pyarrow.parquet as pq

        with self.folder.open(SAMPLES) as file:
            return pq.read_table(file).to_pandas()

    def __repr__(self) -> str:
        parts = [
            f"{name} {entry['pass@1']} ({entry['passed']}/{entry['total']})" for name, entry in self.scores.items()
        ]
        return f"Results({self.folder.url}: {', '.join(parts)})"
