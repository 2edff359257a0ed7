"""kill -9 of the driver, of an actor and of a node: the same pool, and nothing paid twice but what was in flight."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import evolray
from evolray.teachers.simulated.server import ServerSettings, fetch, running
from tests.waiting import wait_for_answers

pytestmark = pytest.mark.slow
LONG = pytest.mark.long

IN_FLIGHT = 32
SETTINGS = {
    "generations": 2,
    "engine.shard_size": 32,
    "engine.shards_in_flight": 8,
    "teacher.model": "simulated",
    "teacher.max_in_flight": IN_FLIGHT,
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running(ServerSettings(latency_seconds=0.1, sigma=0.8)) as url:
        yield url


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("seeds") / "seeds.jsonl"
    path.write_text("".join(f'{{"instruction": "Describe the harbour of town {n}."}}\n' for n in range(300)))
    return str(path)


@pytest.fixture(scope="module")
def whole(endpoint: str, seeds: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """An uninterrupted run: its directory and the number of requests that it made."""
    import ray

    folder = tmp_path_factory.mktemp("whole") / "run"
    fetch(endpoint, "reset")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        evolve(folder, endpoint, seeds)
    finally:
        ray.shutdown()
    return folder, fetch(endpoint, "stats")["requests"]


def evolve(folder: Path, endpoint: str, seeds: str, **more: object) -> evolray.Pool:
    values = {**SETTINGS, "run": str(folder), "seeds.path": seeds, "teacher.base_url": endpoint}
    return evolray.evolve(values, **more)


def files(folder: Path) -> dict[str, bytes]:
    kinds = ("pool", "eliminated", "failed")
    return {f"{kind}/{path.name}": path.read_bytes() for kind in kinds for path in (folder / kind).iterdir()}


@pytest.mark.parametrize("share", [pytest.param(0.1, marks=LONG), 0.5, pytest.param(0.9, marks=LONG)])
def test_kill_the_driver(share: float, endpoint, seeds, whole, tmp_path, evolve_command) -> None:
    finished, requests = whole
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    command = [*settings, f"run={tmp_path / 'run'}", f"seeds.path={seeds}", f"teacher.base_url={endpoint}"]
    fetch(endpoint, "reset")
    driver: subprocess.Popen[str] = evolve_command(*command)
    wait_for_answers(endpoint, int(share * requests), lambda: driver.poll() is None)
    driver.kill()
    driver.communicate()
    again: subprocess.Popen[str] = evolve_command(*command)
    output, _ = again.communicate()
    assert again.returncode == 0, output
    assert files(tmp_path / "run") == files(finished)
    assert fetch(endpoint, "stats")["requests"] <= requests + IN_FLIGHT


def test_kill_an_actor(endpoint, seeds, whole, tmp_path, evolve_command) -> None:
    finished, requests = whole
    settings = [f"{key}={value}" for key, value in SETTINGS.items()]
    fetch(endpoint, "reset")
    driver: subprocess.Popen[str] = evolve_command(
        *settings, f"run={tmp_path / 'run'}", f"seeds.path={seeds}", f"teacher.base_url={endpoint}"
    )
    wait_for_answers(endpoint, requests // 2, lambda: driver.poll() is None)
    actors = [child for child in psutil.Process(driver.pid).children(recursive=True) if "MapWorker" in child.name()]
    assert len(actors) == 1
    actors[0].kill()
    output, _ = driver.communicate()
    assert driver.returncode == 0, output
    assert files(tmp_path / "run") == files(finished)
    assert requests < fetch(endpoint, "stats")["requests"] <= requests + IN_FLIGHT


def test_lose_a_node(endpoint, seeds, whole, tmp_path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    finished, requests = whole
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False)  # before there is another node to be connected to
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    try:
        fetch(endpoint, "reset")
        pools: list[evolray.Pool] = []
        work = threading.Thread(
            target=lambda: pools.append(
                evolve(tmp_path / "run", endpoint, seeds, engine__actors=3, engine__cpus_per_actor=0.3)
            )
        )
        work.start()
        wait_for_answers(endpoint, requests // 3, work.is_alive)
        with_actors = [node for node in nodes if actors_on(node)]
        assert with_actors, "no actor was placed on a node that can be taken away"
        cluster.remove_node(with_actors[0], allow_graceful=False)
        work.join()
        assert pools and pools[0].manifest.status == "complete"
        assert files(tmp_path / "run") == files(finished)
        assert fetch(endpoint, "stats")["requests"] <= requests + IN_FLIGHT
    finally:
        ray.shutdown()
        cluster.shutdown()


def actors_on(node: object) -> list[psutil.Process]:
    """The evolution actors below a node's raylet."""
    raylet = node.all_processes["raylet"][0].process.pid  # type: ignore[attr-defined]
    return [child for child in psutil.Process(raylet).children(recursive=True) if "MapWorker" in child.name()]
