"""What the steps counted, as the manifest says it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from evolray.engine.spending import totals
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.shards import read_table
from evolray.refine.intake.sources import Source
from evolray.refine.judging.work import NO_VERDICT
from evolray.refine.manifest import RefineManifest
from evolray.refine.mix.writing import by_key
from evolray.refine.reasons import REASONS

COUNTED = ("generation", "operator", "domain", "source", "teacher")


def count_sources(manifest: RefineManifest, sources: Sequence[Source], total: Counter[str]) -> None:
    """`total`: the intake's."""
    manifest.records, manifest.rejected = total["records"], total["rejected"]
    manifest.sources = [
        {
            "name": source.name, "path": source.shown, "weight": source.weight,
            "records": total[f"records:{source.name}"], "rejected": total[f"rejected:{source.name}"], "mix": 0,
        }
        for source in sources
    ]  # fmt: skip


def count_leaks(manifest: RefineManifest, folder: Folder, kind: str) -> npt.NDArray[np.int64]:
    """From leaks/ or leaks-by-execution/: the rows of all records that leak. Benchmarks count records, not rows."""
    rows = [np.empty(0, np.int64)]
    for shard in shards_in(folder, kind):
        table = read_table(folder, shard_name(kind, shard), ["row", "benchmark"])
        rows.append(table["row"].to_numpy())
        named = np.array(table["benchmark"].to_pylist(), object)
        for benchmark in manifest.benchmarks:
            benchmark["leaks"] += len(np.unique(rows[-1][named == benchmark["name"]]))
    return np.unique(np.concatenate(rows))


def count_judged(manifest: RefineManifest, records: int, accounts: Accounts, cost: float) -> None:
    """`records` were asked about; `accounts` and `cost` are of all answers used."""
    unread = sum(number for (_, _, _, why), number in accounts.outcomes.items() if why == NO_VERDICT)
    manifest.judged = {"records": records, "unread": unread, "failed": accounts.total("failed") - unread}
    manifest.calls, _ = totals(accounts.usage)
    usage = accounts.usage.values()
    manifest.tokens = {
        "prompt": sum(one.prompt_tokens for one in usage),
        "completion": sum(one.completion_tokens for one in usage),
    }
    manifest.cost = round(cost, 6)


def count_mix(manifest: RefineManifest, total: Mapping[str, int]) -> None:
    """`total`: what WriteMix counted in all shards."""
    by = by_key(dict(total))
    dropped = by.get("dropped", {})
    manifest.dropped = {reason: dropped[reason] for reason in REASONS if reason in dropped}
    manifest.generations = max((int(generation) for generation in by.get("generation", {})), default=0)
    amounts = {"records": total.get("mix", 0), "tokens": total.get("tokens", 0)}
    manifest.mix = {**amounts, **{name: by.get(name, {}) for name in COUNTED}}
    for source in manifest.sources:
        source["mix"] = by.get("source", {}).get(source["name"], 0)
