"""A cluster to run on: the one that is there, or one for this run alone; and what its machines have."""

import logging
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolray.cluster.machine import Machine
from evolray.config import WorkersConfig
from evolray.errors import EvolrayError, UserError

logger = logging.getLogger(__name__)

RAY_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # otherwise Ray 2.60 warns at every start that this will change
    "RAY_worker_niceness": "0",  # Ray's 15 is kind to a desktop, but in a Ray of our own the workers are all there is
}

# What Ray 2.60 says at every start, whatever is done about it, and what nobody can act on.
QUIET_LOGGERS = {
    "ray._private.authentication.authentication_token_setup": logging.ERROR,
    "ray.data._internal.progress": logging.ERROR,
    "ray.data": logging.WARNING,
    "ray.widgets.util": logging.WARNING,  # in a notebook: that ipywidgets is not installed
}


POLL_SECONDS = 0.5
LATE_SECONDS = 60.0  # until somebody who waits for a GPU is told that others may have them all
OTHERS_SECONDS = 20.0  # for the other nodes to answer, once one has
# Where the two versions of Linux's control groups say how much memory a container may have.
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@contextmanager
def cluster() -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or to one that runs on this machine, or start one for this run alone.

    A Ray that was there before is left running, and a connection that was there before is left open.
    """
    import ray.data  # sets up its loggers; what is said about them below must come later

    for name, level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    if ray.is_initialized():
        yield
        return
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    ray.init(logging_level=logging.WARNING, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def with_cpus(workers: WorkersConfig) -> WorkersConfig:
    """`workers` with the cores for each, where the config leaves them open."""
    if workers.cpus is not None:
        return workers
    on_gpu = _on_gpu(workers, _resources())
    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node.get("Alive")]  # type: ignore[no-untyped-call]
    shares = range(1, max(nodes, default=1) + 1) if not on_gpu else ()
    fitting = [share for share in shares if sum(cores // share for cores in nodes) >= workers.number]
    return replace(workers, cpus=float(max(fitting, default=1)))


def worth_asking_for() -> int:
    """How many cores to ask for at once, by those who can use any number: twice those that are there.

    The half that has to wait is what an autoscaler adds nodes for, and then there are more.
    """
    return 2 * max(1, int(_resources().get("CPU", 0)))


def find_machine(workers: WorkersConfig) -> Machine:
    """What each worker will run on, the least of all that could be it. `workers` as `with_cpus` gives them back.

    Waits while all GPUs are in use by others. Raises UserError when the cluster is too small, or torch does not find
    its GPUs.
    """
    needed = _wait_for_resources(workers)
    on_gpu = "GPU" in needed
    found = [machine for machine in _probe_nodes(on_gpu, workers) if machine]
    if not found:
        raise UserError(
            "workers.device: Ray has GPUs, and torch finds none on their nodes. Install a torch with CUDA there, or "
            "set workers.device=cpu."
        )
    return min(found, key=lambda machine: machine.memory)


def _resources() -> dict[str, float]:
    return ray.cluster_resources()  # type: ignore[no-untyped-call, no-any-return]


def _on_gpu(workers: WorkersConfig, there: dict[str, float]) -> bool:
    return workers.device == "gpu" or (workers.device == "auto" and there.get("GPU", 0) > 0)


def _wait_for_resources(workers: WorkersConfig) -> dict[str, float]:
    """What one worker needs of Ray."""
    if not workers.wait_seconds:
        return _poll_for_resources(workers)
    # An autoscaler starts nodes for what waits for them, and a placement group does. It goes with this process, too.
    gpus = {"GPU": 1.0} if _on_gpu(workers, _resources()) else {}
    asked = placement_group([{"CPU": workers.cpus or 1.0, **gpus}] * workers.number)
    try:
        return _poll_for_resources(workers)
    finally:
        remove_placement_group(asked)


def _poll_for_resources(workers: WorkersConfig) -> dict[str, float]:
    deadline = time.monotonic() + workers.wait_seconds
    while True:
        there = _resources()
        on_gpu = _on_gpu(workers, there)
        if not on_gpu and not workers.cpus:
            raise UserError("workers.cpus=0: expected more than 0 for workers on CPU.")
        needed = {"CPU": workers.cpus or 0.0, **({"GPU": 1.0} if on_gpu else {})}
        short = [name for name, number in needed.items() if number * workers.number > there.get(name, 0)]
        if not short:
            return needed
        if time.monotonic() >= deadline:
            name = short[0]
            # Of a cluster that was to grow, another try may find more.
            raise (EvolrayError if workers.wait_seconds else UserError)(
                f"workers.number={workers.number}: needs {needed[name] * workers.number:g} {name}s, and the cluster "
                f"has {there.get(name, 0):g}. Lower workers.number or workers.cpus, add nodes, or set "
                "workers.wait_seconds for a cluster that is still growing."
            )
        time.sleep(POLL_SECONDS)


def _probe_nodes(on_gpu: bool, workers: WorkersConfig) -> list[Machine | None]:
    """What the nodes have: all that answer soon after the first one."""
    probes, anywhere = _probe_each(on_gpu, workers), list[Any]()
    answers: list[Machine | None] = []
    late = time.monotonic() + LATE_SECONDS
    try:
        while not answers:
            if not anywhere and (on_gpu or not probes):
                # Bound to no node, this one outlives them all, and an autoscaler adds a node for it.
                anywhere = [_probe.options(num_cpus=0, num_gpus=int(on_gpu)).remote(on_gpu, workers.number)]
            answered, _ = ray.wait(probes + anywhere, timeout=POLL_SECONDS)
            answers = _answers(answered)
            probes, anywhere = ([one for one in some if one not in answered] for some in (probes, anywhere))
            if not answers and time.monotonic() > late:
                late = math.inf
                what = "a GPU" if on_gpu else "a node's answer"
                logger.info("still waiting for %s; all may be in use by others", what)
        if probes:
            answered, probes = ray.wait(probes, num_returns=len(probes), timeout=OTHERS_SECONDS)
            answers += _answers(answered)
        return answers
    finally:
        for probe in probes + anywhere:
            ray.cancel(probe)


def _probe_each(on_gpu: bool, workers: WorkersConfig) -> list[Any]:
    probes = []
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        resources = node.get("Resources", {})
        if node.get("Alive") and resources.get("GPU" if on_gpu else "CPU", 0) > 0:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            on_node = workers.number if on_gpu or not workers.cpus else int(resources["CPU"] // workers.cpus)
            share = max(1, min(workers.number, on_node))
            options = _probe.options(num_cpus=0, num_gpus=int(on_gpu), scheduling_strategy=here)
            probes.append(options.remote(on_gpu, share))
    return probes


def _answers(probes: Sequence[Any]) -> list[Machine | None]:
    """Without those of nodes that were lost meanwhile."""
    answers = []
    for probe in probes:
        with suppress(RayError):
            answers.append(ray.get(probe))
    return answers


@ray.remote
def _probe(on_gpu: bool, share: int) -> Machine | None:
    if not on_gpu:
        return Machine("cpu", "CPU", _available_memory() // share)
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return Machine("gpu", properties.name, int(properties.total_memory), torch.cuda.is_bf16_supported())


def _available_memory() -> int:
    """Bytes, of the machine or of the container that this process is in."""
    available = int(psutil.virtual_memory().available)
    for limit in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # not there, or "max"
            available = min(available, int(Path(limit).read_text()))
    return available
