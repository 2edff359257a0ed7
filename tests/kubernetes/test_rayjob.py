"""jobs/kuberay.yaml against the schemas of KubeRay and of Kubernetes' pods, as Ray's autoscaler reads it, and against
the rest of the repository."""

import copy
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from evolray.config import CampaignConfig, load

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "tests" / "schemas"


@pytest.fixture(scope="module")
def validator() -> Any:
    loaded = {name: json.loads((SCHEMAS / name).read_text()) for name in ("kuberay_rayjob.json", "kubernetes_pod.json")}
    registry = Registry().with_resources([(name, Resource.from_contents(one)) for name, one in loaded.items()])
    return jsonschema.Draft202012Validator(loaded["kuberay_rayjob.json"], registry=registry)


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "jobs" / "kuberay.yaml").read_text()


@pytest.fixture
def job(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = copy.deepcopy(yaml.safe_load(text))  # what is shared by anchors is shared no longer
    return json.loads(json.dumps(loaded))  # type: ignore[no-any-return]


def groups(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return {"head": cluster["headGroupSpec"], **{one["groupName"]: one for one in cluster["workerGroupSpecs"]}}


def pod(job: dict[str, Any], group: str) -> dict[str, Any]:
    found: dict[str, Any] = groups(job)[group]["template"]["spec"]
    return found


def container(job: dict[str, Any], group: str) -> dict[str, Any]:
    (found,) = pod(job, group)["containers"]
    return dict(found)


def test_kuberay_and_kubernetes_accept_it(job: dict[str, Any], validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(job)] == []


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a field of the job": (lambda job: job["spec"].update(entryPoint="python"), "'entryPoint' was unexpected"),
    "a field of the cluster": (
        lambda job: job["spec"]["rayClusterSpec"].update(authOption={}),
        "'authOption' was unexpected",
    ),
    "a way to submit": (lambda job: job["spec"].update(submissionMode="HttpMode"), "'HttpMode' is not one of"),
    "a field of a group": (lambda job: groups(job)["gpu"].update(maxReplica=1), "'maxReplica' was unexpected"),
    "a group without bounds": (lambda job: groups(job)["gpu"].pop("maxReplicas"), "'maxReplicas' is a required"),
    "a number where Ray takes text": (
        lambda job: groups(job)["head"]["rayStartParams"].update({"num-cpus": 0}),
        "0 is not of type 'string'",
    ),
    "a field of a pod": (lambda job: pod(job, "cpu").update(toleration=[]), "'toleration' was unexpected"),
    "a field of a toleration": (
        lambda job: pod(job, "cpu")["tolerations"][0].update(values="true"),
        "'values' was unexpected",
    ),
    "an effect": (lambda job: pod(job, "cpu")["tolerations"][0].update(effect="NoSchedul"), "'NoSchedul' is not one"),
    "a field of a container": (
        lambda job: pod(job, "gpu")["containers"][0]["securityContext"].update(seccomp={}),
        "'seccomp' was unexpected",
    ),
    "a way to mount /proc": (
        lambda job: pod(job, "gpu")["containers"][0]["securityContext"].update(procMount="unmasked"),
        "'unmasked' is not one of",
    ),
    "a secret without its name in the right place": (
        lambda job: pod(job, "gpu")["containers"][0].update(envFrom=[{"secretRef": "evolray-keys"}]),
        "is not of type 'object'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(job: dict[str, Any], validator: Any, name: str) -> None:
    make, message = MISTAKES[name]
    make(job)
    assert [error.message for error in validator.iter_errors(job) if message in error.message]


def test_ray_s_autoscaler_sees_the_groups_that_are_meant(job: dict[str, Any]) -> None:
    from ray.autoscaler._private.kuberay.autoscaling_config import _generate_available_node_types_from_ray_cr_spec

    types = _generate_available_node_types_from_ray_cr_spec(job["spec"]["rayClusterSpec"])
    resources = {name: dict(one["resources"]) for name, one in types.items()}
    assert {name: one.pop("memory") // 2**30 for name, one in resources.items()} == {
        "headgroup": 16,
        "cpu": 32,
        "gpu": 96,
    }
    assert resources == {
        "headgroup": {"CPU": 0},
        "cpu": {"CPU": 8, "cpu_group": 1000},
        "gpu": {"CPU": 10, "GPU": 1, "gpu_group": 1000},
    }
    assert {name: (one["min_workers"], one["max_workers"]) for name, one in types.items()} == {
        "headgroup": (0, 0),
        "cpu": (1, 8),
        "gpu": (0, 8),
    }


def test_limits_equal_requests(job: dict[str, Any]) -> None:
    """Else Ray would count what the node may not have."""
    for group in groups(job):
        resources = container(job, group)["resources"]
        assert resources["limits"] == resources["requests"]


def test_the_entry_point_runs_a_job_of_the_image_on_one_of_its_configs(job: dict[str, Any]) -> None:
    """Whether its settings exist is asked of the campaign itself, which reads them all before it starts anything."""
    beginning = "cd /home/ray/evolray && exec python "
    assert job["spec"]["entrypoint"].startswith(beginning)
    script, config, *settings = shlex.split(job["spec"]["entrypoint"].removeprefix(beginning))
    assert (ROOT / script).is_file() and (ROOT / config).is_file()
    assert load(CampaignConfig, [str(ROOT / config), *settings]).run == "s3://BUCKET/runs/wizardcoder"


def test_ray_is_that_of_the_constraints_and_so_is_the_image(job: dict[str, Any]) -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned[1]
    assert f"\nFROM rayproject/ray:{pinned[1]}-py311-gpu\n" in (ROOT / "jobs" / "Dockerfile").read_text()


def test_the_image_holds_what_the_job_needs() -> None:
    lines = (ROOT / "jobs" / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[2:-1]]
    assert {"evolray", "jobs", "conf", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert any("bubblewrap" in line for line in lines)


def test_no_pod_takes_work_from_whoever_has_no_token(job: dict[str, Any]) -> None:
    options = job["spec"]["rayClusterSpec"]["authOptions"]
    assert options == {"mode": "token", "secretName": "evolray-token"}


def test_keys_come_from_a_secret_alone(text: str, job: dict[str, Any]) -> None:
    for group in groups(job):
        assert container(job, group)["envFrom"] == [{"secretRef": {"name": "evolray-keys", "optional": True}}]
        assert "env" not in container(job, group)
    assert "runtimeEnvYAML" not in job["spec"]  # the dashboard shows it
    for line in re.findall(r"kubectl create secret .*", text):
        assert re.search(r"--from-env-file=|\$\(openssl rand", line)


def test_bubblewrap_may_do_its_work_in_every_pod(job: dict[str, Any]) -> None:
    """Namespaces, and a /proc of its own, for which Kubernetes wants a user namespace."""
    for group in groups(job):
        assert pod(job, group)["hostUsers"] is False
        assert container(job, group)["securityContext"] == {
            "procMount": "Unmasked",
            "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"},
        }


def test_only_workers_run_on_spot_nodes(job: dict[str, Any]) -> None:
    on_spot = [group for group in groups(job) if "spot" in json.dumps(pod(job, group).get("tolerations", []))]
    assert on_spot == ["cpu"]
    assert "nodeSelector" not in pod(job, "head")


def test_ray_s_object_store_fits_into_the_pods(job: dict[str, Any]) -> None:
    for group in groups(job):
        (memory,) = [volume["emptyDir"] for volume in pod(job, group)["volumes"] if "emptyDir" in volume]
        assert memory["medium"] == "Memory"
        assert int(memory["sizeLimit"].removesuffix("Gi")) * 2 <= int(
            container(job, group)["resources"]["limits"]["memory"].removesuffix("Gi")
        )
        assert {"name": "shared-memory", "mountPath": "/dev/shm"} in container(job, group)["volumeMounts"]
