"""What is common to all work: what it costs, whom it asks, how many shards it keeps open, that it travels."""

import pickle
from typing import Any

import pytest
from ray import cloudpickle  # what Ray uses

from evolray.config import EngineConfig
from evolray.pool.accounts import Usage
from evolray.pool.layout import LocalFolder, RemoteFolder, open_folder
from tests.engine.small import words

SERVED: dict[str, Any] = {"kind": "endpoint", "base_url": "http://localhost:1/v1"}


def answer(call: object) -> str:
    return "Yes."


def test_every_role_costs_at_its_own_prices() -> None:
    work = words(answer, {"price_per_million_prompt_tokens": 2.0}, price_per_million_prompt_tokens=5.0)
    assert work.cost({"respond": Usage(1, 1_000_000, 9), "judge": Usage(1, 100_000, 9)}) == pytest.approx(2.5)
    assert work.cost({}) == 0.0


def test_one_model_has_one_group_of_limits_and_another_its_own() -> None:
    assert set(words(answer).groups) == {"teacher"}
    assert set(words(answer, model="n").groups) == {"teacher", "judge"}


def test_endpoints_are_listed_once() -> None:
    assert len(words(answer, SERVED).endpoints) == 1
    assert len(words(answer, SERVED, temperature=0.0).endpoints) == 2
    assert words(answer).endpoints == []


@pytest.mark.parametrize(
    ("in_flight", "size", "shards"), [(256, 256, 8), (1, 256, 2), (1000, 1, 64), ("auto", 256, 32)]
)
def test_open_shards_follow_from_the_calls_in_flight(in_flight: Any, size: int, shards: int) -> None:
    work = words(answer, {"max_in_flight": in_flight})
    assert work.shards_in_flight(EngineConfig(shard_size=size)) == shards
    assert work.shards_in_flight(EngineConfig(shard_size=size, shards_in_flight=3)) == 3


def test_work_travels_to_actors() -> None:
    work = words(answer, SERVED)
    assert pickle.loads(cloudpickle.dumps(work)) == work


def test_a_run_directory_travels_to_actors_with_its_credentials(tmp_path: Any) -> None:
    """As an actor elsewhere must open it, whatever its own working directory and environment are."""
    local = open_folder(str(tmp_path))
    again = pickle.loads(cloudpickle.dumps(local))
    assert isinstance(local, LocalFolder) and again.path == local.path
    remote = open_folder("s3://key:secret@bucket/run?endpoint_override=localhost:1&scheme=http&region=eu-west-1")
    again = pickle.loads(cloudpickle.dumps(remote))
    assert isinstance(remote, RemoteFolder) and isinstance(again, RemoteFolder)
    assert (again._files, again._path, again.url) == (remote._files, "bucket/run", "s3://bucket/run")
