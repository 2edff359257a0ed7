"""Reading a run back: records, lineages, tables and totals, and clear words when something is not there."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import LocalFolder
from evolray.pool.manifest import Manifest, write_manifest
from evolray.pool.pool import Pool, is_run
from evolray.pool.shards import ELIMINATED, FAILED, POOL, SCHEMAS, SEEDS, encode, read_table, write_shard
from evolray.records import SEED, Eliminated, Failed, Outcome, Record, Seed, Turn

CONTEXT = (Turn("user", "Name a tree."), Turn("assistant", "Oak."))
SEEDS_BY_SHARD = [
    [Seed("Name a tree.", response="Oak."), Seed("And a flower?", context=CONTEXT)],
    [Seed("Name a river.", response="Rhine.")],
    [Seed("Never finished.")],
]
TREE, FLOWER, RIVER, UNFINISHED = [seed.root_id for shard in SEEDS_BY_SHARD for seed in shard]


def record(root: str, generation: int, parent: int | None = None, context: tuple[Turn, ...] = ()) -> Record:
    parent_id = None if parent is None else f"{root}.g{parent}"
    operator = SEED if parent is None else "deepen"
    text = f"{root} in generation {generation}"
    return Record(root, generation, parent_id, "open", operator, "", text, "Yes.", context, "m", 3, 2, generation)


OUTCOMES: list[list[Outcome]] = [
    [
        record(TREE, 0),
        Eliminated(TREE, 1, f"{TREE}.g0", "open", "mutate", "", "unchanged", "evolve", "Name a tree."),
        record(TREE, 2, parent=0),
        record(FLOWER, 0, context=CONTEXT),
        record(FLOWER, 1, 0, CONTEXT),
        record(FLOWER, 2, 1, CONTEXT),
    ],
    [
        record(RIVER, 0),
        Failed(RIVER, 1, "deepen", "timeout", "no answer", f"{RIVER}.g0"),
        Failed(RIVER, 2, "deepen", "earlier_generation", "not tried", f"{RIVER}.g0"),
    ],
]


@pytest.fixture
def run(tmp_path: Path) -> str:
    """Two finished shards of three, and what the seed file held besides."""
    folder = LocalFolder(str(tmp_path / "run"))
    total = Accounts()
    for shard, seeds in enumerate(SEEDS_BY_SHARD):
        folder.write(f"seeds/{shard:05d}.parquet", encode(SEEDS, seeds))
    for shard, outcomes in enumerate(OUTCOMES):
        accounts = Accounts()
        for outcome in outcomes:
            accounts.incoming[outcome.generation] += 1
            accounts.count(outcome)
        write_shard(folder, shard, outcomes, accounts, 2)
        total.add(accounts)
    rejected = Eliminated(TREE, 0, None, "", SEED, "", "duplicate_seed", "", "Name a tree.", "Elm.")
    folder.write("eliminated/seeds.parquet", encode(ELIMINATED, [rejected]))
    folder.write("failed/seeds.parquet", encode(FAILED, [Failed("", 0, SEED, "bad_seed", "blank", None, "s.jsonl", 7)]))
    folder.write("run.yaml", b"identity: {}\n")
    manifest = Manifest(
        folder.url, "interrupted", generations=2, seeds={"roots": 4}, accounts=total.by_generation(), kept=6,
        eliminated=1, failed=2, digest=f"{total.digest:064x}",
    )  # fmt: skip
    write_manifest(folder, manifest)
    return folder.url


def test_records_are_all_that_was_kept_shard_by_shard(run: str) -> None:
    kept = sorted((one for one in OUTCOMES[0] if isinstance(one, Record)), key=lambda one: one.id)
    assert list(Pool(run).records()) == [*kept, OUTCOMES[1][0]]


def test_the_digest_is_that_of_the_manifest(run: str) -> None:
    pool = Pool(run)
    assert pool.digest() == pool.manifest.digest
    assert len(pool.digest()) == 64


def test_the_digest_does_not_depend_on_the_shards(run: str, tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path / "one-shard"))
    outcomes = [outcome for shard in OUTCOMES for outcome in shard]
    accounts = Accounts()
    for outcome in outcomes:
        accounts.incoming[outcome.generation] += 1
        accounts.count(outcome)
    write_shard(folder, 0, outcomes, accounts, 2)
    folder.write("run.yaml", b"")
    assert Pool(folder.url).digest() == Pool(run).digest()


def test_a_lineage_is_every_outcome_of_a_root_by_generation(run: str) -> None:
    rows = Pool(run).lineage(TREE)
    assert [(row["generation"], row["fate"], row["parent_id"]) for row in rows] == [
        (0, "kept", None),
        (1, "eliminated", f"{TREE}.g0"),
        (2, "kept", f"{TREE}.g0"),
    ]
    assert rows[1]["reason"] == "unchanged"
    assert [row["fate"] for row in Pool(run).lineage(RIVER)] == ["kept", "failed", "failed"]


def test_a_lineage_is_found_by_a_record_or_a_beginning(run: str) -> None:
    pool = Pool(run)
    roots = [TREE, FLOWER, RIVER]
    for root in roots:
        shortest = next(n for n in range(1, 17) if sum(other.startswith(root[:n]) for other in roots) == 1)
        for name in (f"{root}.g2", root[:shortest], root.upper(), f"{root[:shortest]}.g1"):
            assert {row["root_id"] for row in pool.lineage(name)} == {root}


def test_a_beginning_of_several_roots_is_ambiguous(run: str) -> None:
    folder = LocalFolder(run)
    alike = [Seed(f"Seed number {n}.") for n in range(40)]  # by the pigeonhole, some begin alike
    folder.write("seeds/00000.parquet", encode(SEEDS, alike))
    first = max("0123456789abcdef", key=lambda digit: sum(seed.root_id.startswith(digit) for seed in alike))
    named = [seed.root_id for seed in alike if seed.root_id.startswith(first)]
    with pytest.raises(UserError, match=rf"begins \d+ roots: .*{named[0]}"):
        Pool(run).lineage(first)


@pytest.mark.parametrize("id", ["ffffffffffffffff", "", ".g1", "no hex", UNFINISHED])
def test_a_root_that_is_not_there_or_not_finished_is_said_to_be_so(run: str, id: str) -> None:
    with pytest.raises(UserError, match=r"has no finished root .* 1 shards are not finished yet"):
        Pool(run).lineage(id)


def test_the_longest_lineage_is_one_to_look_at(run: str) -> None:
    """One with an elimination says more than one without, however long."""
    assert Pool(run).longest_lineage() == TREE


def test_a_run_without_a_finished_shard_has_no_lineage(tmp_path: Path) -> None:
    LocalFolder(str(tmp_path)).write("run.yaml", b"")
    pool = Pool(str(tmp_path))
    with pytest.raises(UserError, match="no shard is finished yet"):
        pool.longest_lineage()
    assert list(pool.records()) == []
    assert pool.to_arrow().num_rows == 0 and pool.to_arrow().schema.names == SCHEMAS[POOL].names
    assert int(pool.digest(), 16) == 0
    assert "0 records of 0 roots" in repr(pool)


def test_a_place_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evolray run here"):
        Pool(str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_tables_hold_what_was_kept_eliminated_and_failed(run: str) -> None:
    pool = Pool(run)
    assert {kind: pool.to_arrow(kind).num_rows for kind in (POOL, ELIMINATED, FAILED)} == {
        POOL: 5 + 1,
        ELIMINATED: 1 + 1,
        FAILED: 2 + 1,
    }
    assert sorted(pool.to_arrow(ELIMINATED)["reason"].to_pylist()) == ["duplicate_seed", "unchanged"]
    assert sorted(pool.to_arrow(FAILED)["cause"].to_pylist()) == ["bad_seed", "earlier_generation", "timeout"]
    assert pool.to_arrow(FAILED).schema.equals(SCHEMAS[FAILED])


def test_a_frame_has_a_row_per_record(run: str) -> None:
    frame = Pool(run).to_pandas()
    assert list(frame["id"])[-1] == f"{RIVER}.g0"
    assert len(frame) == 6
    assert list(frame.columns) == SCHEMAS[POOL].names


def test_columns_that_all_shards_have_besides_stay(run: str) -> None:
    """A refine run's pool has such; one that only some shards have cannot be in a table of all."""
    folder = LocalFolder(run)
    for shard, columns in ((0, {"difficulty": 3, "only_here": 1}), (1, {"difficulty": 4})):
        table = read_table(folder, f"pool/{shard:05d}.parquet")
        for name, value in columns.items():
            table = table.append_column(name, pa.array([value] * len(table), pa.int8()))
        sink = io.BytesIO()
        pq.write_table(table, sink)
        folder.write(f"pool/{shard:05d}.parquet", sink.getvalue())
    pool = Pool(run)
    assert pool.to_arrow().schema.names == [*SCHEMAS[POOL].names, "difficulty"]
    assert set(pool.to_pandas()["difficulty"]) == {3, 4}
    assert pool.digest() == pool.manifest.digest
    assert len(list(pool.records())) == 6


def test_a_manifest_that_was_edited_is_named(run: str) -> None:
    (Path(run) / "manifest.json").write_text("[]")
    with pytest.raises(UserError, match=r"manifest\.json cannot be read"):
        _ = Pool(run).manifest


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.json.gz", "hf:name:split", "s3://b/data.parquet"])
def test_a_file_is_no_run(name: str) -> None:
    assert not is_run(name)


def test_a_run_is_one_before_its_first_shard(run: str, tmp_path: Path) -> None:
    assert is_run(run)
    LocalFolder(str(tmp_path / "begun")).write("seeds/00000.parquet", b"")
    assert is_run(str(tmp_path / "begun"))
    (tmp_path / "empty").mkdir()
    assert not is_run(str(tmp_path / "empty")) and not is_run(str(tmp_path / "nowhere"))


def test_a_pool_says_what_it_is(run: str) -> None:
    said = repr(Pool(run))
    assert said == f"Pool({run}: 6 records of 4 roots, 2 generations, interrupted; 1 eliminated, 2 failed)"


def test_a_pool_without_a_manifest_counts_its_records(run: str) -> None:
    (Path(run) / "manifest.json").unlink()
    pool = Pool(run)
    assert pool.manifest.status == "interrupted"
    assert f"Pool({run}: 6 records" in repr(pool)
