"""Conversations and temperatures at an endpoint: a call per turn, none paid twice, and one sample in the end."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from evolray.errors import BudgetError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.pool.layout import Folder, open_folder
from evolray.records import Turn
from evolray.sampling.questions import Question, Sample, write_questions
from evolray.sampling.sampler import Sampling
from evolray.teachers.endpoint.requests import make_request
from evolray.teachers.scripted import Answer
from tests.engine.in_process import in_place_of_ray
from tests.sampling import tiny
from tests.sampling.served import Asked, run, sampler, samples

TALK = Question("talk", 0, tiny.said("Name a tree."), max_tokens=300, follow_ups=("Another?", "One more?"))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    in_place_of_ray(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A shard of conversations with three turns, and one of single questions."""
    folder = open_folder(str(tmp_path / "run"))
    folder.write("run.yaml", b"")
    write_questions(folder, 0, [replace(TALK, id=f"talk{n}") for n in range(4)])
    write_questions(folder, 1, [replace(TALK, id=f"single{n}", follow_ups=()) for n in range(4)])
    return folder


def trees(call: Call) -> Answer:
    """Another tree in each turn."""
    turn = len(call.messages) // 2
    return Completion(("Oak.", "Ash.", "Elm.")[turn], "stop", 10 * (turn + 1), 2, "served")


def one_run(folder: Folder, question: Question) -> Folder:
    write_questions(folder, 0, [question])
    return folder


# --- turns ------------------------------------------------------------------------------------------------------------


def test_each_turn_is_a_call_with_all_that_was_said(tmp_path: Path) -> None:
    folder, asked = one_run(open_folder(str(tmp_path)), replace(TALK, given_input="In Europe.")), Asked(trees)
    run(sampler(asked), folder)
    first, second, third = asked.calls
    assert first.messages == (Turn("user", "Name a tree.\nIn Europe."),)
    assert second.messages == (*first.messages, Turn("assistant", "Oak."), Turn("user", "Another?"))
    assert third.messages == (*second.messages, Turn("assistant", "Ash."), Turn("user", "One more?"))
    assert len({(call.root_id, call.generation, call.purpose, call.attempt) for call in asked.calls}) == 3
    assert {call.max_tokens for call in asked.calls} == {300}
    assert samples(folder) == [Sample("talk", 0, "Elm.", "", "stop", 60, 6, "served", earlier=("Oak.", "Ash."))]


def test_what_follows_a_stop_is_no_part_of_the_conversation(tmp_path: Path) -> None:
    asked = Asked(lambda call: Completion("Oak.\n###more", "length", 1, 2, "m"))
    folder = one_run(open_folder(str(tmp_path)), replace(TALK, stop=("\n###",)))
    run(sampler(asked), folder)
    assert [turn.content for turn in asked.calls[2].messages[1::2]] == ["Oak.", "Oak."]
    assert (samples(folder)[0].earlier, samples(folder)[0].finish_reason) == (("Oak.", "Oak."), "stop")


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    asked = Asked(lambda call: Completion("" if len(call.messages) == 1 else "Ash.", "stop", 1, 1, "m"))
    folder = one_run(open_folder(str(tmp_path)), TALK)
    run(sampler(asked), folder)
    assert asked.calls[1].messages[1] == Turn("assistant", "")
    assert (samples(folder)[0].earlier, samples(folder)[0].text) == (("", "Ash."), "Ash.")


def test_a_turn_that_fails_is_asked_again_and_those_before_it_are_not(folder: Folder) -> None:
    def second_is_late(call: Call) -> Answer:
        late = call.root_id == "talk2" and len(call.messages) == 3
        return TeacherError(call.record_id, "timeout", "late") if late else trees(call)

    run(sampler(Asked(second_is_late)), folder)
    assert samples(folder)[2] == Sample(
        "talk2", 0, "", "", "", 10, 2, "served", "timeout", "turn 2 of 3: late", ("Oak.",)
    )  # fmt: skip
    assert [one.cause for one in samples(folder)] == ["", "", "timeout", *[""] * 5]
    again = Asked(trees)
    run(sampler(again, retry_failed=True), folder, [0])
    assert [(call.root_id, len(call.messages)) for call in again.calls] == [("talk2", 3), ("talk2", 5)]
    assert samples(folder)[2] == replace(samples(folder)[1], id="talk2")


def test_a_run_that_stops_between_two_turns_pays_none_twice(folder: Folder) -> None:
    asked = Asked(trees)
    with pytest.raises(BudgetError, match="6 of 6 calls"):
        run(sampler(asked, budget__calls=6), folder, [0])
    assert samples(folder) == [] and len(asked.calls) == 6
    run(sampler(asked), folder, [0])
    assert Counter((call.root_id, len(call.messages)) for call in asked.calls) == {
        (f"talk{n}", length): 1 for n in range(4) for length in (1, 3, 5)
    }
    assert {one.earlier for one in samples(folder)} == {("Oak.", "Ash.")}


def test_a_question_counts_once_and_its_tokens_for_every_turn(folder: Folder) -> None:
    shown = run(sampler(Asked(trees)), folder)
    assert replace(shown[-1], detail="") == Sampling(8, 0, 4 * 60 + 4 * 10, 4 * 6 + 4 * 2)


def test_finished_shards_cost_what_they_cost(folder: Folder) -> None:
    """Every call counts, that of a conversation which failed later, too."""
    prices = {"endpoint__price_per_million_prompt_tokens": 1e6}

    def third_is_late(call: Call) -> Answer:
        return TeacherError(call.record_id, "timeout", "late") if len(call.messages) == 5 else trees(call)

    run(sampler(Asked(third_is_late), **prices), folder, [0])
    shown = run(sampler(Asked(trees), **prices), folder, [1])
    assert replace(shown[-1], detail="") == Sampling(4, 4, 4 * 30 + 4 * 10, 4 * 4 + 4 * 2, 160)


# --- temperatures -----------------------------------------------------------------------------------------------------


def test_a_question_s_temperature_goes_with_all_of_its_calls(tmp_path: Path) -> None:
    folder, asked = open_folder(str(tmp_path)), Asked(trees)
    write_questions(
        folder, 0, [replace(TALK, temperature=0.7), replace(TALK, sample=1, temperature=0.0), replace(TALK, sample=2)]
    )
    run(sampler(asked, sampling__temperature=0.3), folder)
    assert Counter((call.attempt, call.temperature) for call in asked.calls) == {(0, 0.7): 3, (1, 0.0): 3, (2, None): 3}


@pytest.mark.parametrize(("own", "of_question", "sent"), [
    (None, None, 0.0), (0.3, None, 0.3), (None, 0.7, 0.7), (0.3, 0.7, 0.7), (0.3, 0.0, 0.0),
])  # fmt: skip
def test_which_temperature_is_sent(own: float | None, of_question: float | None, sent: float) -> None:
    served = {"endpoint__kind": "endpoint", "endpoint__model": "m", "endpoint__base_url": "http://localhost:1/v1"}
    [endpoint] = sampler(sampling__temperature=own, **served)._work.endpoints
    call = Call("sample", "q", 0, tiny.said("Hi"), temperature=of_question)
    assert json.loads(make_request(endpoint, endpoint.request_fields(), call).body)["temperature"] == sent


def test_another_temperature_of_a_question_asks_it_anew(folder: Folder) -> None:
    run(sampler(Asked(trees)), folder)
    write_questions(folder, 1, [replace(TALK, id=f"single{n}", follow_ups=(), temperature=n / 2) for n in range(4)])
    again = Asked(trees)
    run(sampler(again), folder)
    assert {call.root_id: call.temperature for call in again.calls} == {f"single{n}": n / 2 for n in range(4)}


def test_no_temperature_is_greedy_for_the_identity_and_the_ledger(folder: Folder) -> None:
    assert sampler().identity["temperature"] == 0.0
    assert sampler().identity == sampler(sampling__temperature=0.0).identity
    run(sampler(Asked(trees), sampling__temperature=0.0), folder)
    again = Asked(trees)
    run(sampler(again), folder)
    assert again.calls == []
