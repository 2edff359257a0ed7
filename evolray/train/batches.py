"""Which examples each worker sees in which forward pass, for the whole training, from lengths alone.

An optimizer step is `global_batch` examples of a shuffled epoch, the last step of an epoch what is left of it. They are
dealt to `workers` x `accumulation` micro-batches of about equal tokens. So packing, micro-batches and workers decide
only how a step is computed, never which examples are in it: the loss curve is the same for all of them. The plan needs
nothing but the lengths and the seed, so every worker works it out for itself, and it is the same after a restart.

With packing, the examples of a micro-batch lie end to end in one row and nothing is padded. Without it, they are rows
padded to the longest, and examples of like length share a micro-batch.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from evolray.errors import UserError

MOST_ACCUMULATION = 4096


@dataclass(frozen=True)
class Batches:
    """`lengths` (examples,) in tokens. `numbers` below are positions in it."""

    lengths: np.ndarray
    global_batch: int
    epochs: int
    seed: int
    workers: int
    accumulation: int
    packing: bool = True
    max_steps: int | None = None
    max_tokens: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.lengths) // self.global_batch)

    @cached_property
    def steps(self) -> int:
        """Raises UserError when `max_tokens` leaves room for none."""
        steps = self.steps_per_epoch * self.epochs
        steps = min(steps, self.max_steps) if self.max_steps else steps
        return min(steps, self._within(self.max_tokens, steps)) if self.max_tokens else steps

    def __len__(self) -> int:
        """Micro-batches of all workers in the whole training."""
        return self.steps * self.accumulation * self.workers

    def examples(self, step: int) -> np.ndarray:
        """The numbers of the examples of a step (from 0), in the order of the epoch's shuffle."""
        epoch, position = divmod(step, self.steps_per_epoch)
        start = position * self.global_batch
        return _order(len(self.lengths), self.seed, epoch)[start : start + self.global_batch]

    def micro_batch(self, item: int) -> np.ndarray:
        """The numbers of one forward pass; item = (step x accumulation + pass) x workers + worker. May be empty."""
        step, place = divmod(item, self.accumulation * self.workers)
        return self._dealt(step)[place]

    def _within(self, max_tokens: int, most: int) -> int:
        """The first steps, `most` at most, that have no more tokens than that together."""
        tokens = 0
        for step in range(most):
            tokens += int(self.lengths[self.examples(step)].sum())
            if tokens > max_tokens:
                break
        else:
            return most
        if not step:
            raise UserError(f"max_tokens={max_tokens} is less than the first step, {tokens:,} tokens. Raise it.")
        return step

    def _dealt(self, step: int) -> list[np.ndarray]:
        numbers = self.examples(step)
        return _cached_deal(
            tuple(numbers.tolist()), tuple(self.lengths[numbers].tolist()),
            self.accumulation * self.workers, self.packing,
        )  # fmt: skip


@lru_cache(maxsize=2)
def _order(examples: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(examples)


@lru_cache(maxsize=4)  # a step is asked for once per micro-batch
def _cached_deal(numbers: tuple[int, ...], lengths: tuple[int, ...], piles: int, packing: bool) -> list[np.ndarray]:
    dealt = deal(list(lengths), piles, packing)
    return [np.array([numbers[place] for place in pile], dtype=np.int64) for pile in dealt]


def deal(lengths: list[int], piles: int, packing: bool = True) -> list[list[int]]:
    """Positions of `lengths` in so many piles: the longest first, each onto the pile with the fewest tokens.

    For padded rows, neighbours in length stay together instead, since a pile costs its rows times its longest.
    """
    longest_first = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    if not packing:
        return _cut_by_cost(longest_first, lengths, piles)
    dealt: list[list[int]] = [[] for _ in range(piles)]
    heap = [(0, pile) for pile in range(piles)]
    for place in longest_first:
        tokens, pile = heapq.heappop(heap)
        dealt[pile].append(place)
        heapq.heappush(heap, (tokens + lengths[place], pile))
    return dealt


def _cut_by_cost(longest_first: list[int], lengths: list[int], piles: int) -> list[list[int]]:
    """Runs of neighbours whose padded sizes are as even as a bound found by bisection makes them."""
    low, high = max(lengths, default=0), max(lengths, default=0) * max(len(lengths), 1)
    while low < high:
        middle = (low + high) // 2
        if len(list(_runs(longest_first, lengths, middle))) <= piles:
            high = middle
        else:
            low = middle + 1
    runs = list(_runs(longest_first, lengths, high))
    return runs + [[] for _ in range(piles - len(runs))]


def _runs(longest_first: list[int], lengths: list[int], most: int) -> Iterator[list[int]]:
    run: list[int] = []
    for place in longest_first:
        if run and lengths[run[0]] * (len(run) + 1) > most:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def size(lengths: list[int], packing: bool) -> int:
    """Tokens that a forward pass over these examples computes, padding included."""
    return sum(lengths) if packing else max(lengths, default=0) * len(lengths)


def accumulation_for(batches: Batches, micro_batch_tokens: int) -> int:
    """The fewest forward passes per worker and step that keep every micro-batch within so many tokens.

    Raises UserError when not even one example per pass does.
    """
    longest = int(batches.lengths.max(initial=0))
    if longest > micro_batch_tokens:
        raise UserError(
            f"micro_batch_tokens={micro_batch_tokens} is less than the longest example, {longest} tokens. "
            "Raise it, or lower max_length."
        )
    accumulation = 1
    for step in range(batches.steps):
        lengths = batches.lengths[batches.examples(step)].tolist()
        while _largest(lengths, accumulation * batches.workers, batches.packing) > micro_batch_tokens:
            accumulation += 1
            assert accumulation <= MOST_ACCUMULATION
    return accumulation


def _largest(lengths: list[int], piles: int, packing: bool) -> int:
    if packing and sum(lengths) <= max(lengths):  # one example
        return sum(lengths)
    return max(size([lengths[place] for place in pile], packing) for pile in deal(lengths, piles, packing))
