"""Several turns become one sample: nothing of what they said or cost is lost, and nothing that went wrong is hidden."""

from dataclasses import replace

from evolray.sampling.conversation import Conversation
from evolray.sampling.questions import Question, Sample
from tests.sampling import tiny

QUESTION = Question("q", 3, tiny.said("One?"), follow_ups=("Two?", "Three?"))
TURN = Sample("q", 3, "1", "One?", "stop", 10, 1, "m")


def test_one_turn_is_its_own_sample() -> None:
    for sample in (TURN, replace(TURN, text="", cause="timeout", message="late")):
        assert Conversation(replace(QUESTION, follow_ups=())).take(sample) is sample


def test_all_turns_are_one_sample() -> None:
    conversation = Conversation(QUESTION)
    assert (conversation.turn, conversation.answers) == (1, ())
    assert conversation.take(TURN) is None
    assert conversation.take(replace(TURN, text="", prompt="One? 1 Two?", prompt_tokens=20)) is None
    assert (conversation.turn, conversation.answers) == (3, ("1", ""))
    last = replace(TURN, text="3", prompt="the whole", finish_reason="eos", prompt_tokens=30, completion_tokens=3)
    assert conversation.take(last) == Sample(
        "q", 3, "3", "the whole", "eos", 60, 5, "m", earlier=("1", "")
    )  # fmt: skip


def test_an_earlier_answer_that_was_cut_off_shows() -> None:
    conversation = Conversation(QUESTION)
    conversation.take(replace(TURN, finish_reason="length"))
    conversation.take(TURN)
    sample = conversation.take(TURN)
    assert sample is not None and sample.finish_reason == "length"


def test_a_turn_without_an_answer_ends_it_and_says_which_it_was() -> None:
    conversation = Conversation(QUESTION)
    conversation.take(TURN)
    failed = Sample("q", 3, prompt="long", prompt_tokens=99, cause="too_long", message="99 > 98")
    assert conversation.take(failed) == Sample(
        "q", 3, prompt="long", prompt_tokens=109, completion_tokens=1, model="m", cause="too_long",
        message="turn 2 of 3: 99 > 98", earlier=("1",),
    )  # fmt: skip


def test_the_first_turn_says_so_too() -> None:
    sample = Conversation(QUESTION).take(Sample("q", 3, cause="timeout", message="late"))
    assert sample == Sample("q", 3, cause="timeout", message="turn 1 of 3: late")
