"""Seeds and held-out problems of the demo: word problems by their number of steps, all distinct, drawn by a seed.

Held-out problems are drawn first and seeds never repeat one of them, so the same held-out problems go with any number
of seeds. A problem that the teacher makes of a seed may still be one that is held out: leaving out such leaks is the
work of `evolray refine`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from evolray.teachers.simulated import arithmetic
from evolray.teachers.simulated.arithmetic import Problem


@dataclass(frozen=True)
class Stock:
    """`seeds` are of one step; `held_out` come level by level, as many of each."""

    seeds: tuple[Problem, ...]
    held_out: tuple[Problem, ...]


def draw(num_seeds: int, num_held_out: int, levels: Sequence[int] = (1, 2, 3, 4), seed: int = 0) -> Stock:
    """`num_held_out` problems of each number of steps in `levels`, and `num_seeds` of one step.

    The seeds are a beginning of those that a larger `num_seeds` draws. Raises ValueError for a number below 1.
    """
    for name, number in (("num_seeds", num_seeds), ("num_held_out", num_held_out), ("levels", min(levels, default=0))):
        if number < 1:
            raise ValueError(f"{name}: expected 1 or more, got {number}")
    taken: set[str] = set()
    held_out = [
        problem
        for level in levels
        for problem in _distinct(Random(f"{seed}/held out/{level}"), level, num_held_out, taken)
    ]
    seeds = _distinct(Random(f"{seed}/seeds"), 1, num_seeds, taken)
    return Stock(tuple(seeds), tuple(held_out))


def seed_rows(problems: Iterable[Problem]) -> Iterator[dict[str, str]]:
    """Entries of a seed file, each with its response."""
    for problem in problems:
        yield {"instruction": arithmetic.render(problem), "response": arithmetic.solve(problem)}


def benchmark_rows(problems: Iterable[Problem]) -> Iterator[dict[str, str]]:
    """Entries in the form of GSM8K, with a level beside: "1 step", "2 steps", ..."""
    for problem in problems:
        steps, _, _ = arithmetic.solve(problem).rpartition(" The answer is: ")
        yield {
            "question": arithmetic.render(problem),
            "answer": f"{steps}\n#### {arithmetic.answer(problem)}",
            "level": level_of(len(problem.steps)),
        }


def level_of(num_steps: int) -> str:
    return f"{num_steps} step{'' if num_steps == 1 else 's'}"


def _distinct(rng: Random, num_steps: int, count: int, taken: set[str]) -> Iterator[Problem]:
    """Of one step there are some 160,000 problems, which is the most that can be drawn."""
    for _ in range(count):
        while (text := arithmetic.render(problem := arithmetic.make(rng, num_steps))) in taken:
            pass
        taken.add(text)
        yield problem
