"""What the page says about a refine run: what came in, what was dropped why, and what the mix is made of."""

from typing import Any

from evolray.pool.layout import Folder
from evolray.pool.seed_formats import without_credentials
from evolray.report.page import clusters, leaks
from evolray.report.page.blocks import Content, ExampleGroup, Number, Section, Table, money, percent, whole, words
from evolray.report.page.composition import Composition
from evolray.report.page.examples import Examples
from evolray.report.texts import visible

PLACE = {
    "refine_flow": "overview",
    "similarity": "duplicates",
    "leaks": "leaks",
    "difficulty": "difficulty",
    "features": "difficulty",
    "skills": "difficulty",
    "mix": "mix",
}
SIMULATED = "simulated"
OWN_NUMBER = ("leak", "near_duplicate", "exact_duplicate", "over_budget")


def content(folder: Folder, manifest: dict[str, Any], composition: Composition, examples: Examples) -> Content:
    """`manifest` may be empty: then only what the shards say is known."""
    status = str(manifest.get("status", "interrupted"))
    notices = [] if status == "complete" else [f"This run is {status}; the page shows the shards that are finished."]
    if (manifest.get("mix") or {}).get("teacher", {}).get(SIMULATED):
        notices.append(
            "Responses of the simulated teacher are in the mix: good for trying things out, not for training."
        )
    num_sources = len(manifest.get("sources") or composition.before["source"])
    from_sources = f"{whole(composition.records)} records from {num_sources} source{'s' if num_sources != 1 else ''}"
    facts = [from_sources, f"{whole(composition.in_mix)} in the mix", status]
    judged = [table for name in ("difficulty", "skills") if (table := composition.table(name))]
    mixed = [table for name in ("source", "generation", "operator", "domain") if (table := composition.table(name))]
    sections = [
        Section("overview", "From what came in to the mix", "Overview", tables=_overview(manifest)),
        _dropped(composition, examples),
        Section("duplicates", "Duplicates", "Duplicates",
                "Of records that say nearly the same, the one of the oldest generation stays.",
                tables=clusters.tables(folder)),
        Section("leaks", "Benchmark leaks", "Leaks", "Records that hold an item of a benchmark are not in the mix.",
                tables=leaks.tables(folder, manifest.get("benchmarks") or [])),
        Section("difficulty", "Difficulty, size and skills", "Difficulty",
                "Difficulty and skills are the judge's; sizes are counted by rule.", tables=judged),
        Section("mix", "What the mix is made of", "Mix", tables=mixed),
    ]  # fmt: skip
    numbers = _numbers(manifest, composition, examples)
    return Content("", "refine", facts, notices, numbers, sections, place=PLACE)


def _numbers(manifest: dict[str, Any], composition: Composition, examples: Examples) -> list[Number]:
    dropped = {why: number for (fate, why), number in examples.counts.items() if fate == "dropped"}
    records, mix = composition.records, composition.in_mix
    exact = dropped.get("exact_duplicate", 0)
    others = sum(number for why, number in dropped.items() if why not in OWN_NUMBER)
    rejected = int(manifest.get("rejected") or 0)
    numbers = [
        Number("came in", whole(records), f"{whole(rejected)} more were no records" if rejected else "records"),
        Number("in the mix", whole(mix), f"{percent(mix, records)} of what came in"),
        Number("duplicates", whole(exact + dropped.get("near_duplicate", 0)), f"{whole(exact)} of them exact"),
        Number("leaks", whole(dropped.get("leak", 0)), "held a benchmark item"),
        Number("not selected", whole(others), "by a rule of the selection"),
        Number("over budget", whole(dropped.get("over_budget", 0)), "fit, and were not drawn"),
    ]
    if tokens := (manifest.get("mix") or {}).get("tokens"):
        numbers.append(Number("tokens of the mix", whole(tokens), "four characters count as one"))
    if manifest.get("calls"):
        spent = sum((manifest.get("tokens") or {}).values())
        cost = f", cost {money(float(manifest['cost']))}" if manifest.get("cost") else ""
        numbers.append(Number("calls to the judge", whole(manifest["calls"]), f"{whole(spent)} tokens{cost}"))
    return numbers


def _overview(manifest: dict[str, Any]) -> list[Table]:
    tables = []
    if sources := manifest.get("sources"):
        rows = [
            [visible(str(one.get("name", ""))), visible(without_credentials(str(one.get("path", "")))),
             whole(one.get("records") or 0), whole(one.get("rejected") or 0),
             f"{one['weight']:g}" if one.get("weight") is not None else "–", whole(one.get("mix") or 0)]
            for one in sources
        ]  # fmt: skip
        columns = ["source", "path", "records", "rejected", "weight", "in the mix"]
        tables.append(Table("Where records came from.", columns, rows, texts=columns[:2]))
    if steps := manifest.get("steps"):
        rows = [[words(str(one.get("name", ""))), _counted(one), f"{one.get('seconds') or 0:,.1f}"] for one in steps]
        columns = ["step", "counted", "seconds"]
        tables.append(Table("Steps, in their order.", columns, rows, texts=columns[:2]))
    return tables


def _counted(step: dict[str, Any]) -> str:
    """Whatever numbers a step left, beside its seconds and beside sums of hashes."""
    numbers = {key: value for key, value in step.items() if isinstance(value, int)}
    return ", ".join(f"{words(key)} {value:,}" for key, value in numbers.items())


def _dropped(composition: Composition, examples: Examples) -> Section:
    counts = {why: number for (fate, why), number in examples.counts.items() if fate == "dropped"}
    whys = sorted(counts, key=lambda why: (-counts[why], why))
    rows = [[words(why), whole(counts[why]), percent(counts[why], composition.records)] for why in whys]
    total = sum(counts.values())
    rows.append(["all", whole(total), percent(total, composition.records)])
    table = Table("Records that are not in the mix. Each has the first reason that applies.",
                  ["reason", "records", "of what came in"], rows, texts=["reason"], last_is_total=True)  # fmt: skip
    whys.sort(key=lambda why: why == "over_budget")  # last: there is nothing to be seen in those that were not drawn
    groups = [ExampleGroup(words(why), "dropped", counts[why], examples.of("dropped", why)) for why in whys]
    return Section("dropped", "What was dropped, and why", "Dropped", tables=[table] if whys else [], examples=groups)
