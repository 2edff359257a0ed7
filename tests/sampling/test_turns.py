"""Conversations and temperatures of a checkpoint: what a turn says is what it would say if it were asked by itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evolray.config import SamplerConfig
from evolray.pool.layout import open_folder
from evolray.records import Turn
from evolray.sampling.board import Tally
from evolray.sampling.models import by_transformers
from evolray.sampling.models.decoding import Row, decode
from evolray.sampling.questions import Question, Sample, read_samples, write_questions
from evolray.sampling.shard_worker import ShardWorker
from tests.sampling import tiny

TALKS = [
    Question(f"t{at}", 0, tiny.said(text), max_tokens=8 + at, follow_ups=("Oak?", "Why is that?")[: at % 3])
    for at, text in enumerate(("Name a tree.", "Add 1, 2 and 3.", "return", "A", "Oak and birch", "def add(a, b):"))
]
TURNS = sum(one.turns for one in TALKS)


def config_of(student: Path, batch_tokens: int | None = None, **sampling: Any) -> SamplerConfig:
    """In a format whose prompts leave the tiny student room for several turns."""
    return replace(tiny.configured(student, batch_tokens, **sampling), chat_format="freeform")


def ask(student: Path, questions: list[Question], batch_tokens: int | None = None, **sampling: Any) -> list[Sample]:
    return tiny.answers(config_of(student, batch_tokens, **sampling), questions)


def one_by_one(student: Path, question: Question) -> list[Sample]:
    """Each turn as a question of its own, greedily."""
    found: list[Sample] = []
    for turn in range(question.turns):
        said = (*question.messages, *question.after([one.text for one in found]))
        found += ask(student, [Question(f"alone{turn}", 0, said, max_tokens=question.max_tokens)])
    return found


def test_every_turn_says_what_it_says_when_it_is_asked_alone(student: Path) -> None:
    found = ask(student, TALKS)
    for question, sample in zip(TALKS, found, strict=True):
        alone = one_by_one(student, question)
        assert [*sample.earlier, sample.text] == [one.text for one in alone]
        assert sample.prompt == alone[-1].prompt
        assert sample.prompt_tokens == sum(one.prompt_tokens for one in alone)
        assert sample.completion_tokens == sum(one.completion_tokens for one in alone)
        reasons = {one.finish_reason for one in alone}
        assert sample.finish_reason == ("length" if "length" in reasons else "stop")
    assert len({sample.text for sample in found}) == len(TALKS), "not all the same"


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.8}], ids=["greedy", "sampled"])
def test_equal_conversations_in_any_batch_and_order(student: Path, sampling: dict[str, Any]) -> None:
    mixed = [replace(one, sample=at, temperature=value) for one in TALKS for at, value in enumerate((None, 0.0, 0.6))]
    whole = ask(student, mixed, **sampling)
    assert ask(student, mixed, 200, **sampling) == whole
    assert ask(student, mixed[::-1], 100, **sampling) == whole[::-1]


def test_a_first_answer_is_that_of_the_question_alone(student: Path) -> None:
    single = ask(student, [replace(one, follow_ups=()) for one in TALKS], temperature=1.0)
    talks = ask(student, TALKS, temperature=1.0)
    assert [(*one.earlier, one.text)[0] for one in talks] == [one.text for one in single]


def test_no_turn_draws_the_numbers_of_another(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[Any] = []

    def noting(model: Any, rows: Sequence[Row], *others: Any) -> None:
        states.extend(row.random.getstate() for row in rows)
        decode(model, rows, *others)

    monkeypatch.setattr(by_transformers, "decode", noting)
    ask(student, TALKS, temperature=1.0)
    assert len(states) == len({*states}) == TURNS


# --- temperatures and batches -----------------------------------------------------------------------------------------


def test_a_question_is_answered_at_its_own_temperature(student: Path) -> None:
    asked = [replace(one, temperature=value) for one, value in zip(TALKS, (None, 0.0, 0.8) * 2, strict=True)]
    cold, warm, own = (ask(student, asked, temperature=value) for value in (None, 0.8, 0.3))
    greedy, sampled = ask(student, TALKS), ask(student, TALKS, temperature=0.8)
    assert [cold[at] for at in (0, 1, 3, 4)] == [greedy[at] for at in (0, 1, 3, 4)]
    assert [cold[at] for at in (2, 5)] == [sampled[at] for at in (2, 5)]
    assert warm == [sampled[0], greedy[1], sampled[2], sampled[3], greedy[4], sampled[5]]
    assert [own[at] for at in (1, 2, 4, 5)] == [warm[at] for at in (1, 2, 4, 5)]
    assert greedy[2] != sampled[2]


def test_batches_are_of_one_temperature_and_rounds_follow_each_other(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[tuple[float | None, int]] = []

    def noting(model: Any, rows: Sequence[Row], sampling: Any, *others: Any) -> None:
        batches.append((sampling.temperature, len(rows)))
        decode(model, rows, sampling, *others)

    monkeypatch.setattr(by_transformers, "decode", noting)
    ask(student, [replace(one, temperature=value) for one, value in zip(TALKS, (None, 0.0, 0.8) * 2, strict=True)])
    assert batches == [(0.0, 4), (0.8, 2), (0.0, 2), (0.8, 2), (0.8, 2)]


# --- what fails -------------------------------------------------------------------------------------------------------


def test_a_conversation_that_outgrows_the_model_fails_with_what_was_said(student: Path) -> None:
    long = Question("q", 0, tiny.said("A"), max_tokens=10, follow_ups=("x" * 200, "never asked"))
    [sample, other] = ask(student, [long, TALKS[1]])
    [first] = ask(student, [replace(long, follow_ups=())])
    assert (sample.cause, sample.text, sample.earlier) == ("too_long", "", (first.text,))
    tokens = sample.prompt_tokens - first.prompt_tokens
    assert sample.message == (
        f"turn 2 of 3: the prompt has {tokens} tokens, and the model takes {tiny.POSITIONS} with the answer"
    )
    assert sample.completion_tokens == first.completion_tokens
    assert other.cause == ""


def test_a_turn_that_no_memory_holds(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short_alone(model: Any, rows: Sequence[Row], *others: Any) -> None:
        if any(len(row.prompt) > 60 for row in rows):
            raise torch.OutOfMemoryError("CUDA out of memory")
        decode(model, rows, *others)

    monkeypatch.setattr(by_transformers, "decode", short_alone)
    [sample] = ask(student, [replace(TALKS[1], follow_ups=("x" * 60,))])
    assert (sample.cause, len(sample.earlier), sample.model) == ("out_of_memory", 1, "tiny")
    assert sample.message.startswith("turn 2 of 2: a prompt of ")


# --- a shard ----------------------------------------------------------------------------------------------------------


def test_a_shard_counts_a_conversation_once_and_is_written_whole(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolray.sampling.shard_worker.REPORT_SECONDS", 0.0)
    folder, tallies = open_folder(str(tmp_path)), list[Tally]()
    long = Question("q", 0, tiny.said("A"), max_tokens=10, follow_ups=("x" * 200,))
    write_questions(folder, 0, [*TALKS, long])

    def report(shard: int, tally: Tally) -> bool:
        tallies.append(replace(tally))
        return True

    ShardWorker(tiny.answering(config_of(student)), folder, report)(0)
    found = read_samples(folder, 0)
    assert [one.id for one in found] == [*(one.id for one in TALKS), "q"]
    assert sum(len(one.earlier) + (not one.cause) for one in found) == TURNS + 1
    assert tallies[-1] == Tally.of(found)
    assert (tallies[-1].sampled, tallies[-1].failed) == (len(TALKS), 1)
    assert max(one.completion_tokens + one.writing for one in tallies) == tallies[-1].completion_tokens


def test_a_chat_template_that_knows_no_second_turn_is_one_failure(student: Path, tmp_path: Path) -> None:
    words = tiny.tokenizer(chat_format=None)
    words.chat_template = "{% if messages | length > 1 %}{{ raise_exception('one turn, please') }}{% endif %}A"
    tiny.llama(len(words)).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    [sample] = tiny.answers(tiny.configured(tmp_path), [replace(TALKS[1], max_tokens=4)])
    assert (sample.cause, len(sample.earlier), sample.text) == ("not_rendered", 1, "")
    assert sample.message == "turn 2 of 2: the chat template does not take this conversation (one turn, please)"


def test_the_answers_of_a_conversation_are_the_assistant_s(student: Path) -> None:
    [sample] = ask(student, [TALKS[1]])
    assert TALKS[1].after(sample.earlier) == (Turn("assistant", sample.earlier[0]), Turn("user", "Oak?"))
    assert sample.prompt.count("### Response:") == 2
