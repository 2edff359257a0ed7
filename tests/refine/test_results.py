"""Reading a refine run from Python, by every way in that a pool has."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from evolray.config import TrainConfig
from evolray.errors import UserError
from evolray.pool.export import export
from evolray.pool.layout import LocalFolder
from evolray.pool.pool import Pool
from evolray.pool.shards import ELIMINATED, POOL, to_table
from evolray.records import SEED, Record
from evolray.refine import manifest as manifests
from evolray.refine.manifest import RefineManifest
from evolray.refine.results import Refined
from evolray.refine.tables import (
    CLUSTERS,
    CLUSTERS_SCHEMA,
    DROPPED_SCHEMA,
    LEAKS_SCHEMA,
    MIX_SCHEMA,
    write_rows,
    write_table,
)
from evolray.train.tokenising.sources import find_sources, read

ROOTS = [letter * 16 for letter in "abc"]


def table_of(records: list[Record], schema: pa.Schema, **columns: str) -> pa.Table:
    rows = [
        {**row, "source": "a", "difficulty": 4, "skills": ["Math"], **columns}
        for row in to_table(POOL, records).to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def record(root: str, generation: int) -> Record:
    return Record(root, generation, None, "open", "deepen" if generation else SEED, "", f"Q{generation}?", "Yes.")


def leak(item: str) -> dict[str, object]:
    return {
        name: item if name == "item" else 1.0 if name == "score" else 3 if name == "row" else "x"
        for name in LEAKS_SCHEMA.names
    }


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = LocalFolder(str(tmp_path / "mix"))
    folder.write("run.yaml", b"identity: {}\n")
    write_table(folder, "pool/00000.parquet", table_of([record(ROOTS[0], 0), record(ROOTS[0], 2)], MIX_SCHEMA))
    write_table(folder, "pool/00003.parquet", table_of([], MIX_SCHEMA))
    why = {"reason": "near_duplicate", "detail": f"resembles {ROOTS[0]}.g0 of a: 0.80"}
    write_table(folder, "dropped/00000.parquet", table_of([record(ROOTS[1], 0)], DROPPED_SCHEMA, **why))
    why = {"reason": "leak", "detail": "mbpp 11"}
    write_table(folder, "dropped/00003.parquet", table_of([record(ROOTS[2], 1)], DROPPED_SCHEMA, **why))
    write_rows(folder, "leaks/00003.parquet", [leak("11")], LEAKS_SCHEMA)
    write_rows(folder, "leaks-by-execution/00003.parquet", [leak("12")], LEAKS_SCHEMA)
    cluster = {name: "x" for name in CLUSTERS_SCHEMA.names}
    rows = [{**cluster, "kept": f"{ROOTS[0]}.g0", "similarity": 0.8}, {**cluster, "kept": "another", "similarity": 1.0}]
    write_rows(folder, CLUSTERS, rows, CLUSTERS_SCHEMA)
    manifest = RefineManifest(
        folder.url, "complete", records=4, generations=2, dropped={"near_duplicate": 1, "leak": 1, "generation": 0},
        mix={"records": 2}, calls=7, cost=0.5,
    )  # fmt: skip
    manifests.write(folder, manifest)
    return folder.url


def test_what_was_dropped_with_its_reason(run: str) -> None:
    frame = Refined(run).dropped()
    assert list(frame["id"]) == [f"{ROOTS[1]}.g0", f"{ROOTS[2]}.g1"]
    assert list(frame["reason"]) == ["near_duplicate", "leak"]
    assert list(Refined(run).dropped("leak")["detail"]) == ["mbpp 11"]
    assert list(Refined(run).dropped("leak", columns=["id", "reason"]).columns) == ["id", "reason"]
    assert Refined(run).dropped("over_budget").empty


def test_leaks_of_both_searches_and_clusters(run: str) -> None:
    refined = Refined(run)
    assert list(refined.leaks()["item"]) == ["11", "12"]
    assert len(refined.clusters()) == 2
    assert list(refined.dropped_for(f"{ROOTS[0]}.g0")["similarity"]) == pytest.approx([0.8])
    assert refined.dropped_for("nobody").empty


def test_a_run_that_looked_for_nothing_has_empty_frames(run: str) -> None:
    for name in (CLUSTERS, "leaks/00003.parquet", "leaks-by-execution/00003.parquet"):
        (Path(run) / name).unlink()
    assert Refined(run).leaks().empty and list(Refined(run).leaks().columns) == LEAKS_SCHEMA.names
    assert Refined(run).clusters().empty and Refined(run).dropped_for("x").empty


def test_it_says_what_it_is(run: str) -> None:
    refined = Refined(run)
    assert refined.manifest.records == 4 and refined.manifest.dropped["leak"] == 1
    assert repr(refined) == f"Refined({run}: 2 of 4 records, complete; dropped: near_duplicate 1, leak 1)"


def test_another_run_is_no_refine_run(tmp_path: Path) -> None:
    LocalFolder(str(tmp_path)).write("run.yaml", b"")
    with pytest.raises(UserError, match="no refine run here"):
        Refined(str(tmp_path))


# --- the ways in that are not refine's own ---


def test_it_is_a_pool(run: str) -> None:
    pool = Pool(run)
    assert list(pool.records()) == [record(ROOTS[0], 0), record(ROOTS[0], 2)]
    assert (pool.manifest.status, pool.manifest.generations, pool.manifest.kept) == ("complete", 2, 2)
    assert (pool.manifest.calls, pool.manifest.cost) == (7, 0.5)
    assert list(pool.to_pandas()["difficulty"]) == [4, 4]
    assert repr(pool) == f"Pool({run}: 2 records, 2 generations; refine, complete)"


def test_it_has_no_lineages_and_nothing_eliminated(run: str) -> None:
    for ask in (Pool(run).longest_lineage, lambda: Pool(run).lineage(ROOTS[0]), lambda: Pool(run).to_arrow(ELIMINATED)):
        with pytest.raises(UserError, match="is a run of refine: only evolve runs have lineages"):
            ask()


def test_it_is_exported(run: str, tmp_path: Path) -> None:
    assert export(run, tmp_path / "a.json") == 2
    assert export(run, tmp_path / "a.parquet") == 2


def test_it_is_trained_on(run: str) -> None:
    sources = find_sources(TrainConfig(run="t", data=run, model="m", generations=[2]))
    assert [one.id for source in sources for one in read(source)] == [f"{ROOTS[0]}.g2"]
    with pytest.raises(UserError, match="generations: the pool has 0 to 2, not 3"):
        find_sources(TrainConfig(run="t", data=run, model="m", generations=[3]))


def test_it_is_not_trained_on_before_it_is_whole(run: str) -> None:
    folder = LocalFolder(run)
    content = json.loads(folder.read("manifest.json"))
    folder.write("manifest.json", json.dumps({**content, "status": "interrupted"}).encode())
    with pytest.raises(UserError, match="this refine run is interrupted; finish it first"):
        find_sources(TrainConfig(run="t", data=run, model="m"))
