"""The mix: every record stays or is dropped with its reason and what it is based on; counts add up."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.pool.layout import LocalFolder
from evolray.pool.pool import Pool
from evolray.pool.shards import POOL, read_rows, read_table, to_table
from evolray.records import SEED, Record, Turn
from evolray.refine.duplicates.search import Duplicates
from evolray.refine.index import read_index
from evolray.refine.mix.writing import by_key, write_mix
from evolray.refine.reasons import REASONS, code
from evolray.refine.tables import (
    DROPPED_SCHEMA,
    FEATURES_SCHEMA,
    JUDGED_SCHEMA,
    LEAKS_SCHEMA,
    MIX_SCHEMA,
    RECORDS_SCHEMA,
    write_rows,
    write_table,
)

CONTEXT = (Turn("user", "Name a tree."), Turn("assistant", "Oak."))


def record(root: int, generation: int = 0, **changes: Any) -> Record:
    operator = "deepen" if generation else SEED
    values = {"domain": "open", "operator": operator, "teacher": "m", "context": CONTEXT, **changes}
    return Record(
        f"{root:016x}", generation, None, values["domain"], values["operator"], "", f"Question {root}?", "Yes.",
        values["context"], values["teacher"],
    )  # fmt: skip


SHARDS = {
    0: [("a", record(1)), ("a", record(1, 1)), ("a", record(2, domain="")), ("a", record(3))],
    2: [("b", record(1)), ("b", record(4, 2, operator="mutate")), ("b", record(5)), ("b", record(6, teacher=""))],
    5: [("b", record(7))],
}
WHY = {1: "near_duplicate", 3: "leak", 4: "exact_duplicate", 5: "operator", 6: "unjudged", 8: "over_budget"}
KEPT = {1: 7, 4: 0}


def leak(row: int, benchmark: str, item: str, kind: str, score: float) -> dict[str, Any]:
    return {
        "row": row, "id": "", "source": "a", "benchmark": benchmark, "item": item, "kind": kind,
        "where": "solution in response", "score": score, "evidence": "return a + b",
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    """Nine records in three shards, measured; the first shard's leaks and the second's verdicts."""
    folder = LocalFolder(str(tmp_path / "mix"))
    folder.write("run.yaml", b"")
    for shard, records in SHARDS.items():
        table = to_table(POOL, [one for _, one in records])
        sources = [[name for name, _ in records]]
        write_table(folder, f"records/{shard:05d}.parquet", table.append_column("source", sources).cast(RECORDS_SCHEMA))
        rows = [
            {"words": 2, "response_words": 1, "tokens": 10 + n, "constraints": 0, "steps": 0} for n in range(len(table))
        ]
        write_rows(folder, f"features/{shard:05d}.parquet", rows, FEATURES_SCHEMA)
    write_rows(folder, "leaks/00000.parquet", [leak(3, "mbpp", "11", "ngram", 0.75)], LEAKS_SCHEMA)
    write_rows(
        folder,
        "leaks-by-execution/00000.parquet",
        [leak(3, "humaneval", "HumanEval/2", "execution", 1.0)],
        LEAKS_SCHEMA,
    )
    judged = [
        {"row": 5, "id": "", "difficulty": 3, "skills": None, "cause": "", "message": ""},
        {"row": 6, "id": "", "difficulty": None, "skills": None, "cause": "no_verdict", "message": "it said: hard"},
        {"row": 7, "id": "", "difficulty": 8, "skills": ["Math", "Coding"], "cause": "", "message": ""},
    ]
    write_rows(folder, "judged/00002.parquet", judged, JUDGED_SCHEMA)
    return folder


def decided() -> tuple[np.ndarray[Any, Any], Duplicates]:
    reasons = np.zeros(9, np.uint8)
    kept, similarity, kind = np.full(9, -1, np.int64), np.zeros(9, np.float32), np.zeros(9, np.uint8)
    for row, reason in WHY.items():
        reasons[row] = code(reason)
        if row in KEPT:
            kept[row], similarity[row], kind[row] = KEPT[row], 0.8125 if row == 1 else 1, code(reason)
    return reasons, Duplicates(kept, similarity, kind)


def write(folder: LocalFolder, order: tuple[int, ...] = (0, 2, 5)) -> Counter[str]:
    step = write_mix(read_index(folder, ("a", "b")), *decided())
    total = Counter[str]()
    for shard in order:
        total.update(step.run(folder, shard))
    return total


def test_every_record_is_in_the_mix_or_dropped_with_its_reason(folder: LocalFolder) -> None:
    total = write(folder)
    pairs = [pair for shard in SHARDS.values() for pair in shard]
    assert list(Pool(folder.url).records()) == [one for row, (_, one) in enumerate(pairs) if row not in WHY]
    dropped = [row for shard in SHARDS for row in read_rows(folder, f"dropped/{shard:05d}.parquet")]
    assert [(row["source"], row["id"], row["reason"]) for row in dropped] == [
        (pairs[row][0], pairs[row][1].id, reason) for row, reason in WHY.items()
    ]
    assert (total["records"], total["mix"], total["dropped"]) == (9, 3, 6)
    assert {reason: total[f"dropped:{reason}"] for reason in REASONS[1:] if total[f"dropped:{reason}"]} == Counter(
        WHY.values()
    )


def test_details_name_what_a_drop_is_based_on(folder: LocalFolder) -> None:
    write(folder)
    details = {
        row["reason"]: row["detail"] for shard in SHARDS for row in read_rows(folder, f"dropped/{shard:05d}.parquet")
    }
    assert details == {
        "near_duplicate": "resembles 0000000000000006.g0 of b: 0.81",
        "exact_duplicate": "the same as 0000000000000001.g0 of a",
        "leak": "humaneval HumanEval/2 (and 1 more): solution in response, execution 1.00: return a + b",
        "operator": "operator mutate was not selected",
        "unjudged": "no_verdict: it said: hard",
        "over_budget": "it fits, and the budget was spent on others",
    }


def test_scores_are_in_the_mix_and_with_what_was_dropped(folder: LocalFolder) -> None:
    write(folder)
    (kept,) = read_rows(folder, "pool/00002.parquet")
    assert (kept["difficulty"], kept["skills"]) == (8, ["Math", "Coding"])
    assert [row["difficulty"] for row in read_rows(folder, "dropped/00002.parquet")] == [None, 3, None]
    assert [row["difficulty"] for row in read_rows(folder, "pool/00000.parquet")] == [None, None]


def test_files_have_their_schemas_even_where_nothing_is_in_them(folder: LocalFolder) -> None:
    write(folder)
    for shard in SHARDS:
        assert read_table(folder, f"pool/{shard:05d}.parquet").schema.equals(MIX_SCHEMA)
        assert read_table(folder, f"dropped/{shard:05d}.parquet").schema.equals(DROPPED_SCHEMA)
    assert read_table(folder, "pool/00005.parquet").num_rows == 0


def test_counts_of_the_mix_by_key(folder: LocalFolder) -> None:
    total = write(folder)
    assert total["tokens"] == 10 + 12 + 13
    assert by_key(dict(total)) == {
        "dropped": {reason: 1 for reason in sorted(WHY.values())},
        "source": {"a": 2, "b": 1},
        "generation": {"0": 3},
        "operator": {"seed": 3},
        "domain": {"open": 2, "": 1},
        "teacher": {"m": 2, "": 1},
        "difficulty": {"8": 1},
        "skill": {"Coding": 1, "Math": 1},
    }


def test_files_do_not_depend_on_the_order_of_shards(folder: LocalFolder) -> None:
    def files() -> dict[str, bytes]:
        return {
            f"{kind}/{n:05d}": folder.read(f"{kind}/{n:05d}.parquet") for kind in ("pool", "dropped") for n in SHARDS
        }

    write(folder)
    before = files()
    write(folder, (5, 2, 0))
    assert files() == before


@pytest.mark.parametrize("reason", REASONS[4:])
def test_every_reason_that_selection_gives_has_a_detail(folder: LocalFolder, reason: str) -> None:
    _, duplicates = decided()
    reasons = np.full(9, code(reason), np.uint8)
    write_mix(read_index(folder, ("a", "b")), reasons, duplicates).run(folder, 2)
    assert all(row["reason"] == reason and row["detail"] for row in read_rows(folder, "dropped/00002.parquet"))


def test_the_mix_is_a_frame_with_its_scores(folder: LocalFolder) -> None:
    write(folder)
    frame = Pool(folder.url).to_pandas()
    assert list(frame.columns) == MIX_SCHEMA.names
    assert len(frame) == 3
