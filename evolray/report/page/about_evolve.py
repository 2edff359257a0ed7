"""What the page says about a run of evolve: accounts, acceptance, reasons, cost."""

from collections import Counter
from typing import Any

from evolray.pool.accounts import Accounts
from evolray.records import SEED
from evolray.report.numbers.evolved import EvolveNumbers
from evolray.report.page.blocks import Content, ExampleGroup, Number, Section, Table, money, percent, whole, words
from evolray.report.page.examples import Examples

PLACE = {
    "flow": "overview",
    "acceptance": "acceptance",
    "lengths": "growth",
    "constraints": "growth",
    "difficulty": "growth",
    "reasons": "eliminated",
    "spending": "cost",
}
STATUS = {"complete": "complete", "running": "still running", "out_of_budget": "out of budget"}


def content(run: EvolveNumbers, manifest: dict[str, Any], examples: Examples, roots: int) -> Content:
    """`manifest` may be empty: the run was cut off before its first shard was finished."""
    accounts = run.accounts
    status = STATUS.get(str(manifest.get("status")), str(manifest.get("status", "interrupted")))
    shards = manifest.get("shards") or {}
    notices = []
    if status != "complete":
        notices.append(
            f"This run is {status}: {shards.get('finished', 0):,} of {shards.get('all', 0):,} shards are finished, and "
            "the page shows those."
        )
    if run.is_simulated:
        notices.append("The teacher was the simulated one: good for trying things out, not for training a student.")
    facts = [
        f"Evolution of {whole(roots)} seeds",
        *([f"domain {manifest['domain']}"] if manifest.get("domain") else []),
        f"{max(run.generations, default=0)} generations",
        *([f"teacher {manifest['teacher']}"] if manifest.get("teacher") else []),
        *([f"seeds from {manifest['seeds']['path']}"] if (manifest.get("seeds") or {}).get("path") else []),
        status,
    ]
    sections = [
        _overview(accounts),
        _acceptance(accounts),
        Section("growth", "How instructions grow", "Growth", "Generation 0 are the seeds."),
        _eliminated(accounts, examples),
        _cost(run),
    ]
    return Content("", "evolve", facts, notices, _numbers(run, manifest, roots), sections, place=PLACE)


def _numbers(run: EvolveNumbers, manifest: dict[str, Any], roots: int) -> list[Number]:
    accounts = run.accounts
    seeds = _count(accounts, "kept", 0)
    evolved, eliminated = accounts.total("kept") - seeds, accounts.total("eliminated")
    calls = sum(usage.calls for usage in accounts.usage.values())
    prompt = sum(usage.prompt_tokens for usage in accounts.usage.values())
    completion = sum(usage.completion_tokens for usage in accounts.usage.values())
    numbers = [
        Number("seeds", whole(roots), "roots of lineages"),
        Number("kept", whole(accounts.total("kept")), f"{whole(evolved)} evolved, {whole(seeds)} seeds"),
        Number("eliminated", whole(eliminated), "by a rule or the judge"),
        Number("failed", whole(accounts.total("failed")), "calls given up, unread seeds"),
        Number("acceptance", percent(evolved, evolved + eliminated), "kept of all evolved and judged"),
        Number("calls", whole(calls), f"{calls / evolved:.2f} per evolved record" if evolved else ""),
        Number("tokens", whole(prompt + completion), f"{whole(prompt)} in, {whole(completion)} out"),
        Number("tokens per record", whole((prompt + completion) / evolved) if evolved else "–", "per evolved record"),
    ]
    cost = float(manifest.get("cost") or 0.0)
    if cost:
        each = f"{money(cost / evolved)} per evolved record" if evolved else ""
        numbers.append(Number("cost", money(cost), each))
    return numbers


def _overview(accounts: Accounts) -> Section:
    rows = accounts.by_generation()
    cells = [[str(row["generation"]), *_fates(row)] for row in rows]
    total = {"in": sum(row["in"] for row in rows), "kept": sum(row["kept"] for row in rows)}
    total |= {fate: _merged(row[fate] for row in rows) for fate in ("eliminated", "failed")}
    cells.append(["all", *_fates(total)])
    columns = ["generation", "in", "kept", "eliminated", "failed", "kept %"]
    table = Table("Accounts by generation: what went in was kept, eliminated or failed.", columns, cells,
                  texts=["generation"], last_is_total=True)  # fmt: skip
    return Section("overview", "What became of the seeds", "Overview", tables=[table])


def _acceptance(accounts: Accounts) -> Section:
    rows = sorted(
        (row for row in accounts.by_operator() if row["operator"] != SEED),
        key=lambda row: (-row["kept"] / max(row["kept"] + sum(row["eliminated"].values()), 1), row["operator"]),
    )
    cells = [[words(row["operator"]), *_fates(row)] for row in rows]
    columns = ["operator", "in", "kept", "eliminated", "failed", "kept %"]
    table = Table("Accounts by operator, seeds left out.", columns, cells, texts=["operator"])
    return Section("acceptance", "Which operators get through", "Acceptance", tables=[table] if cells else [])


def _eliminated(accounts: Accounts, examples: Examples) -> Section:
    generations = sorted(accounts.incoming)
    tables, groups = [], []
    for fate, caption in (("eliminated", "Reasons of elimination"), ("failed", "Causes of failure")):
        counts: Counter[tuple[str, int]] = Counter()
        for (generation, _, one, why), number in accounts.outcomes.items():
            if one == fate:
                counts[why, generation] += number
        whys = sorted({why for why, _ in counts}, key=lambda why: (-sum(counts[why, g] for g in generations), why))
        sums = {why: sum(counts[why, g] for g in generations) for why in whys}
        cells = [[words(why), *(whole(counts[why, g]) for g in generations), whole(sums[why])] for why in whys]
        if cells:
            names = ["seeds" if not g else f"gen. {g}" for g in generations]
            columns = ["reason" if fate == "eliminated" else "cause", *names, "all"]
            tables.append(Table(f"{caption}, by generation.", columns, cells, texts=columns[:1]))
        groups += [
            ExampleGroup(words(why), fate, sums[why], found)
            for why in whys
            if (found := examples.of("eliminated" if fate == "eliminated" else "failed", why))
        ]
    intro = "Records that a rule or the judge turned down, and what could not be done. The parent is tried again."
    return Section("eliminated", "What was eliminated, and why", "Eliminated", intro, tables=tables, examples=groups)


def _cost(run: EvolveNumbers) -> Section:
    cells = [
        [words(purpose), whole(one.calls), whole(one.prompt_tokens), whole(one.completion_tokens),
         whole((one.prompt_tokens + one.completion_tokens) / one.calls) if one.calls else "–"]
        for purpose, one in sorted(run.accounts.usage.items())
    ]  # fmt: skip
    columns = ["purpose", "calls", "prompt tokens", "completion tokens", "tokens per call"]
    tables = [Table("Answered calls by purpose.", columns, cells, texts=["purpose"])] if cells else []
    return Section("cost", "What it cost", "Cost", tables=tables)


def _fates(row: dict[str, Any]) -> list[str]:
    eliminated, failed = sum(row["eliminated"].values()), sum(row["failed"].values())
    return [
        *(whole(number) for number in (row["in"] if "in" in row else 0, row["kept"], eliminated, failed)),
        percent(row["kept"], row["kept"] + eliminated),
    ]


def _count(accounts: Accounts, fate: str, generation: int) -> int:
    return sum(n for (g, _, one, _), n in accounts.outcomes.items() if one == fate and g == generation)


def _merged(counts: Any) -> Counter[str]:
    merged: Counter[str] = Counter()
    for one in counts:
        merged.update(one)
    return merged
