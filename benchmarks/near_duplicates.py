"""Near-duplicates planted into many records: how many are found, how many of the finds are right, and how fast.

    python benchmarks/near_duplicates.py [--records 100000] [--data alpaca_data.json] [--threshold 0.7] [--shingle 2]
    python benchmarks/near_duplicates.py --records 1000000 --alone

Beside evolray runs datasketch (MinHash.bulk and MinHashLSH, `pip install datasketch`) as its documentation has it used,
with the same shingles, permutations and threshold: a record is dropped when the estimated similarity to one that was
kept before reaches the threshold. evolray is timed as the stage runs it, from shards of records on disk to decisions,
with two workers on Ray, and in this process alone; datasketch from texts in memory. A find is right when the two texts
were planted as such or the exact Jaccard similarity of their shingles reaches the threshold. `--alone` leaves
datasketch out and prints peak memory of one process that does it all. Linux only.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measuring import Row, print_table
from benchmarks.planted_copies import KINDS, Planted, make_texts
from evolray.cluster.on_ray import cluster
from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import Folder, LocalFolder, shard_name
from evolray.records import SEED, Record, Seed
from evolray.refine.duplicates.clusters import record_ids
from evolray.refine.duplicates.search import Duplicates, find_duplicates
from evolray.refine.duplicates.signatures import MakeSignatures
from evolray.refine.duplicates.tokens import shingles
from evolray.refine.index import Index, read_index
from evolray.refine.on_ray import run_step
from evolray.refine.steps.step import Counts, ShardStep
from evolray.refine.tables import RECORDS, RECORDS_SCHEMA, write_rows

SHARD_SIZE = 10_000
WORKERS = 2


def write_records(folder: Folder, texts: Sequence[str]) -> None:
    for begin in range(0, len(texts), SHARD_SIZE):
        records = [
            Record(Seed(text).root_id, 0, None, "open", SEED, "", text, "")
            for text in texts[begin : begin + SHARD_SIZE]
        ]
        rows = [{name: getattr(one, name, "texts") for name in RECORDS_SCHEMA.names} for one in records]
        write_rows(
            folder, shard_name(RECORDS, begin // SHARD_SIZE), [row | {"context": []} for row in rows], RECORDS_SCHEMA
        )


Run = Callable[[ShardStep, Iterable[int]], None]


def decide(
    folder: Folder, config: NearDuplicatesConfig, memory_mb: int, run: Run
) -> tuple[Index, Duplicates, dict[str, float]]:
    """As the stage does it; seconds by step."""
    begun = time.monotonic()
    index = read_index(folder, ("texts",))
    read = time.monotonic()
    run(MakeSignatures(config), index.shards)
    signed = time.monotonic()
    found = find_duplicates(folder, index, config, memory_mb, run)
    done = time.monotonic()
    return (
        index,
        found,
        {"index": read - begun, "signatures": signed - read, "search": done - signed, "all": done - begun},
    )


def in_process(folder: Folder) -> Run:
    def run(step: ShardStep, numbers: Iterable[int]) -> None:
        for number in numbers:
            step.run(folder, number)

    return run


def on_ray(folder: Folder, workers: int) -> Run:
    return lambda step, numbers: run_step("near", step, folder, list(numbers), workers, ignore)


def ignore(shard: int, counts: Counts) -> None:
    """Nobody watches."""


def pairs_by_text(folder: Folder, index: Index, found: Duplicates, text_of: dict[str, str]) -> dict[str, str]:
    """Dropped text -> the text that stays for it."""
    dropped = np.flatnonzero(found.kept >= 0)
    ids = zip(record_ids(index, dropped), record_ids(index, found.kept[dropped]), strict=True)
    return {text_of[gone]: text_of[stays] for gone, stays in ids}


# --- datasketch ---


def with_datasketch(texts: Sequence[str], config: NearDuplicatesConfig) -> dict[str, str]:
    """Dropped text -> the first kept text that it resembles. `texts` in the order in which they are kept."""
    from datasketch import MinHash, MinHashLSH

    found = shingles([(text,) for text in texts], config.shingle)
    encoded = found.hashes.tobytes()
    sets = (
        [encoded[8 * at : 8 * at + 8] for at in range(begin, end)]
        for begin, end in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
    )
    signatures = MinHash.bulk(sets, num_perm=config.permutations, seed=config.seed)
    search = MinHashLSH(threshold=config.threshold, num_perm=config.permutations)
    dropped = {}
    for number, signature in enumerate(signatures):
        alike = [other for other in search.query(signature) if signatures[other].jaccard(signature) >= config.threshold]
        if alike:
            dropped[texts[number]] = texts[min(alike)]
        else:
            search.insert(number, signature)
    return dropped


# --- what is compared ---


def exact_similarity(pairs: Iterable[tuple[str, str]], config: NearDuplicatesConfig) -> list[float]:
    values = []
    for pair in pairs:
        found = shingles([(text,) for text in pair], config.shingle)
        one, other = (set(found.hashes[found.offsets[n] : found.offsets[n + 1]].tolist()) for n in (0, 1))
        values.append(len(one & other) / max(1, len(one | other)))
    return values


def print_quality(planted: Sequence[Planted], results: dict[str, dict[str, str]], config: NearDuplicatesConfig) -> None:
    family = {text: number for number, one in enumerate(planted) for text in (one.original, one.copy)}
    similar = exact_similarity([(one.original, one.copy) for one in planted], config)
    print(f"\n{'recall':22}{'planted':>9}{'similar':>9}" + "".join(f"{name:>14}{'of similar':>12}" for name in results))
    for kind in KINDS:
        line, these = f"{kind:22}", [n for n, one in enumerate(planted) if one.kind == kind]
        near = {n for n in these if similar[n] >= config.threshold}
        line += f"{len(these):9}{len(near):9}"
        for dropped in results.values():
            hits = {n for n in these if planted[n].original in dropped or planted[n].copy in dropped}
            line += f"{len(hits) / max(1, len(these)):14.3f}{len(hits & near) / max(1, len(near)):12.3f}"
        print(line)
    print(f"\n{'precision':22}{'pairs':>9}{'planted':>9}{'similar':>9}{'right':>9}{'lowest':>9}")
    for name, dropped in results.items():
        values = exact_similarity(dropped.items(), config)
        own = [gone in family and family[gone] == family.get(stays) for gone, stays in dropped.items()]
        alike = [value >= config.threshold for value in values]
        right = sum(a or b for a, b in zip(own, alike, strict=True))
        print(
            f"{name:22}{len(own):9}{sum(own):9}{sum(alike):9}{right / max(1, len(own)):9.3f}"
            f"{min(values, default=1):9.2f}"
        )


def compare(
    folder: Folder, texts: list[str], planted: list[Planted], config: NearDuplicatesConfig, memory_mb: int
) -> None:
    text_of = {f"{Seed(text).root_id}.g0": text for text in texts}
    index, alone, seconds = decide(folder, config, memory_mb, in_process(folder))
    with cluster():
        on_ray(folder, WORKERS)(MakeSignatures(config), index.shards[:WORKERS])  # the workers have started
        _, found, seconds_on_ray = decide(folder, config, memory_mb, on_ray(folder, WORKERS))
        same = all(
            all(np.array_equal(getattr(found, name), getattr(other, name)) for name in ("kept", "similarity", "kind"))
            for other in (alone, *(decide(folder, config, memory_mb, on_ray(folder, n))[1] for n in (1, 4)))
        )
    # Both decide in the same order, so that differences are the search's.
    ordered = [text_of[one] for one in record_ids(index, index.order())]
    begun = time.monotonic()
    theirs = with_datasketch(ordered, config)
    took = time.monotonic() - begun
    ours = pairs_by_text(folder, index, found, text_of)
    print_quality(planted, {"evolray": ours, "datasketch": theirs}, config)
    print(
        f"\n{found.turns} turns; in this process: "
        + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    )
    rows = [
        Row(
            f"seconds, {WORKERS} workers on Ray",
            f"{seconds_on_ray['all']:.1f}",
            f"{took:.1f}",
            seconds_on_ray["all"] / took,
            0.5,
        ),
        Row("seconds, this process alone", f"{seconds['all']:.1f}", f"{took:.1f}", seconds["all"] / took),
        Row("same for 0, 1, 2 and 4 workers", str(same), "", float(same), 1.0, at_least=True),
    ]
    print_table("from texts to decisions", rows, ("evolray", "datasketch", "ratio"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--data", type=Path, help="a JSON list of instructions (Alpaca's form) to plant in")
    parser.add_argument("--threshold", type=float, default=NearDuplicatesConfig.threshold)
    parser.add_argument("--shingle", type=int, default=NearDuplicatesConfig.shingle)
    parser.add_argument("--permutations", type=int, default=NearDuplicatesConfig.permutations)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    config = NearDuplicatesConfig(threshold=args.threshold, shingle=args.shingle, permutations=args.permutations)
    with tempfile.TemporaryDirectory() as place:
        folder: Any = LocalFolder(place)
        texts, planted = make_texts(args.records, args.data)
        write_records(folder, texts)
        print(f"{len(texts):,} records, {len(planted):,} planted; {config}", flush=True)
        if not args.alone:
            compare(folder, texts, planted, config, args.memory_mb)
            return
        process = multiprocessing.get_context("spawn").Process(target=alone, args=(folder, config, args.memory_mb))
        process.start()
        process.join()


def alone(folder: Folder, config: NearDuplicatesConfig, memory_mb: int) -> None:
    """In a process that has not made the texts."""
    before = peak_mb()
    _, found, seconds = decide(folder, config, memory_mb, in_process(folder))
    print(f"{int((~found.stays()).sum()):,} dropped in {found.turns} turns")
    print(", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()))
    print(f"peak {peak_mb():.0f} MB, {before:.0f} of them before it began")


def peak_mb() -> float:
    """Of this process, and not of the one that started it, as `resource` would have it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
