"""The simulated judge of answers: scores by `quality.py`, with a bias and a noise of its own if it is to have them.

bias    points that the answer which is shown first gets on top, or loses when negative; none where one answer is
        rated alone. Multiples of half a point come through exactly up to 2, where no score meets 1 or 10 (but an empty
        answer's 1).
noise   each score is off by a number from a normal distribution of this many points, drawn by a hash of the prompt:
        so the two orders of a comparison are off independently, and at temperature 0 the same question always gets
        the same verdict. Above it, each time that it is asked counts as a question of its own.
flaws   the share of answers that hold no verdict, drawn by the prompt and the number of times that it was asked
        before: asking again can help, at any temperature.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

from evolray.teachers.simulated.comparisons import Form, ToJudge
from evolray.teachers.simulated.draw import Chance
from evolray.teachers.simulated.quality import half_points, quality

LOWEST, HIGHEST = 1.0, 10.0
TIE = 0.5
"""A choice or a ranking is a tie when the scores are at most so many points apart."""

_STANDARD_NORMAL = NormalDist()
_REASONS = (
    "{best} covers more of what was asked.",
    "{best} keeps closer to the question and goes into more detail.",
    "What {best} says is easier to put to use.",
)
_EQUAL = ("Both are about equally good.", "Neither is clearly better.")
_UNREADABLE: Mapping[Form, Sequence[str]] = {
    "scores": ("", "Both answers are good.", "8", "Between 7 and 8 for both.", "7 8 9"),
    "solution_and_scores": ("", "Both results are right.", "(7)", "I would give both of them full marks."),
    "choice": ("", "Assistant A, or perhaps B.", "[[A]] or [[B]]", "[[D]]"),
    "ranking": ("", "model_1 is better.", '[{"model": "model_1", "rank": 1}, {"mod', "[]"),
    "rating": ("", "A good answer.", "Rating: seven", "[[6]] or [[7]]", "[[70]]"),
}


@dataclass
class AnswerJudge:
    """Counts how often each question was asked; ValueError for a bias or a noise that makes no sense."""

    key: bytes
    flaws: float
    bias: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not -9 <= self.bias <= 9:
            raise ValueError(f"judge bias is a number of points between -9 and 9, got {self.bias}")
        if not 0 <= self.noise <= 9:
            raise ValueError(f"judge noise is a number of points between 0 and 9, got {self.noise}")
        self.forget()

    def forget(self) -> None:
        self._asked: dict[bytes, int] = {}

    def answer(self, prompt: str, asked: ToJudge, temperature: float, before: int | None = None) -> str:
        """`before`: how often it was asked already, where whoever asks knows; else it is counted here."""
        before = self._count(prompt) if before is None else before
        chance = Chance(self.key, f"flaw/{before}/{prompt}")
        if chance.below(2**32) < round(self.flaws * 2**32):
            return chance.one_of(_UNREADABLE[asked.form])
        scores = self._scores(prompt, asked, before if temperature > 0 else 0)
        return _VERDICTS[asked.form](scores, chance)

    def _count(self, prompt: str) -> int:
        digest = blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        before = self._asked.get(digest, 0)
        self._asked[digest] = before + 1
        return before

    def _scores(self, prompt: str, asked: ToJudge, time: int) -> list[float]:
        chance = Chance(self.key, f"noise/{time}/{prompt}")
        points = [quality(asked.question, answer, asked.reference) for answer in asked.answers]
        if len(points) > 1:
            points[0] += self.bias
        off = [self.noise * _STANDARD_NORMAL.inv_cdf((chance.below(2**48) + 0.5) / 2**48) for _ in points]
        return [half_points(one + error, LOWEST, HIGHEST) for one, error in zip(points, off, strict=True)]


def _two_scores(scores: Sequence[float], chance: Chance) -> str:
    return f"{scores[0]:g} {scores[1]:g}\n{_reason(scores, chance, 'Assistant 1', 'Assistant 2')}"


def _solution_and_scores(scores: Sequence[float], chance: Chance) -> str:
    reason = _reason(scores, chance, "Assistant 1", "Assistant 2")
    return f"I worked it out and went through both answers step by step. {reason}\n({scores[0]:g}, {scores[1]:g})"


def _choice(scores: Sequence[float], chance: Chance) -> str:
    chosen = "CAB"[_ahead(scores)]
    return f"{_reason(scores, chance, 'Assistant A', 'Assistant B')} [[{chosen}]]"


def _ranking(scores: Sequence[float], chance: Chance) -> str:
    first, second = ((1, 1), (1, 2), (2, 1))[_ahead(scores)]
    return f'[{{"model": "model_1", "rank": {first}}}, {{"model": "model_2", "rank": {second}}}]'


def _rating(scores: Sequence[float], chance: Chance) -> str:
    return f"The answer was weighed for length, form and what it takes up of the question. Rating: [[{scores[0]:g}]]"


def _ahead(scores: Sequence[float]) -> int:
    """0 for a tie, 1 when the first is ahead, 2 when the second is."""
    if abs(scores[0] - scores[1]) <= TIE:
        return 0
    return 1 if scores[0] > scores[1] else 2


def _reason(scores: Sequence[float], chance: Chance, first: str, second: str) -> str:
    ahead = _ahead(scores)
    return chance.one_of(_EQUAL if not ahead else _REASONS).format(best=second if ahead == 2 else first)


_VERDICTS: Mapping[Form, Callable[[Sequence[float], Chance], str]] = {
    "scores": _two_scores,
    "solution_and_scores": _solution_and_scores,
    "choice": _choice,
    "ranking": _ranking,
    "rating": _rating,
}
