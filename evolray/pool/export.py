"""A pool as one file, in the formats that training scripts read.

.json      Alpaca: a list of {instruction, input, output}
.jsonl     one record per line with its id, lineage and context
.parquet   the pool's own columns
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.layout import cannot_write
from evolray.pool.pool import Pool
from evolray.pool.shards import POOL, SCHEMAS
from evolray.records import Record

SUFFIXES = (".json", ".jsonl", ".parquet")


def export(pool: Pool | str, path: str | Path) -> int:
    """Write the kept records to `path`, whole or not at all, and return their number.

    Raises UserError for another suffix, and for a conversation's records as Alpaca JSON, which has no room for the
    turns before an instruction.
    """
    pool = Pool(pool) if isinstance(pool, str) else pool
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise UserError(f"{target}: cannot export to {target.suffix or 'no suffix'!r}; expected {', '.join(SUFFIXES)}.")
    aside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        written = _write_parquet(pool, aside) if target.suffix == ".parquet" else _write_text(pool, target, aside)
        aside.replace(target)
    except OSError as error:
        raise cannot_write(str(target), error) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return written


def _write_parquet(pool: Pool, path: Path) -> int:
    written = 0
    with pq.ParquetWriter(path, SCHEMAS[POOL], compression="zstd") as writer:
        for table in pool.tables():
            writer.write_table(table.cast(SCHEMAS[POOL]))
            written += table.num_rows
    return written


def _write_text(pool: Pool, target: Path, aside: Path) -> int:
    with aside.open("w", encoding="utf-8") as file:
        return _write_alpaca(pool, target, file) if target.suffix == ".json" else _write_lines(pool.records(), file)


def _write_alpaca(pool: Pool, target: Path, file: IO[str]) -> int:
    written = 0
    file.write("[")
    for written, record in enumerate(pool.records(), start=1):
        if record.context:
            raise UserError(
                f"{target}: {record.id} belongs to a conversation, and Alpaca JSON has no room for its earlier turns; "
                "export to .jsonl or .parquet."
            )
        row = {"instruction": record.instruction, "input": "", "output": record.response}
        file.write((",\n" if written > 1 else "\n") + json.dumps(row, ensure_ascii=False))
    file.write("\n]\n")
    return written


def _write_lines(records: Iterator[Record], file: IO[str]) -> int:
    written = 0
    for record in records:
        file.write(json.dumps({"id": record.id, **asdict(record)}, ensure_ascii=False) + "\n")
        written += 1
    return written
