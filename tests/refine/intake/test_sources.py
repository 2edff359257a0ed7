"""What is refined: names, weights and columns of sources, and clear words before anything starts."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from evolray.config import RefineConfig
from evolray.errors import UserError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import LocalFolder
from evolray.pool.shards import write_shard
from evolray.records import SEED, Record
from evolray.refine.intake.sources import Source, find_sources, name_of


def sources(tmp_path: Path, data: Any, **settings: Any) -> tuple[Source, ...]:
    return find_sources(RefineConfig(run=str(tmp_path / "mix"), data=data, **settings))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([{"instruction": "Add 1.", "output": "1"}]))
    return str(path)


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = LocalFolder(str(tmp_path / "runs" / "code"))
    folder.write("run.yaml", b"")
    accounts = Accounts()
    record = Record("a" * 16, 0, None, "open", SEED, "", "Add 1.", "1")
    accounts.incoming[0] += 1
    accounts.count(record)
    write_shard(folder, 0, [record], accounts, 0)
    return folder.url


def test_one_path_is_one_source_named_by_its_last_part(tmp_path: Path, file: str, run: str) -> None:
    assert sources(tmp_path, file) == (Source("alpaca", file),)
    assert sources(tmp_path, run) == (Source("code", run),)
    assert sources(tmp_path, {"path": file}) == (Source("alpaca", file),)


def test_names_of_a_list_are_made_unique(tmp_path: Path, file: str, run: str) -> None:
    assert [one.name for one in sources(tmp_path, [file, run, file, {"path": file}])] == [
        "alpaca", "code", "alpaca-2", "alpaca-3",
    ]  # fmt: skip


def test_a_mapping_names_its_sources_with_weights_and_columns(tmp_path: Path, file: str, run: str) -> None:
    data = {
        "one": {"path": run, "weight": 3},
        "two": {"path": file, "weight": 0.5, "columns": {"response": "output", "instruction": "instruction"}},
    }
    columns = (("instruction", "instruction"), ("response", "output"))
    assert sources(tmp_path, data) == (Source("one", run, 3.0), Source("two", file, 0.5, columns))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "path=''; expected a path"),
        ([], "data is empty"),
        ({}, "data is empty"),
        (7, "path=7; expected a path, a list of them, or name"),
        ({"a": {"path": "FILE", "wieght": 1}}, "keys wieght; expected some of path, weight, columns"),
        ({"a": {"path": "FILE", "weight": 1}, "b": "FILE"}, "b have no weight and others do"),
        ({"a": {"path": "FILE", "weight": 0}}, "weight=0; expected a number above 0"),
        ({"a": {"path": "FILE", "weight": True}}, "weight=True"),
        ({"a": {"path": "FILE", "weight": float("inf")}}, "weight=inf"),
        ({"a": {"path": "FILE", "columns": {"response": "b"}}}, "response: b.*has instruction, output"),
        ({"a": {"path": "FILE", "columns": ["b"]}}, r"columns=\['b'\]; expected"),
        ({"a": {"path": "RUN", "columns": {"response": "b"}}}, "it is a run, whose columns are known"),
        ("/nowhere/at-all.json", "no such file"),
        ("/nowhere/at-all", "no such file"),
    ],
)
def test_what_cannot_be_refined_is_refused(tmp_path: Path, file: str, run: str, data: Any, message: str) -> None:
    text = json.dumps(data).replace("FILE", file).replace("RUN", run)
    with pytest.raises(UserError, match=message):
        sources(tmp_path, json.loads(text))


def test_a_limit_of_none_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(UserError, match="limit is 0; expected a number from 1 on"):
        sources(tmp_path, file, limit=0)


def test_an_empty_file_and_an_empty_run_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match="holds no entry"):
        sources(tmp_path, str(tmp_path / "a.json"))
    LocalFolder(str(tmp_path / "run")).write("run.yaml", b"")
    with pytest.raises(UserError, match="the pool is empty; no shard of this run is finished yet"):
        sources(tmp_path, str(tmp_path / "run"))


def test_a_run_cannot_be_refined_into_itself(run: str) -> None:
    with pytest.raises(UserError, match="is run= itself"):
        find_sources(RefineConfig(run=run, data=run))


def test_a_mix_that_is_not_whole_is_no_source(tmp_path: Path, run: str) -> None:
    folder = LocalFolder(run)
    folder.write("manifest.json", json.dumps({"stage": "refine", "run": run, "status": "interrupted"}).encode())
    with pytest.raises(UserError, match="this refine run is interrupted; finish it first"):
        sources(tmp_path, run)
    folder.write("manifest.json", json.dumps({"stage": "refine", "run": run, "status": "complete"}).encode())
    assert [one.name for one in sources(tmp_path, run)] == ["code"]


def test_shards_that_are_not_finished_are_said_to_be_left_out(
    tmp_path: Path, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sources(tmp_path, run)
    assert not caplog.messages
    for shard in range(3):
        LocalFolder(run).write(f"seeds/{shard:05d}.parquet", b"")
    with caplog.at_level(logging.WARNING):
        sources(tmp_path, run)
    assert caplog.messages == [f"{run}: 2 shards are not finished; what they will hold is left out"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/code/", "code"),
        ("s3://key:secret@bucket/data/alpaca.json.gz", "alpaca"),
        ("hf:org/name:train", "name"),
        ("seeds.v2.jsonl", "seeds.v2"),
        ("/", "data"),
    ],
)
def test_names_of_paths(path: str, name: str) -> None:
    assert name_of(path) == name


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    assert Source("a", "s3://key:secret@bucket/a.json?access_key=k").shown == "s3://***@bucket/a.json"
    assert Source("a", "what?.json").shown == "what?.json"
