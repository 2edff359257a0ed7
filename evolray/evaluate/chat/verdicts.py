"""Verdicts: what a judge, or a person, said of one answer or of two.

judged/<key>/verdicts.parquet   a row per question that the judge was asked, with its own words
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.layout import Folder

Order = Literal["model_first", "baseline_first", "alone"]
VERDICTS = "verdicts.parquet"
READ = ("win", "tie", "loss", "scored")
"""The outcomes that say something about an answer. "scored": a rating of one answer alone."""
NO_VERDICT, FAILED = "no_verdict", "failed"
"""What the judge said could not be read; the judge did not answer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one turn (from 1) of one problem, in one order, in one repeat.

    `outcome` is the model's: win, tie, loss, scored, no_verdict or failed. The scores are those the judge gave: 1 to
    10, or 1, 0.5 and 0 where it only chose; None where there is none. `text`: the judge's words. `message`: of a
    failure, the cause and what happened.
    """

    problem: str
    outcome: str
    turn: int = 1
    order: str = "alone"
    repeat: int = 0
    model_score: float | None = None
    baseline_score: float | None = None
    text: str = ""
    judge: str = ""
    message: str = ""


_TYPES = {"turn": pa.int32(), "repeat": pa.int32(), "model_score": pa.float64(), "baseline_score": pa.float64()}
SCHEMA = pa.schema([(one.name, _TYPES.get(one.name, pa.string())) for one in fields(Verdict)])


def write_verdicts(folder: Folder, name: str, verdicts: Sequence[Verdict]) -> None:
    rows = [{one.name: getattr(verdict, one.name) for one in fields(Verdict)} for verdict in verdicts]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd")
    folder.write(name, sink.getvalue())


def read_verdicts(folder: Folder, name: str) -> list[Verdict]:
    with folder.open(name) as file:
        return [Verdict(**row) for row in pq.read_table(file).to_pylist()]
