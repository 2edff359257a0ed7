"""Grading on Ray: actors, one per core, each with graders of its own; shards go to whoever is free.

Plain actors and not Ray Data: a shard must go to an actor that is really there. In a sweep several evaluations share
the cores of a cluster, and what is handed to an actor that still waits for one would wait with it.
"""

import logging
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.metrics import Counter

from evolray.cluster import metrics
from evolray.cluster.on_ray import worth_asking_for
from evolray.cluster.ray_errors import last_line
from evolray.cluster.terminal import interrupted_by_sigterm
from evolray.errors import EvolrayError, Interrupted
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.grading import Assignment, Desk
from evolray.pool.layout import Folder

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
TRIES = 3  # of a shard whose actor dies


def grade_shards(
    folder: Folder,
    shards: Sequence[int],
    assignments: Mapping[str, Assignment],
    problems: Mapping[str, Sequence[Problem]],
    parallel: int | None,
    show: Callable[[int, int], None],
) -> None:
    """Grade the shards. `show` is told twice a second how many samples are graded, and how many of them passed.

    `parallel`: actors; None: as many as the cluster has cores, or gets. Raises UserError, EvolrayError or Interrupted;
    the shards that were graded by then stay.
    """
    try:
        with interrupted_by_sigterm(), _office(folder, assignments, problems, parallel) as office:
            office.grade(shards, show)
    except KeyboardInterrupt:
        raise Interrupted("interrupted while grading") from None


@contextmanager
def _office(
    folder: Folder,
    assignments: Mapping[str, Assignment],
    problems: Mapping[str, Sequence[Problem]],
    parallel: int | None,
) -> Iterator["Office"]:
    office = Office((folder, dict(assignments), ray.put(problems)), parallel)
    try:
        yield office
    finally:
        office.close()


class Office:
    """The actors of one grading, and which shard each has."""

    def __init__(self, arguments: tuple[Any, ...], parallel: int | None) -> None:
        self._arguments, self._parallel = arguments, parallel
        self._actors: list[Any] = []
        self._idle: list[Any] = []
        self._deaths = Tally[int | None]()  # by the shard that was being graded; of None: since the last one was ready
        self._waiting: dict[Any, Any] = {}  # what ready() promises -> its actor
        self._working: dict[Any, tuple[Any, int]] = {}  # what grade() promises -> its actor and the shard

    def grade(self, shards: Sequence[int], show: Callable[[int, int], None]) -> None:
        todo = list(reversed(shards))
        graded = passed = 0
        while todo or self._working:
            while len(self._actors) < min(self._parallel or worth_asking_for(), len(todo) + len(self._working)):
                self._hire()
            while todo and self._idle:
                self._assign(self._idle.pop(), todo)
            promises = [*self._working, *(self._waiting if todo else ())]
            done, _ = ray.wait(promises, timeout=POLL_SECONDS)
            for promise in done:
                actor, shard = self._working.pop(promise, (self._waiting.pop(promise, None), None))
                try:
                    counts = ray.get(promise)
                except RayActorError as error:
                    self._replace(actor, shard, last_line(error))
                    todo += [] if shard is None else [shard]
                    continue
                except RayTaskError as error:
                    raise error.cause if isinstance(error.cause, EvolrayError) else error from None
                graded, passed = graded + counts[0], passed + counts[1]
                self._idle.append(actor)
                if shard is None:
                    del self._deaths[None]
            show(graded, passed)

    def close(self) -> None:
        for actor in self._actors:
            ray.kill(actor)

    def _assign(self, actor: Any, todo: list[int]) -> None:
        shard = todo.pop()
        self._working[actor.grade.remote(shard)] = actor, shard

    def _hire(self) -> None:
        actor = GradingActor.remote(*self._arguments)  # type: ignore[attr-defined]
        self._actors.append(actor)
        self._waiting[actor.ready.remote()] = actor

    def _replace(self, actor: Any, shard: int | None, why: str) -> None:
        where = "before it graded anything" if shard is None else f"while it graded shard {shard}"
        logger.warning("a grading process died %s (%s); another one takes over", where, why)
        self._deaths[shard] += 1
        most = TRIES if shard is not None else TRIES + len(self._actors)  # a node that goes takes all of its own
        if self._deaths[shard] >= most:
            raise EvolrayError(f"{most} grading processes died {where}: {why} Is the machine out of memory?")
        self._actors.remove(actor)


@ray.remote(num_cpus=1)
class GradingActor:
    """Errors of evolray's are raised as such in the driver: Ray hands on what a method raises."""

    def __init__(
        self, folder: Folder, assignments: dict[str, Assignment], problems: Mapping[str, Sequence[Problem]]
    ) -> None:
        self._desk = Desk(folder, assignments, problems)
        self._run, self._graded = folder.url, Counter(*metrics.GRADED.arguments)

    def ready(self) -> tuple[int, int]:
        return 0, 0

    def grade(self, shard: int) -> tuple[int, int]:
        """How many samples the shard has, and how many of them passed."""
        rows = self._desk.grade_shard(shard)
        for row in rows:
            tags = {"run": self._run, "benchmark": row.id.partition("/")[0], "outcome": row.outcome}
            self._graded.inc(1, tags)
        return len(rows), sum(row.outcome == "passed" for row in rows)
