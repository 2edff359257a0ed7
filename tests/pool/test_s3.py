"""A run directory in an object store: a real S3 protocol over a socket, served by moto, worked on without a cluster."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evolray.config import EvolveConfig, from_mapping
from evolray.engine import worker as worker_module
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Orders, Report, Stop
from evolray.engine.worker import Worker
from evolray.errors import EvolrayError
from evolray.evolve.plan import make_plan
from evolray.evolve.stage import Run
from evolray.method.teacher import Call, Completion
from evolray.pool.accounts import Accounts
from evolray.pool.export import export, export_into
from evolray.pool.intake import take_in
from evolray.pool.layout import Folder, hold, open_folder, shards_in
from evolray.pool.ledger import SegmentedLedger, open_ledger, read_ledger, shards_with_ledger
from evolray.pool.manifest import Manifest, describe_run, read_manifest, write_manifest
from evolray.pool.pool import Pool
from evolray.pool.shards import read_accounts
from evolray.teachers.simulated import SimulatedTeacher

pytest.importorskip("boto3")
server = pytest.importorskip("moto.server")

BUCKET, ROOTS, GENERATIONS = "a-bucket", 9, 2
KEY_ID, SECRET = "AKIAOPENSESAME00", "a-secret/of+the-tests"
TEACHER = SimulatedTeacher(flaws=0.2)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """host:port of an S3 server with an empty bucket."""
    import boto3

    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    client.close()
    yield f"{host}:{port}"
    moto.stop()


@pytest.fixture
def run(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a run directory that does not exist yet. The credentials are in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(worker_module, "EXCHANGE_SECONDS", 0.005)
    return f"s3://{BUCKET}/{tmp_path.name}/run?endpoint_override={endpoint}&scheme=http&region=us-east-1"


@pytest.fixture
def config(run: str, tmp_path: Path) -> EvolveConfig:
    rows = [{"instruction": f"Explain number {n} to a child.", "output": "It is one."} for n in range(ROOTS)]
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return from_mapping(
        EvolveConfig,
        {
            "run": run, "seeds.path": str(tmp_path / "seeds.jsonl"), "generations": GENERATIONS,
            "teacher.kind": "scripted", "engine.shard_size": 4,
        },
    )  # fmt: skip


def evolve(config: EvolveConfig, calls_before_stop: int | None = None) -> tuple[list[Call], list[int]]:
    """Work off what is missing, and return the calls that were made and the shards that were finished."""
    asked: list[Call] = []

    async def script(call: Call) -> Completion:
        asked.append(call)
        if len(asked) == calls_before_stop:
            coordinator.stop(Stop("interrupted", "interrupted"))
        elif calls_before_stop and len(asked) > calls_before_stop:
            await asyncio.get_running_loop().create_future()
        return TEACHER.answer(call.messages)

    async def exchange(report: Report) -> Orders:
        return coordinator.exchange(report, time.monotonic())

    plan, folder = make_plan(config, script=script), open_folder(config.run)  # type: ignore[arg-type]
    described = asdict(config) | {"run": folder.url}
    describe_run(folder, described, plan.method.domain.prompt_hashes(), plan.identity(config))
    intake = take_in(folder, config.seeds, config.engine.shard_size)
    coordinator = Coordinator(plan, config.budget, Accounts(), {})
    todo = sorted(set(intake.shards) - set(shards_in(folder, "pool")))
    worker = Worker("worker", plan, folder, exchange)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(worker.run_shard, todo))
    worker.close()
    total = Accounts()
    for shard in shards_in(folder, "pool"):
        total.add(read_accounts(folder, shard)[0])
    write_manifest(folder, Manifest(folder.url, "complete", digest=f"{total.digest:064x}", kept=total.total("kept")))
    return asked, [result.shard for result in results if result.accounts]


def objects(folder: Folder, *below: str) -> dict[str, bytes]:
    return {f"{name}/{file}": folder.read(f"{name}/{file}") for name in below for file in folder.names(name)}


def forget(run: str, *names: str) -> None:
    from pyarrow import fs

    files, path = fs.FileSystem.from_uri(run)
    for name in names:
        files.delete_file(f"{path}/{name}")


def test_a_file_is_there_once_it_is_written(run: str) -> None:
    folder = open_folder(run)
    assert not folder.is_local
    assert folder.names("pool") == [] and not folder.exists("run.yaml") and read_manifest(folder) is None
    folder.write("pool/00001.parquet", b"one")
    folder.write("pool/00000.parquet", b"\0" * 6_000_000)  # more than one part of an upload
    folder.write("pool/00001.parquet", b"one, again")
    assert folder.names("pool") == ["00000.parquet", "00001.parquet"]
    assert shards_in(folder, "pool") == [0, 1]
    assert folder.read("pool/00001.parquet") == b"one, again"
    assert folder.exists("pool/00000.parquet") and not folder.exists("pool/00002.parquet")
    with folder.open("pool/00000.parquet") as file:
        assert file.size() == 6_000_000


@pytest.mark.parametrize("end", ["", "/"])
def test_a_slash_at_the_end_makes_no_other_directory(run: str, end: str) -> None:
    path, _, query = run.partition("?")
    open_folder(run).write("pool/00000.parquet", b"one")
    assert open_folder(f"{path}{end}?{query}").names("pool") == ["00000.parquet"]


def test_a_bucket_that_is_not_there_is_named(run: str) -> None:
    folder = open_folder(run.replace(BUCKET, "no-such-bucket"))
    with pytest.raises(EvolrayError, match=r"s3://no-such-bucket/.*/run\.yaml: cannot write") as raised:
        folder.write("run.yaml", b"")
    assert SECRET not in str(raised.value) and KEY_ID not in str(raised.value)


def test_the_ledger_of_a_shard_is_segments(run: str) -> None:
    folder = open_folder(run)
    ledger = open_ledger(folder, 3)
    assert isinstance(ledger, SegmentedLedger)
    ledger.close()
    assert shards_with_ledger(folder) == []


def test_a_run_is_worked_off_as_in_a_local_directory(config: EvolveConfig, tmp_path: Path) -> None:
    asked, finished = evolve(config)
    assert finished == [0, 1, 2]
    config.run = str(tmp_path / "local")
    local_asked, _ = evolve(config)
    assert len(asked) == len(local_asked) > 3 * ROOTS


def test_the_files_of_a_run_are_those_of_a_local_one(config: EvolveConfig, tmp_path: Path) -> None:
    evolve(config)
    there = open_folder(config.run)
    config.run = str(tmp_path / "local")
    evolve(config)
    kinds = ("seeds", "pool", "eliminated", "failed")
    assert objects(there, *kinds) == objects(open_folder(config.run), *kinds)
    assert len(objects(there, *kinds)) == 3 * 4 + 2
    assert shards_with_ledger(there) == [0, 1, 2]
    assert all(read_ledger(there, shard) for shard in (0, 1, 2))


def test_a_finished_run_is_read_where_it_lies(config: EvolveConfig, tmp_path: Path) -> None:
    evolve(config)
    pool = Pool(config.run)
    assert pool.digest() == pool.manifest.digest
    records = list(pool.records())
    assert len(records) == pool.manifest.kept == len(pool.to_pandas())
    assert len({record.root_id for record in records}) == ROOTS
    assert [row["generation"] for row in pool.lineage(records[0].root_id)] == list(range(GENERATIONS + 1))
    assert export(pool, tmp_path / "pool.jsonl") == len(records)
    assert pool.folder.read(export_into(pool.folder, pool, "jsonl")) == (tmp_path / "pool.jsonl").read_bytes()
    assert repr(pool).startswith(f"Pool(s3://{BUCKET}/")


def test_a_lost_pool_file_is_made_again_from_the_ledger_alone(config: EvolveConfig) -> None:
    asked, _ = evolve(config)
    folder = open_folder(config.run)
    before = objects(folder, "pool", "eliminated", "failed")
    forget(config.run, "pool/00001.parquet")
    again, finished = evolve(config)
    assert (len(asked) > 0, again, finished) == (True, [], [1])
    assert objects(folder, "pool", "eliminated", "failed") == before


def test_an_interrupted_run_goes_on_with_what_was_answered(
    config: EvolveConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(worker_module, "DRAIN_SECONDS", 0.0)
        _, finished = evolve(config, calls_before_stop=20)
    folder = open_folder(config.run)
    assert len(finished) < 3 and shards_in(folder, "pool") == finished  # the last shard has a single root
    assert sum(len(read_ledger(folder, shard)) for shard in shards_with_ledger(folder)) == 20
    rest, more = evolve(config)
    assert sorted(finished + more) == [0, 1, 2]
    digest = Pool(config.run).digest()
    config.run = str(tmp_path / "local")
    whole, _ = evolve(config)
    assert 20 + len(rest) == len(whole)
    assert digest == Pool(config.run).digest()


def test_a_store_has_no_locks_so_holding_it_is_allowed_twice(run: str) -> None:
    folder = open_folder(run)
    with hold(folder), hold(open_folder(run)):
        assert folder.names("") == []  # nor does it leave anything there


def test_credentials_are_in_nothing_that_is_left(config: EvolveConfig) -> None:
    """Neither those of the environment nor those of the URL."""
    address = config.run.replace("s3://", f"s3://{KEY_ID}:a-secret%2Fof%2Bthe-tests@")
    config.run = address
    evolve(config)
    plan = make_plan(config, script=lambda call: "")
    Run(config, plan, open_folder(address)).write("complete")  # the descriptions of a real run
    folder = open_folder(address)
    left: dict[str, Any] = objects(
        folder, "seeds", "pool", "eliminated", "failed", *(f"ledger/{n:05d}" for n in range(3))
    )
    left |= {name: folder.read(name) for name in ("run.yaml", "manifest.json")}
    assert len(left) >= 3 * 5 + 4
    for name, data in left.items():
        assert b"a-secret" not in data and KEY_ID.encode() not in data, name
    pool = Pool(address)
    assert "a-secret" not in repr(pool) + pool.manifest.run + folder.url
