"""What a benchmark is made of, so that the stage can treat all six alike.

problems    read from a release's file, checked, hashed
prompts     forms, each a text file in prompts/<benchmark>/
extraction  from a sample to what is graded: a program, an answer
grader      from that to a verdict, under a named set of rules
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from evolray.config import ExecutionConfig

Outcome = Literal["passed", "wrong", "error", "timeout", "memory", "refused", "no_answer"]
"""wrong: it ran and is not right. error: it raised, or is no program. refused: the sandbox stopped what it tried.
no_answer: there was nothing to grade."""


WITH_INPUTS = "with_inputs"
"""Among a grader's rules: those that take the place of others where a release has inputs for its problems."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`id` as the release has it ("HumanEval/0", "11", "hendrycks_math_test_5"). `row` is the release's entry."""

    id: str
    row: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Problems:
    """`release`: what the file was recognised as, for example "HumanEval+ v0.1.9". `sha256`: of the entries read."""

    release: str
    source: str
    sha256: str
    all: Sequence[Problem]


def first(problems: Problems, limit: int | None) -> Problems:
    """The first `limit` of them, said in the release's name."""
    if limit is None or limit >= len(problems.all):
        return problems
    release = f"{problems.release}, the first {limit}"
    return Problems(release, problems.source, problems.sha256, problems.all[:limit])


@dataclass(frozen=True, slots=True)
class Verdict:
    """`base`: of the plus sets, the outcome on the base tests alone. `message`: why, for people; at most 1,000
    characters."""

    outcome: Outcome
    message: str = ""
    base: Outcome | None = None

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


class Grader(Protocol):
    """Grades what was extracted. One per process; holds a sandbox or a helper process, which `close` ends."""

    rules: Mapping[str, Any]
    """What decides the verdict: grader, tolerances, limits in force, versions of what does the work."""

    def grade(self, problem: Problem, extracted: str) -> Verdict: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the prompt. `is_chat`: the rendered text is a user's message; else the model continues it as it is.

    A sample ends before the first of `stop`.
    """

    name: str
    text: str
    is_chat: bool
    source: str = ""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """`groups`: the columns of the entries, where they have them, that scores are also given by (MATH: type, level)."""

    name: str
    title: str
    read: Callable[[str], Problems]
    """From a path, a URL or hf:NAME. Raises UserError for a file that is not of this benchmark."""
    forms: Mapping[str, Form]
    render: Callable[[Form, Problem], str]
    extractions: Mapping[str, Callable[[str, Problem], str]]
    """name -> from a sample to what is graded; "" when there is nothing to grade."""
    grader: Callable[[str, ExecutionConfig], Grader]
    """From a grading mode ("strict", "as_published"; code has one way) and limits. Raises UserError when it cannot
    work, such as bubblewrap missing."""
    max_tokens: int
    """Per sample, what the published scripts allow."""
    groups: Sequence[str] = ()
