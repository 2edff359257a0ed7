"""Drawing the next token: the right distribution, from numbers that belong to the row alone."""

import math
from random import Random

import pytest
import torch

from evolray.config import SamplingConfig
from evolray.records import Turn
from evolray.sampling.models.drawing import draw, random_of
from evolray.sampling.questions import Question

WEIGHTS = (0.4, 0.3, 0.15, 0.1, 0.05, 0.0)
DRAWS = 20_000


def shares(sampling: SamplingConfig) -> list[float]:
    logits = torch.tensor([[math.log(weight) if weight else -math.inf for weight in WEIGHTS]]).repeat(DRAWS, 1)
    tokens = draw(logits, [random_of(5, Question("q", sample)) for sample in range(DRAWS)], sampling)
    return [tokens.count(token) / DRAWS for token in range(len(WEIGHTS))]


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (SamplingConfig(temperature=1.0), WEIGHTS),
        (SamplingConfig(temperature=0.5), tuple(weight**2 / 0.285 for weight in WEIGHTS)),
        (SamplingConfig(temperature=1.0, top_k=2), (4 / 7, 3 / 7, 0, 0, 0, 0)),
        (SamplingConfig(temperature=1.0, top_p=0.72), (0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0, 0)),
        (SamplingConfig(temperature=1.0, top_p=0.39), (1, 0, 0, 0, 0, 0)),
        # top_p counts in what top_k has left: 4/7 is above a half.
        (SamplingConfig(temperature=1.0, top_k=2, top_p=0.5), (1, 0, 0, 0, 0, 0)),
        (SamplingConfig(temperature=1.0, top_k=100), WEIGHTS),
    ],
)
def test_the_distribution(sampling: SamplingConfig, expected: tuple[float, ...]) -> None:
    """Pearson's chi-square over five degrees of freedom at most: above 30 once in 60,000 tries."""
    found = shares(sampling)
    assert [share == 0 for share in found] == [share == 0 for share in expected]
    assert sum(DRAWS * (a - b) ** 2 / b for a, b in zip(found, expected, strict=True) if b) < 30


def test_greedy_takes_the_likeliest_and_no_random_number() -> None:
    random = Random(1)
    state = random.getstate()
    assert draw(torch.tensor([[0.0, 3.0, 2.0]]), [random], SamplingConfig()) == [1]
    assert random.getstate() == state


def test_equals_share_their_fate() -> None:
    logits = torch.zeros(200, 4)
    randoms = [Random(number) for number in range(200)]
    assert {*draw(logits, randoms, SamplingConfig(temperature=1.0, top_k=1))} == {0, 1, 2, 3}


def test_a_row_draws_the_same_whatever_is_beside_it() -> None:
    sampling = SamplingConfig(temperature=1.0, top_p=0.9)
    logits = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    questions = [Question("q", sample) for sample in range(8)]
    together = draw(logits, [random_of(0, one) for one in questions], sampling)
    apart = [draw(logits[at : at + 1], [random_of(0, one)], sampling)[0] for at, one in enumerate(questions)]
    assert together == apart


def test_seed_question_sample_and_turn_each_make_another_row() -> None:
    rows = [random_of(0, Question("q", 0)), random_of(1, Question("q", 0)), random_of(0, Question("p", 0)),
            random_of(0, Question("q", 1)), random_of(0, Question("q", 0), 2), random_of(0, Question("q", 0), 3),
            random_of(0, Question("q/0", 2)), random_of(0, Question("q/0, turn 2", 0))]  # fmt: skip
    assert len({row.random() for row in rows}) == 8
    assert random_of(0, Question("q", 0)).random() == random_of(0, Question("q", 0)).random()


def test_a_first_turn_draws_what_it_drew_before_there_were_turns() -> None:
    question = Question("gsm8k/7", 3, follow_ups=("And?",), messages=(Turn("user", "How many?"),))
    assert random_of(5, question).random() == Random("5/gsm8k/7/3").random()


def test_the_end_of_the_range_draws_a_token_that_has_weight() -> None:
    class Last(Random):
        def random(self) -> float:
            return 1 - 2**-53

    logits = torch.tensor([[1.0, 1.0, 1.0, -math.inf]])
    assert draw(logits, [Last()], SamplingConfig(temperature=1.0)) == [2]
