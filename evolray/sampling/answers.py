"""The answers of `generate` as one file, written whole or not at all."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.pool.layout import Folder, open_folder
from evolray.sampling.questions import Sample, read_questions, read_samples

SUFFIXES = (".jsonl", ".json", ".parquet")
FAILED = "failed.jsonl"


@dataclass(frozen=True)
class Answers:
    """What `generate` left: the file, and how many questions were answered and how many failed."""

    path: str
    answered: int
    failed: int

    def __str__(self) -> str:
        return f"{self.path}: {self.answered:,} answers, {self.failed:,} failed"


def write_answers(folder: Folder, shards: Sequence[int], output: str, key: str) -> Answers:
    """Rows {id, instruction, <key>, finish_reason, model} and, of several samples, `sample`; failures to failed.jsonl.

    `id` is a number where the input's was one.
    """
    counts, failures = {"answered": 0, "failed": 0}, io.StringIO()

    def rows() -> Iterator[dict[str, Any]]:
        for shard in shards:
            for question, sample in zip(read_questions(folder, shard), read_samples(folder, shard), strict=True):
                if sample.cause:
                    counts["failed"] += 1
                    failures.write(json.dumps(_failure(sample), ensure_ascii=False) + "\n")
                else:
                    counts["answered"] += 1
                    yield _row(sample, question.joined[-1].content, key)

    parent, _, name = output.rpartition("/")
    target = open_folder(parent or ("/" if output.startswith("/") else "."))
    target.write(name, _encoded(rows(), name))
    folder.write(FAILED, failures.getvalue().encode())
    return Answers(output, counts["answered"], counts["failed"])


def _row(sample: Sample, instruction: str, key: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": _id(sample.id), "instruction": instruction, key: sample.text}
    return row | {"sample": sample.sample, "finish_reason": sample.finish_reason, "model": sample.model}


def _failure(sample: Sample) -> dict[str, Any]:
    return {"id": _id(sample.id), "sample": sample.sample, "cause": sample.cause, "message": sample.message}


def _id(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else text


def _encoded(rows: Iterator[dict[str, Any]], name: str) -> bytes:
    if name.endswith(".parquet"):
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([{**row, "id": str(row["id"])} for row in rows]), sink, compression="zstd")
        return sink.getvalue()
    text = io.StringIO()
    _write_json(rows, text, is_array=name.endswith(".json"))
    return text.getvalue().encode()


def _write_json(rows: Iterator[dict[str, Any]], file: IO[str], is_array: bool) -> None:
    file.write("[" if is_array else "")
    for number, row in enumerate(rows):
        between = "" if not is_array else ",\n" if number else "\n"
        file.write(between + json.dumps(row, ensure_ascii=False) + ("" if is_array else "\n"))
    file.write("\n]\n" if is_array else "")
