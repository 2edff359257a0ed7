"""Ready answers to a chat benchmark, made into samples as if they had just been drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from evolray.evaluate.benchmark import Problems
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.reading.answers import read_answers
from evolray.evaluate.graded import storable
from evolray.sampling.questions import Sample


def read_answers_as_samples(
    path: str, benchmark: ChatBenchmark, problems: Problems
) -> tuple[list[Sample], Sequence[Mapping[str, Any]], str]:
    """The samples in the problems' order, the lines that cannot be used, and who answered.

    Raises UserError when the file cannot be read or answers none of the problems.
    """
    answers = read_answers(path, benchmark.name, problems, benchmark.turns)
    samples = []
    for problem in problems.all:
        if turns := answers.texts.get(problem.id):
            *earlier, last = map(storable, turns)
            name = f"{benchmark.name}/{problem.id}"
            samples.append(Sample(name, 0, last, finish_reason="stop", model=answers.name, earlier=tuple(earlier)))
    return samples, answers.rejected, answers.name
