"""lm-eval on Ray: one process on one worker's GPU or cores, followed from here.

A process of its own, since lm-eval sets seeds, environment and working directory for all of it. lm-eval has no way to
share one benchmark among machines that are not started together, so a benchmark takes one worker, whatever
`workers.number` says. An endpoint is asked from the node of the driver, beside the file of its answers.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolray.cluster.machine import Machine
from evolray.cluster.on_ray import cluster, find_machine, with_cpus
from evolray.cluster.ray_errors import last_line
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.config import WorkersConfig
from evolray.errors import EvolrayError, Interrupted
from evolray.evaluate.knowledge.job import Job, Outcome, Stage
from evolray.evaluate.knowledge.source import EndpointSource

POLL_SECONDS = 0.5
STOP_SECONDS = 10.0
THREADS = 3  # one works, the others say how far it is and get ready for the end
HERE = Machine("cpu", "CPU", 0)


def run_job(job: Job, workers: WorkersConfig, show: Callable[[str], None]) -> Outcome:
    """`show` gets a line whenever there is something new, at most twice a second.

    Raises UserError, EndpointError, EvolrayError or Interrupted. A process that dies is replaced `max_failures` times.
    """
    with cluster(), interrupted_by_sigterm():
        try:
            one = with_cpus(replace(workers, number=1))
            # Found once: another process runs on a machine of the same kind, or waits for one.
            machine = HERE if isinstance(job.source, EndpointSource) else find_machine(one)
            deaths = 0
            while True:
                try:
                    return _once(job, one, machine, show)
                except RayActorError as error:
                    deaths += 1
                    if 0 <= workers.max_failures < deaths:
                        raise EvolrayError(
                            f"{job.benchmark.name}: the process that ran lm-eval died {deaths} times, the last time "
                            f"with: {last_line(error)} Is the machine out of memory? Try a smaller lm_eval.batch_size."
                        ) from None
                    show(f"the process that ran lm-eval died ({last_line(error)}); another one takes over")
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted while lm-eval ran {job.benchmark.name}") from None


def _once(job: Job, workers: WorkersConfig, machine: Machine, show: Callable[[str], None]) -> Outcome:
    actor = _start(job, workers, machine)
    try:
        return _follow(actor.run.remote(job), actor, show)
    except KeyboardInterrupt:
        with suppress(RayActorError, RayTaskError, GetTimeoutError):
            ray.get(actor.before_end.remote(), timeout=STOP_SECONDS)
        raise
    finally:
        ray.kill(actor)


def _start(job: Job, workers: WorkersConfig, machine: Machine) -> Any:
    if isinstance(job.source, EndpointSource):
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return LmEval.options(num_cpus=0, max_concurrency=THREADS, scheduling_strategy=here).remote(machine, 1)  # type: ignore[attr-defined]
    options = {"num_cpus": workers.cpus or 0, "num_gpus": 1 if machine.device == "gpu" else 0}
    return LmEval.options(max_concurrency=THREADS, **options).remote(machine, max(1, int(workers.cpus or 1)))  # type: ignore[attr-defined]


def _follow(promise: Any, actor: Any, show: Callable[[str], None]) -> Outcome:
    shown = ""
    while True:
        done, _ = ray.wait([promise], timeout=POLL_SECONDS)
        if done:
            try:
                outcome: Outcome = ray.get(promise)
                return outcome
            except RayTaskError as error:
                cause = error.cause
                raise cause if isinstance(cause, EvolrayError) else EvolrayError(last_line(error)) from None
        with suppress(GetTimeoutError):  # it computes, or is not there yet
            if (line := ray.get(actor.line.remote(), timeout=POLL_SECONDS)) != shown:
                shown = line
                show(line)


@ray.remote
class LmEval:
    """Runs one job; the other threads say how far it is."""

    def __init__(self, machine: Machine, threads: int) -> None:
        self._machine, self._threads, self._stage = machine, threads, Stage()

    def run(self, job: Job) -> Outcome:
        from evolray.evaluate.knowledge.inside import evaluate

        return evaluate(job, self._machine, self._threads, self._stage)

    def line(self) -> str:
        return self._stage.line

    def before_end(self) -> None:
        self._stage.before_end()
