"""How many questions go together, and what happens when memory does not agree."""

from collections import deque
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from evolray.sampling.models import by_transformers
from evolray.sampling.models.batching import Limits, in_order, limits_for, take
from evolray.sampling.models.decoding import decode
from evolray.sampling.models.rendering import Rendered
from evolray.sampling.questions import Question
from tests.sampling import tiny


def asked(*sizes: tuple[int, int]) -> list[Rendered]:
    """Prompts of so many tokens with so much room for the answer."""
    return [Rendered(Question(f"q{at}", 0), "", (1,) * size, room) for at, (size, room) in enumerate(sizes)]


def taken(waiting: deque[Rendered], limits: Limits) -> list[list[str]]:
    found = []
    while waiting:
        found.append([one.question.id for one in take(waiting, limits)])
    return found


def test_the_longest_prompts_first() -> None:
    assert [one.question.id for one in in_order(asked((3, 1), (9, 1), (3, 5), (6, 1)))] == ["q1", "q3", "q0", "q2"]


def test_a_row_counts_as_long_as_the_longest_prompt_and_answer() -> None:
    waiting = in_order(asked((10, 10), (9, 10), (8, 10), (7, 30), (6, 10)))
    assert taken(waiting, Limits(40)) == [["q0", "q1"], ["q2"], ["q3"], ["q4"]]


def test_one_is_taken_even_when_it_is_too_large() -> None:
    assert taken(in_order(asked((100, 10), (90, 10))), Limits(1)) == [["q0"], ["q1"]]


def test_the_number_of_rows_is_limited_too() -> None:
    assert taken(in_order(asked(*[(1, 1)] * 5)), Limits(1000, 2)) == [["q0", "q1"], ["q2", "q3"], ["q4"]]


def test_what_memory_takes() -> None:
    """A LLaMA-2-7B in bf16: keys and values of a token alone take 2 x 32 x 4,096 x 2 bytes, half a megabyte."""
    config = LlamaConfig(
        hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, vocab_size=32000
    )
    limits = limits_for(config, "gpu", 60_000_000_000, 2, None)
    assert limits.rows == 256
    assert 60_000 < limits.tokens < 0.8 * 60e9 / 524_288
    assert limits_for(config, "gpu", 0, 2, None) == Limits(1, 256)
    assert limits_for(config, "gpu", 0, 2, 4096) == Limits(4096)


def test_out_of_memory_halves_the_batch_and_goes_on(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = tiny.answers(tiny.configured(student), tiny.questions())
    sizes: list[int] = []

    def small(model: Any, rows: list[Any], *others: Any) -> None:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        decode(model, rows, *others)

    monkeypatch.setattr(by_transformers, "decode", small)
    assert tiny.answers(tiny.configured(student), tiny.questions()) == calm
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]


def test_one_answer_that_no_memory_holds_is_a_failure(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(by_transformers, "decode", never)
    [sample] = tiny.answers(tiny.configured(student), [Question("q", 0, prompt="xxx", max_tokens=9)])
    assert (sample.cause, sample.prompt, sample.prompt_tokens) == ("out_of_memory", "xxx", 3)
    assert sample.message == "a prompt of 3 tokens and an answer of up to 9 do not fit into the GPU"
