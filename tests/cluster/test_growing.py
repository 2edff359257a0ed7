"""A cluster that grows by what waits for it. The test plays the autoscaler: it looks where the real one does."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table

import evolray
from evolray.cluster import on_ray as machines
from evolray.cluster.on_ray import find_machine
from evolray.cluster.shards import on_ray
from evolray.config import WorkersConfig
from evolray.errors import EvolrayError, UserError
from evolray.evaluate import on_ray as grading
from evolray.pool.layout import Folder, open_folder
from evolray.refine.on_ray import run_step
from evolray.refine.steps.step import Counts
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def no_core() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    ray.init(cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def one_core() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def pending() -> list[list[dict[str, float]]]:
    """What has no room, by group."""
    groups = placement_group_table().values()
    return [list(one["bundles"].values()) for one in groups if one["state"] == "PENDING"]


def test_what_is_waited_for_is_asked_for_and_no_longer_when_it_is_there(one_core: Cluster) -> None:
    workers = WorkersConfig(number=3, device="cpu", cpus=1.0, wait_seconds=240)
    with ThreadPoolExecutor() as threads:
        finding = threads.submit(find_machine, workers)
        wait_until(lambda: bool(pending()))
        asked = pending()
        one_core.add_node(num_cpus=2)
        assert finding.result().device == "cpu"
    assert asked == [[{"CPU": 1.0}] * 3]
    assert pending() == []


def test_what_did_not_come_is_asked_for_no_longer(one_core: Cluster) -> None:
    with pytest.raises(EvolrayError, match="needs 1 GPUs, and the cluster has 0") as waited:
        find_machine(WorkersConfig(number=1, device="gpu", cpus=1.0, wait_seconds=2))
    assert waited.value.exit_code == 1  # another try may find more
    with pytest.raises(UserError, match="needs 1 GPUs, and the cluster has 0"):
        find_machine(WorkersConfig(number=1, device="gpu", cpus=1.0))
    assert pending() == []


@ray.remote(num_gpus=1)
def hold(release: str) -> None:
    wait_until(Path(release).exists)


def test_gpus_that_others_use_are_waited_for(one_core: Cluster, tmp_path: Path, monkeypatch, caplog) -> None:
    """Though their nodes are lost meanwhile: one that comes is as good."""
    monkeypatch.setattr(machines, "LATE_SECONDS", 1.0)
    caplog.set_level("INFO", machines.__name__)
    nodes = [one_core.add_node(num_cpus=1, num_gpus=1) for _ in range(2)]
    held = [hold.remote(str(tmp_path / "release")) for _ in nodes]
    with ThreadPoolExecutor() as threads:
        finding = threads.submit(find_machine, WorkersConfig(number=1, device="gpu", cpus=1.0))
        wait_until(lambda: finding.done() or "still waiting for a GPU" in caplog.text)
        for node in nodes:
            one_core.remove_node(node, allow_graceful=False)
        assert not ray.wait(held, timeout=0)[0] and not finding.done()
        one_core.add_node(num_cpus=2, num_gpus=4)
        error = finding.exception()  # where the tests run on a machine without one
    assert error is None or "Ray has GPUs, and torch finds none on their nodes" in str(error)
    (tmp_path / "release").touch()
    ray.get(held)


def test_evolution_begins_with_the_first_node_that_comes(no_core, tmp_path, monkeypatch, caplog) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("".join(f'{{"instruction": "Describe harbour {n}."}}\n' for n in range(60)))
    monkeypatch.setattr(on_ray, "PATIENCE_SECONDS", 1.0)
    settings = {
        "run": str(tmp_path / "run"), "seeds.path": str(seeds), "generations": 1,
        "teacher.kind": "simulated", "engine.shard_size": 10, "engine.actors": 3, "engine.cpus_per_actor": 1,
    }  # fmt: skip
    missing = "each asks for 1 CPUs (the cluster has 0, 0 of them free)"
    with ThreadPoolExecutor() as threads:
        evolving = threads.submit(evolray.evolve, settings)
        wait_until(lambda: evolving.done() or missing in caplog.text)
        no_core.add_node(num_cpus=1)  # room for one of the three
        pool = evolving.result()
    assert missing in caplog.text
    assert (pool.manifest.status, len(pool.shards)) == ("complete", 6)


class Where:
    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"node": [ray.get_runtime_context().get_node_id()]}


def test_actors_that_ask_for_nothing_keep_no_other_node_from_being_idle(one_core: Cluster) -> None:
    for _ in range(2):
        one_core.add_node(num_cpus=1)
    rows = on_ray.over_shards(Where, (), range(8), actors=4, num_cpus=0).take_all()
    assert {row["node"] for row in rows} == {ray.get_runtime_context().get_node_id()}


def three_at_once(folder: Path, name: str) -> None:
    """What only ends when three have begun."""
    (folder / name).touch()
    wait_until(lambda: len([*folder.iterdir()]) >= 3)


class LaterOnesInThrees:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        if batch["shard"][0] >= 4:
            three_at_once(self._folder, str(batch["shard"][0]))
        return batch


def test_a_head_of_no_cores_alone_works_on_several_shards_at_once(no_core: Cluster, tmp_path: Path) -> None:
    """Also once Ray Data knows how much comes out of a shard, and that its budget for that is nothing."""
    rows = on_ray.over_shards(LaterOnesInThrees, (tmp_path,), range(10), 1, shards_per_actor=4, num_cpus=0).take_all()
    assert sorted(row["shard"] for row in rows) == [*range(10)]


class InThrees:
    """A step of refining."""

    def __init__(self, started: Path) -> None:
        self._started = started

    def run(self, folder: Folder, shard: int) -> Counts:
        three_at_once(self._started, str(shard))
        return {"shards": 1}


class Grades:
    """In the place of GradingActor."""

    def __init__(self, folder: Folder, *rest: object) -> None:
        self._folder = Path(folder.url)

    def ready(self) -> tuple[int, int]:
        return 0, 0


class GradesInThrees(Grades):
    def grade(self, shard: int) -> tuple[int, int]:
        three_at_once(self._folder, str(shard))
        return 1, 1


class GradesWithOneDeath(Grades):
    """The last shard kills its first process, when all others are done."""

    def grade(self, shard: int) -> tuple[int, int]:
        if shard == 3 and not (self._folder / "died").exists():
            wait_until(lambda: len([*self._folder.iterdir()]) == 3)
            (self._folder / "died").touch()
            os._exit(1)
        (self._folder / str(shard)).touch()
        return 1, 1


def grow_when_one_works(cluster: Cluster, started: Path, working: "Future[Any]") -> None:
    wait_until(lambda: working.done() or any(started.iterdir()))
    cluster.add_node(num_cpus=2)
    working.result()


def test_refining_uses_the_nodes_that_come(one_core: Cluster, tmp_path: Path) -> None:
    finished: dict[int, Counts] = {}
    with ThreadPoolExecutor() as threads:
        arguments = "step", InThrees(tmp_path), open_folder(str(tmp_path)), range(4), None, finished.__setitem__
        grow_when_one_works(one_core, tmp_path, threads.submit(run_step, *arguments))
    assert finished == {shard: {"shards": 1} for shard in range(4)}


def test_grading_uses_the_nodes_that_come(one_core: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "GradingActor", ray.remote(num_cpus=1)(GradesInThrees))
    shown: list[tuple[int, int]] = []
    with ThreadPoolExecutor() as threads:
        arguments = open_folder(str(tmp_path)), range(4), {}, {}, None, lambda *counts: shown.append(counts)
        grow_when_one_works(one_core, tmp_path, threads.submit(grading.grade_shards, *arguments))
    assert shown[-1] == (4, 4)


def test_who_is_idle_takes_the_shard_of_who_died(one_core: Cluster, tmp_path: Path, monkeypatch) -> None:
    """Though the machine that it had is gone, and all others are taken by those who are idle."""
    monkeypatch.setattr(grading, "GradingActor", ray.remote(num_cpus=0.5)(GradesWithOneDeath))
    shown: list[tuple[int, int]] = []
    arguments = open_folder(str(tmp_path)), range(4), {}, {}, 2
    grading.grade_shards(*arguments, lambda *counts: shown.append(counts))
    assert shown[-1] == (4, 4)
