"""A judge of rules for the tests, and problems for it: it prefers what it is told to, and says what it was asked."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.config import VerdictsConfig
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.benchmarks import CHAT_BENCHMARKS
from evolray.evaluate.chat.reading.answers import Answers
from evolray.evaluate.chat.selection import Files, SelectedChat, select_chat
from evolray.pool.layout import Folder, shard_name
from evolray.sampling.questions import Question, Sample, read_questions, read_samples, write_samples
from evolray.sampling.sampler import Sampling

Answer = Callable[[Question], str | Sample]


@dataclass
class FakeJudge:
    """A Sampler whose answers are a function's. `asked`: id and attempt of each question it answered."""

    answer: Answer
    name: str = "a judge"
    has_chat_template: bool = True
    identity: Mapping[str, Any] = field(default_factory=lambda: {"model": "a judge"})
    asked: list[tuple[str, int]] = field(default_factory=list)

    def check(self) -> None:
        pass

    def run(
        self, folder: Folder, shards: Sequence[int], show: Callable[[Sampling], None], beside: Sequence[Folder] = ()
    ) -> None:
        for shard in shards:
            before = {}
            if folder.exists(shard_name("sampled", shard)):
                before = {one.id: one for one in read_samples(folder, shard) if not one.cause}
            asked = read_questions(folder, shard)
            write_samples(folder, shard, [before.get(one.id) or self._said(one) for one in asked])
            show(Sampling())

    def _said(self, question: Question) -> Sample:
        self.asked.append((question.id, question.sample))
        answer = self.answer(question)
        return answer if isinstance(answer, Sample) else Sample(question.id, question.sample, answer)


def scores_by_length(question: Question, bonus: float = 0.0) -> str:
    """A word of an answer is worth a point, and the first place `bonus`."""
    first, second = re.findall(r"(?m)^ANSWER(.*)$", question.messages[-1].content)
    return f"{len(first.split()) + bonus:g} {len(second.split()):g}\nBecause."


def words(number: int) -> str:
    """An answer that is worth so many points."""
    return " ".join(["ANSWER", *["word"] * number])


def wizard_problems(number: int) -> Problems:
    rows = [
        {"Skill": "Math" if place % 2 else "Art", "Difficulty": place % 10 + 1, "Instruction": f"Do {place}."}
        for place in range(number)
    ]
    return Problems("a test set", "here", "0" * 64, [Problem(str(place), row) for place, row in enumerate(rows, 1)])


def select(
    judge: FakeJudge, problems: Problems, baseline: Mapping[str, tuple[str, ...]],
    benchmark: ChatBenchmark = CHAT_BENCHMARKS["wizard_eval"], **settings: Any,
) -> SelectedChat:  # fmt: skip
    """As select_chat does it, with a baseline that is in no file."""
    from evolray.evaluate.chat import selection

    answers = Answers("a baseline", "there", "1" * 64, baseline, [])
    read, selection.read_answers = selection.read_answers, lambda *_: answers  # type: ignore[assignment]
    try:
        return select_chat(benchmark, problems, None, VerdictsConfig(**settings), Files("there"), judge, {})
    finally:
        selection.read_answers = read
