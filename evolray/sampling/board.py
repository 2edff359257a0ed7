"""How far the workers are that sample a checkpoint, and whether they go on. No Ray here: `on_ray.py` makes it an actor.

Workers report what they have of a shard since its beginning, not what is new, so that a shard that is run again after
its worker died counts once.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from evolray.sampling.questions import Sample
from evolray.sampling.sampler import Sampling

SPEED_SECONDS = 10.0


@dataclass
class Tally:
    """`writing`: tokens of answers that are not complete yet."""

    sampled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    writing: int = 0

    def add(self, sample: Sample) -> None:
        self.sampled += not sample.cause
        self.failed += bool(sample.cause)
        self.prompt_tokens += sample.prompt_tokens
        self.completion_tokens += sample.completion_tokens

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Tally":
        tally = cls()
        for sample in samples:
            tally.add(sample)
        return tally


@dataclass(frozen=True)
class Stop:
    """Why the work ends before its end."""

    kind: Literal["interrupted", "user", "error"]
    message: str


@dataclass
class Board:
    """`earlier`: what was sampled before and is not worked on now. `max_failures`: of workers; -1 for any number."""

    workers: int
    max_failures: int
    earlier: Tally = field(default_factory=Tally)
    stopped: Stop | None = None
    _shards: dict[int, Tally] = field(default_factory=dict)
    _entered: int = 0
    _written: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def has_workers(self) -> bool:
        return self._entered > 0

    def enter(self) -> bool:
        """A worker starts; more of them than there are workers are replacements of dead ones."""
        self._entered += 1
        failures = self._entered - self.workers
        if 0 <= self.max_failures < failures:
            self.stop(
                Stop(
                    "error",
                    f"workers have died {failures} times, more often than workers.max_failures={self.max_failures}. "
                    "Out of memory? Try a smaller batch_tokens or fewer workers; finished shards are kept.",
                )
            )
        return not self.stopped

    def report(self, shard: int, tally: Tally) -> bool:
        """Whether to go on."""
        self._shards[shard] = tally
        return not self.stopped

    def stop(self, stop: Stop) -> None:
        """The first reason counts."""
        self.stopped = self.stopped or stop

    def sampling(self, now: float) -> Sampling:
        """`now`: seconds of a steady clock."""
        all_shards = [self.earlier, *self._shards.values()]
        completed = sum(one.completion_tokens + one.writing for one in all_shards)
        if not self._shards:  # the time before is that of loading
            self._written.clear()
        self._written.append((now, completed))
        while now - self._written[0][0] > SPEED_SECONDS:
            self._written.popleft()
        return Sampling(
            sampled=sum(one.sampled for one in all_shards),
            failed=sum(one.failed for one in all_shards),
            prompt_tokens=sum(one.prompt_tokens for one in all_shards),
            completion_tokens=completed,
            detail=self._detail(),
        )

    def _detail(self) -> str:
        if not self._shards:
            return "loading the model"
        (first, before), (last, after) = self._written[0], self._written[-1]
        speed = max(0, after - before) / (last - first) if last > first else 0.0
        return f"{self.workers} worker{'' if self.workers == 1 else 's'}, {speed:,.0f} tokens/s"
