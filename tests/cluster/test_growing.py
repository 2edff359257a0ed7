"""A cluster that grows by what waits for it. The test plays the autoscaler: it looks where the real one does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table

from evolray.cluster.on_ray import find_machine
from evolray.config import WorkersConfig
from evolray.errors import UserError
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.ray]


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
    with pytest.raises(UserError, match="needs 1 GPUs, and the cluster has 0"):
        find_machine(WorkersConfig(number=1, device="gpu", cpus=1.0, wait_seconds=2))
    assert pending() == []
