"""A pool as one file, in the formats that training scripts read.

    alpaca     .json      a list of {instruction, input, output}
    jsonl      .jsonl     one record per line with its id, lineage and context
    sharegpt   .json      a list of {id, conversations: [{from: system | human | gpt, value}]}
    messages   .jsonl     one {id, messages: [{role, content}]} per line
    parquet    .parquet   the pool's own columns

The suffix alone stands for the first of its formats.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from evolray.errors import UserError
from evolray.pool.accounts import RECORD_FIELDS
from evolray.pool.layout import Folder, LocalFolder, cannot_write
from evolray.pool.pool import Pool
from evolray.records import Record, Turn

FORMATS = {"alpaca": ".json", "jsonl": ".jsonl", "sharegpt": ".json", "messages": ".jsonl", "parquet": ".parquet"}
SUFFIXES = tuple(dict.fromkeys(FORMATS.values()))
SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}

TRAINING = "training"


def export(pool: Pool | str, path: str | Path, format: str | None = None) -> int:
    """Write the kept records to `path`, whole or not at all, and return their number.

    `format`: one of FORMATS; None goes by the suffix. Raises UserError for another format or suffix, and for a
    conversation's records as Alpaca JSON, which has no room for the turns before an instruction.
    """
    pool = Pool(pool) if isinstance(pool, str) else pool
    target = Path(path)
    format = _format_of(target, format)
    aside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        written = _write_parquet(pool, aside) if format == "parquet" else _write_text(pool, target, aside, format)
        aside.replace(target)
    except OSError as error:
        raise cannot_write(str(target), error) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return written


def export_into(folder: Folder, pool: Pool, format: str) -> str:
    """Write training/<format> with its suffix into a run directory; its name there. Errors are those of `export`."""
    name = f"{TRAINING}/{format}{FORMATS.get(format, '')}"
    if isinstance(folder, LocalFolder):
        export(pool, folder.path / name, format)
        return name
    with tempfile.TemporaryDirectory(prefix="evolray-") as here:
        made = Path(here) / name
        export(pool, made, format)
        folder.put(name, made)
    return name


def _format_of(target: Path, format: str | None) -> str:
    if format is None:
        found = next((name for name, suffix in FORMATS.items() if suffix == target.suffix), None)
        if found is None:
            suffix = repr(target.suffix) if target.suffix else "a file without suffix"
            raise UserError(f"{target}: cannot export to {suffix}; expected {', '.join(SUFFIXES)}.")
        return found
    if format not in FORMATS:
        raise UserError(f"cannot export as {format}; expected some of {', '.join(FORMATS)}.")
    if target.suffix != FORMATS[format]:
        raise UserError(f"{target}: {format} goes into a file that ends in {FORMATS[format]}; name it so.")
    return format


def _write_parquet(pool: Pool, path: Path) -> int:
    written = 0
    schema = pool.schema()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in pool.tables():
            writer.write_table(table.select(schema.names).cast(schema))
            written += table.num_rows
    return written


def _write_text(pool: Pool, target: Path, aside: Path, format: str) -> int:
    rows: dict[str, Callable[[Record], dict[str, Any]]] = {
        "alpaca": lambda record: _alpaca(record, target),
        "jsonl": _whole,
        "sharegpt": _sharegpt,
        "messages": _messages,
    }
    texts = (json.dumps(rows[format](record), ensure_ascii=False) for record in pool.records())
    with aside.open("w", encoding="utf-8", newline="\n") as file:
        return _write_lines(texts, file) if FORMATS[format] == ".jsonl" else _write_list(texts, file)


def _write_list(texts: Iterator[str], file: IO[str]) -> int:
    written = 0
    file.write("[")
    for written, text in enumerate(texts, start=1):
        file.write((",\n" if written > 1 else "\n") + text)
    file.write("\n]\n")
    return written


def _write_lines(texts: Iterator[str], file: IO[str]) -> int:
    written = 0
    for text in texts:
        file.write(text + "\n")
        written += 1
    return written


def _alpaca(record: Record, target: Path) -> dict[str, Any]:
    if record.context:
        raise UserError(
            f"{target}: {record.id} belongs to a conversation, and Alpaca JSON has no room for its earlier turns; "
            "export to .jsonl or .parquet, or as sharegpt or messages."
        )
    return {"instruction": record.instruction, "input": "", "output": record.response}


def _whole(record: Record) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in RECORD_FIELDS}  # dataclasses.asdict takes ten times as long
    return {"id": record.id, **fields, "context": _turns(record.context)}


def _sharegpt(record: Record) -> dict[str, Any]:
    said = [{"from": SPEAKERS[turn.role], "value": turn.content} for turn in _conversation(record)]
    return {"id": record.id, "conversations": said}


def _messages(record: Record) -> dict[str, Any]:
    return {"id": record.id, "messages": _turns(_conversation(record))}


def _turns(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _conversation(record: Record) -> list[Turn]:
    """All turns; a record without a response ends with the instruction."""
    turns = [*record.context, Turn("user", record.instruction)]
    return [*turns, Turn("assistant", record.response)] if record.response else turns
