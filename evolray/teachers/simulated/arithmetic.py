"""Arithmetic word problems: a small grammar whose problems can be read back, made harder, and solved exactly.

    Tom has 19 apples. Tom sells 8. Tom finds 3 more. How many apples does Tom have now?
    Tom sells 8: 19 - 8 = 11. Tom finds 3 more: 11 + 3 = 14. The answer is: 14.

8 names, 8 things, a start of 2-20, then any number of steps: plus or minus 1-20, x2, x3, half, each in 4 wordings. The
running value stays within 0-99, so a student can have one token per number. There are about 160,000 problems of one
step, and each further step multiplies that by more than a hundred: there is always room for held-out problems.

Standard library only. All chance comes from the `random.Random` that is passed in. Every problem that `parse` accepts
keeps to the limits above, so `solve` is right about all of them.
"""

import re
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

Operation = Literal["plus", "minus", "double", "triple", "half"]

LARGEST_VALUE = 99
LARGEST_OPERAND = 20
NAMES = ("Tom", "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace")
THINGS = ("apples", "books", "cards", "coins", "marbles", "pencils", "shells", "stamps")
# All wordings differ and none holds ". ", so a clause reads back in one way only.
WORDINGS: dict[Operation, tuple[str, str, str, str]] = {
    "plus": ("finds {} more", "buys {} more", "wins {} more", "is given {} more"),
    "minus": ("sells {}", "loses {}", "gives away {}", "throws out {}"),
    "double": ("doubles the number", "gets one more for each", "ends up with twice as many", "gets as many again"),
    "triple": (
        "triples the number",
        "gets two more for each",
        "ends up with three times as many",
        "gets twice as many again",
    ),
    "half": ("halves the number", "sells half", "gives away half", "loses half"),
}
_FACTORS: dict[Operation, int] = {"double": 2, "triple": 3, "half": 2}
_SIGNS: dict[Operation, str] = {"plus": "+", "minus": "-", "double": "x", "triple": "x", "half": "/"}
_READ = {text: (operation, i) for operation, texts in WORDINGS.items() for i, text in enumerate(texts)}

_PROBLEM = re.compile(
    rf"({'|'.join(NAMES)}) has ([1-9]\d?) ({'|'.join(THINGS)})\. (.+)\. How many ({'|'.join(THINGS)}) "
    rf"does ({'|'.join(NAMES)}) have now\?",
    re.ASCII,
)
_OPERAND = re.compile(r"\b[1-9]\d?\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `operand` is 1-20 for plus and minus, else 2 or 3 as the operation says; `wording` is 0-3."""

    operation: Operation
    operand: int
    wording: int

    def apply(self, value: int) -> int:
        match self.operation:
            case "plus":
                return value + self.operand
            case "minus":
                return value - self.operand
            case "half":
                return value // self.operand
            case _:
                return value * self.operand

    def allowed(self, value: int) -> bool:
        """Whether the step leads from `value` to a whole number of 0-99."""
        if self.operation == "half" and value % 2:
            return False
        return 0 <= self.apply(value) <= LARGEST_VALUE


@dataclass(frozen=True, slots=True)
class Problem:
    """`name` starts with `start` of `thing` and then takes the steps, of which there is at least one."""

    name: str
    thing: str
    start: int
    steps: tuple[Step, ...]


def make(rng: Random, num_steps: int = 1) -> Problem:
    """A random problem of `num_steps` steps. Raises ValueError when `num_steps` is below 1."""
    if num_steps < 1:
        raise ValueError(f"a problem has at least 1 step, got num_steps={num_steps}")
    value = start = rng.randint(2, LARGEST_OPERAND)
    steps = []
    for _ in range(num_steps):
        steps.append(_random_step(rng, value))
        value = steps[-1].apply(value)
    return Problem(rng.choice(NAMES), rng.choice(THINGS), start, tuple(steps))


def render(problem: Problem) -> str:
    """The problem as an instruction."""
    clauses = " ".join(f"{_clause(problem, step)}." for step in problem.steps)
    question = f"How many {problem.thing} does {problem.name} have now?"
    return f"{problem.name} has {problem.start} {problem.thing}. {clauses} {question}"


def parse(text: str) -> Problem | None:
    """The problem that `render` writes as `text` (white space around it aside), or None when there is none."""
    match = _PROBLEM.fullmatch(text.strip())
    if match is None or match[1] != match[6] or match[3] != match[5]:
        return None
    value = start = int(match[2])
    if not 2 <= start <= LARGEST_OPERAND:
        return None
    steps = []
    for clause in match[4].split(". "):
        step = _read_clause(clause, match[1])
        if step is None or not step.allowed(value):
            return None
        steps.append(step)
        value = step.apply(value)
    return Problem(match[1], match[3], start, tuple(steps))


def solve(problem: Problem) -> str:
    """The response: each clause repeated with its sum, then "The answer is: N."."""
    value = problem.start
    lines = []
    for step in problem.steps:
        result = step.apply(value)
        lines.append(f"{_clause(problem, step)}: {value} {_SIGNS[step.operation]} {step.operand} = {result}.")
        value = result
    return f"{' '.join(lines)} The answer is: {value}."


def values(problem: Problem) -> tuple[int, ...]:
    """The running value: the start, then the value after each step."""
    running = [problem.start]
    for step in problem.steps:
        running.append(step.apply(running[-1]))
    return tuple(running)


def answer(problem: Problem) -> int:
    return values(problem)[-1]


def harder(problem: Problem, rng: Random) -> Problem:
    """The same problem with one more step at the end."""
    return replace(problem, steps=(*problem.steps, _random_step(rng, answer(problem))))


def easier(problem: Problem, rng: Random) -> Problem:
    """The same problem without its last step; one of a single step becomes a new one with numbers up to 10."""
    if len(problem.steps) > 1:
        return replace(problem, steps=problem.steps[:-1])
    small = Problem(problem.name, problem.thing, rng.randint(2, 10), ())
    while True:
        step = _random_step(rng, small.start, largest_operand=10)
        if (step, small.start) != (problem.steps[0], problem.start):
            return replace(small, steps=(step,))


def another_easier(problem: Problem, rng: Random) -> Problem:
    """A new problem about another thing, of one step less (but at least one)."""
    new = make(rng, max(1, len(problem.steps) - 1))
    return replace(new, thing=rng.choice([thing for thing in THINGS if thing != problem.thing]))


def _random_step(rng: Random, value: int, largest_operand: int = LARGEST_OPERAND) -> Step:
    """A step that `value` allows, each possible operation with equal odds."""
    room: dict[Operation, int] = {"plus": LARGEST_VALUE - value, "minus": value}
    possible: list[Operation] = [operation for operation in room if room[operation] > 0]
    # Multiples of nothing are allowed when read, but make no good problem.
    possible += [
        operation for operation, factor in _FACTORS.items() if value and Step(operation, factor, 0).allowed(value)
    ]
    operation = rng.choice(possible)
    operand = _FACTORS.get(operation) or rng.randint(1, min(largest_operand, room[operation]))
    return Step(operation, operand, rng.randrange(4))


def _clause(problem: Problem, step: Step) -> str:
    return f"{problem.name} {WORDINGS[step.operation][step.wording].format(step.operand)}"


def _read_clause(clause: str, name: str) -> Step | None:
    if not clause.startswith(name + " "):
        return None
    body = clause[len(name) + 1 :]
    operand = _OPERAND.search(body)
    found = _READ.get(body if operand is None else f"{body[: operand.start()]}{{}}{body[operand.end() :]}")
    if found is None:
        return None
    operation, wording = found
    if operation in _FACTORS:
        return Step(operation, _FACTORS[operation], wording)
    if operand is None or int(operand[0]) > LARGEST_OPERAND:
        return None
    return Step(operation, int(operand[0]), wording)
