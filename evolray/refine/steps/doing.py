"""Steps done one after the other: as far as they are not done, on Ray, with progress and a manifest that keeps up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

from evolray.pool.layout import Folder
from evolray.refine.progress import Progress
from evolray.refine.steps.state import StepState, open_step
from evolray.refine.steps.step import Counts, ShardStep


class Steps:
    """`show` is called twice a second while a step runs. `states`: all steps so far, in their order.

    The cluster is there from the first step that has something to do until the block ends.
    """

    def __init__(self, folder: Folder, progress: Progress, workers: int | None, show: Callable[[], None]) -> None:
        self._folder, self._progress, self._workers, self._show = folder, progress, workers, show
        self._stack = ExitStack()
        self._has_cluster = False
        self.states: list[StepState] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def need_cluster(self) -> None:
        from evolray.cluster.on_ray import cluster  # Ray takes a second to import: not before it is needed

        if not self._has_cluster:
            self._stack.enter_context(cluster())
            self._has_cluster = True

    def do(self, name: str, key: str, step: ShardStep, shards: Iterable[int], outputs: Sequence[str] = ()) -> StepState:
        """Work on the shards that an earlier invocation with the same key has not finished.

        `outputs`: the folders that the step alone fills; emptied when they were made with another key.
        """
        everything = list(shards)
        state = open_step(self._folder, name, key, outputs)
        todo = [shard for shard in everything if shard not in state.finished]
        self._progress.begin(name, len(everything), len(everything) - len(todo))
        self.states.append(state)

        def finished(shard: int, counts: Counts) -> None:
            state.finish(self._folder, shard, counts)
            self._progress.advance()

        if todo:
            from evolray.refine import on_ray

            self.need_cluster()
            on_ray.run_step(name, step, self._folder, todo, self._workers, finished, self._show)
            state.save(self._folder)
        self._progress.end(_note(state))
        return state

    @contextmanager
    def by_hand(self, name: str, key: str) -> Iterator[None]:
        """What the block does is a step of the driver's own; only its time is written down."""
        state = open_step(self._folder, name, key, ())
        self.states.append(state)
        yield
        state.save(self._folder)


def _note(state: StepState) -> str:
    """What was counted, but for what is counted by name (source:NAME and the like)."""
    counts = {name: number for name, number in state.total.items() if number and ":" not in name and "." not in name}
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in list(counts.items())[:4])
