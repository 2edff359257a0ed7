"""Every question that lm-eval put to a model, as a row: what was asked, how likely each choice was, what came of it."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.evaluate.graded import storable

SCHEMA = pa.schema(
    [
        ("subtask", pa.string()), ("doc_id", pa.int32()), ("prompt", pa.string()), ("choices", pa.list_(pa.string())),
        ("log_likelihoods", pa.list_(pa.float64())), ("response", pa.string()), ("gold", pa.string()),
        ("prediction", pa.int32()), ("correct", pa.bool_()), ("score", pa.float64()),
    ]
)  # fmt: skip
"""`prompt` is all that was put before a choice, the examples too; where each choice has a prompt of its own it is
empty, and `choices` are whole texts. `response`: of a task that lets the model write. `score`: the metric's value, a
share where several choices are right; `correct` is only for metrics that are all or nothing."""

Sample = Mapping[str, Any]


def rows_of(results: Mapping[str, Any], metric: str) -> pa.Table:
    """From lm-eval's results with samples. Where a task reads answers in several ways, the scored one counts."""
    rows = [row for task, samples in results["samples"].items() for row in _rows(results, task, samples, metric)]
    is_all_or_nothing = all(row["score"] in (0, 1) for row in rows)
    for row in rows:
        row["correct"] = row["score"] == 1 if is_all_or_nothing else None
    return pa.Table.from_pylist(rows, SCHEMA)


def key_of(scores: Mapping[str, Any], metric: str) -> str | None:
    """Under which a metric stands among a task's results: its name and that of a filter, "acc,none"."""
    return next((key for key in scores if key.partition(",")[0] == metric), None)


def as_parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd")
    return sink.getvalue()


def _rows(results: Mapping[str, Any], task: str, samples: Sequence[Sample], metric: str) -> Iterator[dict[str, Any]]:
    way = (key_of(results["results"][task], metric) or "").partition(",")[2]
    delimiter = results["configs"][task].get("target_delimiter", " ")
    for sample in samples:
        if sample["filter"] == way:
            score = sample.get(metric)
            yield {
                "subtask": task,
                "doc_id": sample["doc_id"],
                **_asked(sample, metric, delimiter),
                "gold": storable(str(sample["target"])),
                "score": float(score) if isinstance(score, int | float) else None,
            }


def _asked(sample: Sample, metric: str, delimiter: str) -> dict[str, Any]:
    asked, answers = sample["arguments"], sample["filtered_resps"]
    contexts = [storable(str(one[0])) for one in asked]
    by_likelihood = all(isinstance(one, tuple | list) and isinstance(one[0], float) for one in answers)
    if not by_likelihood:
        return {"prompt": contexts[0], "response": storable(str(answers[0]))}
    same = len(set(contexts)) == 1
    likelihoods = [float(one[0]) for one in answers]
    texts = [storable(str(one[1])) for one in asked]
    weights = [len(str(one[1]).removeprefix(delimiter)) or 1 if metric == "acc_norm" else 1 for one in asked]
    compared = [value / weight for value, weight in zip(likelihoods, weights, strict=True)]
    return {
        "prompt": contexts[0] if same else "",
        "choices": texts if same else [before + text for before, text in zip(contexts, texts, strict=True)],
        "log_likelihoods": likelihoods,
        "prediction": compared.index(max(compared)) if len(compared) > 1 else None,
    }
