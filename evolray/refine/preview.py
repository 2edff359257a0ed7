"""What a run would meet, before anything is written: how many records, and what judging them would cost."""

from collections.abc import Iterator
from itertools import islice

from evolray.pool.pool import Pool, is_run
from evolray.pool.seed_formats import read_entries
from evolray.records import Turn
from evolray.refine.intake.entries import Rejected, keys_read, record_of_entry
from evolray.refine.intake.sources import Source
from evolray.refine.judging.estimate import SAMPLE, estimate
from evolray.refine.plan import Plan

Text = tuple[str, tuple[Turn, ...]]


def preview(plan: Plan) -> list[str]:
    """Lines for people."""
    numbers = [_number(plan, at) for at in range(len(plan.sources))]
    named = zip(plan.sources, numbers, strict=True)
    lines = [f"{source.name}: {number:,} records in {source.shown}" for source, number in named]
    for row in plan.described():
        lines.append(f"to be checked against {row['items']:,} items of {row['name']}")
    if plan.judging is None:
        return [*lines, "no judge is asked, so this costs nothing"]
    records = sum(numbers)
    records = min(records, plan.config.judging.sample or records)
    sample = [text for source in plan.sources for text in islice(_texts(source), SAMPLE // len(plan.sources) + 1)]
    return [*lines, *estimate(plan.judging, records, sample).lines()]


def _number(plan: Plan, source: int) -> int:
    """Entries that are no records count, too, where only reading them would tell."""
    parts = [part for part in plan.intake.parts if part.source == source]
    if any(not part.pieces and not part.entries for part in parts):
        entries = read_entries(plan.sources[source].path, keys_read(dict(plan.sources[source].columns)))
        return sum(1 for _ in islice(entries, plan.intake.limit))
    return sum(part.entries + sum(end - start for _, start, end in part.pieces) for part in parts)


def _texts(source: Source) -> Iterator[Text]:
    """Instructions with the turns before them, from the source's beginning."""
    if is_run(source.path):
        yield from ((record.instruction, record.context) for record in Pool(source.path).records())
        return
    columns = dict(source.columns)
    for line, entry in read_entries(source.path, keys_read(columns)):
        record = record_of_entry(entry, line, columns)
        if not isinstance(record, Rejected):
            yield record.instruction, record.context
