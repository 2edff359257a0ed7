"""What a chat benchmark is made of, and what is judged.

problems     read from a release's file, checked, hashed; a problem has one user turn or several
answers      the model's, a baseline's to compare with, and right ones that the judge is shown
protocol     what a judge is asked about them and how its answer is read (protocols/)
scores       what the verdicts are made into (scores/)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.verdicts import Order, Verdict
from evolray.records import Turn


@dataclass(frozen=True, slots=True)
class Case:
    """One problem with the answers to be judged; every tuple has a text per user turn, or is empty."""

    problem: Problem
    turns: tuple[str, ...]
    answer: tuple[str, ...]
    baseline: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was read from a judge's answer: the scores of the answers in the order they were shown."""

    first: float
    second: float | None = None


class JudgeProtocol(Protocol):
    """One way to ask a judge. `prompts`: every text file it uses, by name. `source`: who published the protocol."""

    name: str
    source: str
    is_comparison: bool
    temperature: float
    max_tokens: int
    prompts: Mapping[str, str]

    def messages(self, case: Case, turn: int, order: Order) -> tuple[Turn, ...]:
        """The question to the judge about one turn, from 1, of which each is asked about by itself.

        `order` is "alone" where there is no comparison.
        """

    def parse(self, text: str) -> Judgement | None:
        """None when the answer holds no verdict, or more than one: nothing is guessed."""


@dataclass(frozen=True)
class Judged:
    """All that scores are made from. `unanswered`: problems to which the model gave no answer.

    `lengths`: characters of the model's and the baseline's answer by problem, where there is a baseline.
    """

    problems: Problems
    verdicts: Sequence[Verdict]
    unanswered: frozenset[str] = frozenset()
    lengths: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatBenchmark:
    """`groups`: what scores are also given by, for example skill -> a problem's skill. `protocols`: by name, the
    benchmark's own first, each with what makes its scores."""

    name: str
    title: str
    read: Callable[[str], Problems]
    """From a path, a URL or hf:NAME. Raises UserError for a file that is not of this benchmark."""
    turns: Callable[[Problem], tuple[str, ...]]
    """What the user says, turn by turn."""
    temperature: Callable[[Problem], float]
    """Of the model's answers, what the benchmark's authors used."""
    max_tokens: int
    """Per answer."""
    protocols: Mapping[str, JudgeProtocol]
    groups: Mapping[str, Callable[[Problem], str]] = field(default_factory=dict)
    wants_reference: Callable[[Problem], bool] = lambda problem: False
    """Whether the judge should see a right answer to this problem."""
    own_baseline: Callable[[Problem], tuple[str, ...]] = lambda problem: ()
    """The baseline's answer where the problem's file holds it (AlpacaEval's does)."""

    def group_of(self, problem: Problem) -> dict[str, str]:
        return {name: of(problem) for name, of in self.groups.items()}


Entry = dict[str, Any]
"""What scores.json says of a benchmark."""
