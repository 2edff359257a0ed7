"""cluster.yaml against the schema that Ray's cluster launcher uses, and against the rest of the repository."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    ray = importlib.util.find_spec("ray")  # found, not imported: the schema is a plain file
    assert ray is not None and ray.origin is not None
    path = Path(ray.origin).parent / "autoscaler" / "ray-schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def test_ray_accepts_it(cluster: dict[str, Any], schema: dict[str, Any]) -> None:
    assert list(jsonschema.Draft7Validator(schema).iter_errors(cluster)) == []


def test_a_misspelt_key_would_be_found(cluster: dict[str, Any], schema: dict[str, Any]) -> None:
    cluster["available_node_types"]["gpu_worker"]["max_worker"] = 1
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        jsonschema.validate(cluster, schema)


def test_workers_start_on_demand_and_the_head_is_one_of_the_types(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    workers = {name: node for name, node in types.items() if name != cluster["head_node_type"]}
    assert len(workers) == len(types) - 1
    assert all(node["min_workers"] == 0 < node["max_workers"] for node in workers.values())
    assert sum(node["max_workers"] for node in workers.values()) == cluster["max_workers"]


def test_images_have_the_ray_of_the_constraints(cluster: dict[str, Any]) -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    images = [cluster["docker"]["image"]]
    images += [node["docker"]["worker_image"] for node in cluster["available_node_types"].values() if "docker" in node]
    assert len(images) == 2
    assert all(image.startswith(f"rayproject/ray:{pinned[1]}-py311-") for image in images)


def test_what_is_installed_is_what_is_sent(cluster: dict[str, Any]) -> None:
    remote = next(remote for remote, local in cluster["file_mounts"].items() if local == ".")
    sandbox, install = cluster["setup_commands"]
    assert sandbox.endswith(" bubblewrap")
    assert install.endswith(f"-c {remote}/constraints.txt -e {remote}")
    kept_back = {name for name in cluster["rsync_exclude"] if (ROOT / name).is_dir()}
    assert not kept_back & {"evolray", "conf", "jobs"}


@pytest.mark.parametrize("node", ["head", "worker"])
def test_no_node_starts_without_authentication(cluster: dict[str, Any], node: str) -> None:
    starts = [line for line in cluster[f"{node}_start_ray_commands"] if "ray start" in line]
    assert len(starts) == 1
    assert starts[0].startswith("export RAY_AUTH_MODE=token ")


def test_workers_are_spot_instances_and_the_head_is_none(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    on_spot = {name for name, node in types.items() if "InstanceMarketOptions" in node["node_config"]}
    assert on_spot == set(types) - {cluster["head_node_type"]}


def test_each_group_of_workers_can_be_named_by_a_stage(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert {name: list(node["resources"]) for name, node in types.items()} == {
        "head": [],
        "cpu_worker": ["cpu_group"],
        "gpu_worker": ["gpu_group"],
    }


def test_bubblewrap_may_do_its_work_in_docker(cluster: dict[str, Any]) -> None:
    """Make namespaces, for which Docker's profiles stand in the way, and mount a /proc, for which its masks do."""
    assert cluster["docker"]["run_options"] == [
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
    ]
