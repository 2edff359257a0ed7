"""Training on Ray: Ray Train runs the workers, with a board between them and whoever watches.

Ray Train replaces dead workers and starts all of them again (FailureConfig); they go on from the run's latest
checkpoint, which they find on disk, so nothing depends on what Ray had been told before the crash.

Ray Train is imported inside functions: it loads torch, which takes seconds that nobody waits for before it is needed.
"""

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import ray
from pyarrow import fs
from ray.util.metrics import Gauge
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolray.cluster import metrics
from evolray.cluster.ray_errors import last_line, root_cause
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.layout import open_folder
from evolray.train.job import Job, Outcome, Place
from evolray.train.watching import Figures

if TYPE_CHECKING:
    pass

logger = logging.getLogger("evolray")

NOTES = "ray-train"  # a folder of the run
POLL_SECONDS = 0.5
TELL_SECONDS = 0.5  # a worker tells its figures this often at most; a small student makes a hundred steps per second
STOP_SECONDS = 600.0  # after Ctrl-C, for the checkpoint to be written
HEALTH_SECONDS = "0.5"  # how often Ray Train looks after its workers, and takes their reports
LATE_SECONDS = 60.0  # until somebody who waits for workers is told that others may have what they need


def fit(job: Job, show: Callable[[Figures], None]) -> Outcome:
    """Train on the cluster. `show` is called when there are new figures.

    KeyboardInterrupt writes a checkpoint and ends the training there; a second one raises Interrupted. Raises
    EvolrayError when it cannot go on. When this ends, however it ends, so do the workers.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # One of its threads runs Ray Train, the others answer.
    run = open_folder(job.config.run).url
    board = Board.options(scheduling_strategy=here, max_concurrency=8).remote(run)  # type: ignore[attr-defined]
    training = board.fit.remote(job)
    try:
        try:
            _follow(training, board, show)
        except KeyboardInterrupt:
            logger.info("stopping after a checkpoint; Ctrl-C again to stop at once")
            board.stop.remote()
            _follow(training, board, show, time.monotonic() + STOP_SECONDS)
        outcome = ray.get(training)
    except KeyboardInterrupt:
        raise Interrupted("stopped without a checkpoint; what the last one holds is kept") from None
    except ray.exceptions.RayActorError as error:
        raise EvolrayError(f"the training was lost: {last_line(error)}. The same command goes on.") from None
    finally:
        ray.kill(board)  # with it goes all that it started
    if isinstance(outcome, EvolrayError):
        raise outcome
    return outcome  # type: ignore[no-any-return]


def _follow(training: Any, board: Any, show: Callable[[Figures], None], deadline: float = math.inf) -> None:
    """Until the training ends. Raises what makes it hopeless, and KeyboardInterrupt at the deadline."""
    before, late = State(), time.monotonic() + LATE_SECONDS
    is_over = False
    while not is_over:
        is_over = bool(ray.wait([training], timeout=POLL_SECONDS)[0])
        state: State = ray.get(board.state.remote())
        if state.hopeless is not None:
            raise state.hopeless
        if state.starts > before.starts > 0:
            logger.info("workers were lost (%s); they went on from the last checkpoint", state.failure)
        if not state.starts and time.monotonic() > late:
            late = math.inf
            logger.info("still waiting for workers; what they need may be in use by others")
        if state.figures is not None and state.figures != before.figures:
            show(state.figures)
        before = state
        if time.monotonic() > deadline:
            raise KeyboardInterrupt


def _work(settings: dict[str, Any]) -> Outcome:
    """What Ray Train runs in every worker process."""
    import ray.train

    context = ray.train.get_context()
    place = Place(context.get_world_rank(), context.get_world_size(), context.get_local_rank())
    board = settings["board"]
    if place.rank == 0:
        ray.get(board.started.remote())
    try:
        from evolray.train.worker import train

        return train(ray.get(settings["job"]), place, Messenger(board))
    except Exception as error:
        known = error if isinstance(error, EvolrayError) else None
        ray.get(board.failed.remote(place.rank, f"{type(error).__name__}: {last_line(error)}", known))
        raise


class Messenger:
    """A worker's Watcher, far from whoever watches: tells the board, now and then, and hears whether to stop."""

    def __init__(self, board: Any) -> None:
        self._board, self._told, self._stop = board, 0.0, False

    def tell(self, figures: Figures) -> None:
        is_rare = figures.held_out_loss is not None or figures.step == figures.steps
        if is_rare or time.monotonic() - self._told >= TELL_SECONDS:
            self._stop = ray.get(self._board.show.remote(figures))
            self._told = time.monotonic()

    def wants_stop(self) -> bool:
        return self._stop

    def saved(self, checkpoint: dict[str, Any]) -> None:
        import ray.train

        ray.train.report(checkpoint)


@dataclass(frozen=True)
class State:
    """`starts`: how often the workers began. `failure`: the last exception that one told of before the latest start."""

    starts: int = 0
    figures: Figures | None = None
    failure: str = ""
    hopeless: EvolrayError | None = None


@ray.remote(num_cpus=0)
class Board:
    """Runs Ray Train, and is where rank 0 writes how the training stands; exports that as Ray metrics, too.

    It is a process of its own, so that killing it ends the controller and the workers: Ray Train has no other way to
    stop what hangs.
    """

    def __init__(self, run: str) -> None:
        self._starts = 0
        self._figures: Figures | None = None
        self._failure = ""
        self._failures: set[tuple[int, str, int]] = set()
        self._hopeless: EvolrayError | None = None
        self._stopped = False
        self._run, self._gauges = {"run": run}, dict[str, Gauge]()

    def fit(self, job: Job) -> Outcome | EvolrayError:
        """An error is returned, as Ray would wrap one that is raised."""
        import ray.train

        try:
            return _fit(job, ray.get_runtime_context().current_actor)
        except ray.train.WorkerGroupError as error:
            cause = root_cause(next(iter(error.worker_failures.values()), error))
            known = cause if isinstance(cause, EvolrayError) else None
            return known or EvolrayError(f"the workers failed: {type(cause).__name__}: {last_line(cause)}")
        except Exception as error:
            return EvolrayError(f"Ray Train gave up: {type(error).__name__}: {last_line(error)}")

    def started(self) -> None:
        self._starts += 1

    def failed(self, rank: int, what: str, known: EvolrayError | None) -> None:
        """A worker ends in an exception. What another start would not change need not be tried as often as a crash."""
        self._failure = what
        failure = (rank, what, self._figures.step if self._figures else 0)
        if isinstance(known, UserError) or failure in self._failures:
            self._hopeless = known or EvolrayError(f"the workers failed twice at the same step: {what}")
        self._failures.add(failure)

    def show(self, figures: Figures) -> bool:
        """Returns whether to stop. What was not measured anew stays: whoever watches looks now and then."""
        before = asdict(self._figures) if self._figures else {}
        known: dict[str, Any] = {name: before.get(name) for name, value in asdict(figures).items() if value is None}
        self._figures = replace(figures, **known)
        for name, value in asdict(figures).items():
            if value is not None:
                if name not in self._gauges:
                    self._gauges[name] = Gauge(*metrics.TRAIN[name].arguments)
                self._gauges[name].set(value, self._run)
        return self._stopped

    def state(self) -> State:
        return State(self._starts, self._figures, self._failure, self._hopeless)

    def stop(self) -> None:
        self._stopped = True


def _fit(job: Job, board: Any) -> Outcome:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    workers, on_gpu = job.config.workers, job.machine.device == "gpu"
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", HEALTH_SECONDS)
    result: Any = TorchTrainer(
        cast(Any, _work),
        train_loop_config={"job": ray.put(job), "board": board},
        scaling_config=ScalingConfig(
            num_workers=workers.number,
            use_gpu=on_gpu,
            resources_per_worker={"CPU": workers.cpus, **({"GPU": 1} if on_gpu else {})},
        ),
        run_config=RunConfig(
            name=f"ray-train-{time.time_ns()}",  # a name of its own: what to resume from is not Ray's to know
            failure_config=FailureConfig(max_failures=workers.max_failures),
            **_storage(job.config.run),
        ),
    ).fit()
    outcome: Outcome = result.return_value  # rank 0's
    return outcome


def _storage(run: str) -> dict[str, Any]:
    """Where Ray Train keeps its notes; that all nodes can write there is the first thing it checks.

    Not as a URL: Ray Train appends to it, behind the query, and logs it, with the keys that it may hold.
    """
    if open_folder(run).is_local:
        return {"storage_path": f"{open_folder(run).url}/{NOTES}"}
    files, path = fs.FileSystem.from_uri(run.rstrip("/"))
    return {"storage_path": f"{path}/{NOTES}", "storage_filesystem": files}


def forget_notes(run: str) -> None:
    """Delete what Ray Train kept; nothing of it is of use after the training."""
    storage = _storage(run)
    with suppress(OSError):
        storage.get("storage_filesystem", fs.LocalFileSystem()).delete_dir(storage["storage_path"])
