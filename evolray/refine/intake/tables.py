"""Rows of a pool, or of a file that looks like one, as records that every later step can rely on.

A pool of evolray's passes unchanged. Files with the same columns may have been written by anybody: their texts may be
no UTF-8, their ids no ids, their values missing.
"""

import pyarrow as pa
import pyarrow.compute as pc

from evolray.pool.shards import POOL, SCHEMAS
from evolray.refine.intake.entries import ROLES, ROOT_ID, Rejected

SCHEMA = SCHEMAS[POOL]
EMPTY = ("domain", "operator", "variant", "teacher", "response")  # texts that may be missing
ZERO = ("prompt_tokens", "completion_tokens", "attempts")


def usable(table: pa.Table, name: str, first_row: int, rejected: list[Rejected]) -> pa.Table:
    """The rows that are records, in the pool's schema; the others are appended to `rejected`.

    `name` is where the table is from, `first_row` the number (from 0) of its first row there.
    """
    table = _cast(table, name, first_row, rejected)
    problems = _problems(table)
    bad = [row for row in range(table.num_rows) if row in problems] if problems else []
    rejected += [Rejected(first_row + row + 1, f"row {first_row + row + 1} of {name}: {problems[row]}") for row in bad]
    if bad:
        table = table.take([row for row in range(table.num_rows) if row not in problems])
    return _filled(table)


def _cast(table: pa.Table, name: str, first_row: int, rejected: list[Rejected]) -> pa.Table:
    table = table.select(SCHEMA.names)
    try:
        table = table.cast(SCHEMA)
        table.validate(full=True)
        return table
    except pa.ArrowInvalid:  # some row of the table: find out which
        parts = []
        for row in range(table.num_rows):
            try:
                part = table.slice(row, 1).take([0]).cast(SCHEMA)
                part.validate(full=True)
                parts.append(part)
            except pa.ArrowInvalid as error:
                why = str(error).splitlines()[0][:200]
                message = f"row {first_row + row + 1} of {name}: a value that cannot be read ({why})"
                rejected.append(Rejected(first_row + row + 1, message))
        return pa.concat_tables([SCHEMA.empty_table(), *parts])


def _problems(table: pa.Table) -> dict[int, str]:
    """What is wrong with a row, by row."""
    checks = (
        (pc.match_substring_regex(table["root_id"], f"^{ROOT_ID.pattern}$"), "root_id is not 16 hex digits"),
        (pc.greater_equal(table["generation"], 0), "generation is no number from 0 on"),
        (pc.not_equal(pc.utf8_trim_whitespace(table["instruction"]), ""), "the instruction is blank"),
    )
    found: dict[int, str] = {}
    for passed, problem in checks:
        failed = pc.invert(pc.fill_null(passed, False))
        for row in pc.indices_nonzero(failed).to_pylist():
            found.setdefault(row, problem)
    return {**_bad_contexts(table["context"]), **found}


def _bad_contexts(context: pa.ChunkedArray) -> dict[int, str]:
    turns = pc.list_flatten(context).combine_chunks()
    roles, contents = turns.field("role"), turns.field("content")
    if not contents.null_count and pc.all(pc.is_in(roles, pa.array(ROLES))).as_py() in (True, None):
        return {}
    problem = f"a turn of context lacks its role ({', '.join(ROLES)}) or its content"
    return {
        row: problem
        for row, said in enumerate(context.to_pylist())
        if any(turn is None or turn["role"] not in ROLES or turn["content"] is None for turn in said or ())
    }


def _filled(table: pa.Table) -> pa.Table:
    """Missing values by what they mean, and ids as they follow from root and generation."""
    for name, value in (*((name, "") for name in EMPTY), *((name, 0) for name in ZERO)):
        if table[name].null_count:
            table = _with(table, name, pc.fill_null(table[name], pa.scalar(value, SCHEMA.field(name).type)))
    if table["context"].null_count:
        table = _with(table, "context", [said or [] for said in table["context"].to_pylist()])
    generations = pc.cast(table["generation"], pa.string())
    return _with(table, "id", pc.binary_join_element_wise(table["root_id"], generations, ".g"))


def _with(table: pa.Table, name: str, values: object) -> pa.Table:
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, SCHEMA.field(name).type)
    return table.set_column(table.schema.get_field_index(name), SCHEMA.field(name), column)
