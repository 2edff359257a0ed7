"""An endpoint as a sampler: every question becomes a sample, failed ones with a cause, and nothing is asked twice."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evolray.config import SamplerConfig, from_mapping
from evolray.errors import BudgetError, EndpointError, UserError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.records import Turn
from evolray.sampling.endpoint import EndpointSampler
from evolray.sampling.questions import SAMPLED, Question, Sample, write_questions
from evolray.sampling.sampler import Sampling
from evolray.teachers.endpoint import teacher as endpoint_teacher
from evolray.teachers.scripted import Answer
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings
from tests.engine.in_process import in_place_of_ray
from tests.sampling.served import PER_SHARD, Asked, run, sampler, samples

SHARDS = 3
QUESTIONS = SHARDS * PER_SHARD


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    in_place_of_ray(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A run directory with questions of both kinds, two samples each."""
    return new_run(tmp_path / "run")


def new_run(path: Path) -> Folder:
    folder = open_folder(str(path))
    folder.write("run.yaml", b"")  # as the stage leaves it
    for shard in range(SHARDS):
        write_questions(folder, shard, [question(shard, n) for n in range(PER_SHARD)])
    return folder


def question(shard: int, n: int) -> Question:
    """In each shard four problems twice; the first two of them are conversations."""
    problem = n // 2
    text = f"Describe harbour {problem} of island {shard}."
    one = Question(f"Harbour/{shard}-{problem}", n % 2, max_tokens=300, stop=("\n###",))
    return replace(one, messages=(Turn("user", text),)) if problem < 2 else replace(one, prompt=f"{text}\nAnswer:")


def at(url: str, **settings: Any) -> EndpointSampler:
    where = {"endpoint__kind": "endpoint", "endpoint__model": "simulated", "endpoint__base_url": url}
    return sampler(**where | settings)


def unsampled(folder: Folder) -> list[int]:
    return [shard for shard in range(SHARDS) if shard not in shards_in(folder, SAMPLED)]


# --- samples ----------------------------------------------------------------------------------------------------------


def test_every_question_is_asked_as_it_stands(folder: Folder) -> None:
    asked = Asked()
    run(sampler(asked), folder)
    assert len(asked.calls) == QUESTIONS and set(asked.names.values()) == {1}
    calls = {(call.root_id, call.attempt): call for call in asked.calls}
    chat, text = calls["Harbour/1-0", 1], calls["Harbour/1-2", 0]
    assert (chat.messages, chat.prompt) == ((Turn("user", "Describe harbour 0 of island 1."),), None)
    assert (text.messages, text.prompt) == ((), "Describe harbour 2 of island 1.\nAnswer:")
    assert {(call.purpose, call.max_tokens, call.stop) for call in asked.calls} == {("sample", 300, ("\n###",))}


def test_samples_are_in_the_order_of_the_questions_and_hold_what_came_back(folder: Folder) -> None:
    run(sampler(Asked()), folder)
    found = samples(folder)
    assert [(one.id, one.sample) for one in found] == [
        (question(shard, n).id, n % 2) for shard in range(SHARDS) for n in range(PER_SHARD)
    ]
    assert found[0] == Sample("Harbour/0-0", 0, "It is Harbour/0-0.", "", "stop", 10, 5, "served")
    assert found[-1].prompt == "Describe harbour 3 of island 2.\nAnswer:"


def test_an_input_follows_its_instruction(tmp_path: Path) -> None:
    folder, asked = open_folder(str(tmp_path)), Asked()
    write_questions(folder, 0, [Question("a", 0, (Turn("user", "Add."),), given_input="1 2")])
    run(sampler(asked), folder, [0])
    assert asked.calls[0].messages == (Turn("user", "Add.\n1 2"),)


def test_a_stop_that_the_server_left_in_is_taken_out(folder: Folder) -> None:
    run(sampler(lambda call: Completion("one\n###two\n###", "length", 1, 2, "m")), folder)
    assert {(one.text, one.finish_reason, one.completion_tokens) for one in samples(folder)} == {("one", "stop", 2)}


def test_no_question_is_no_work(folder: Folder) -> None:
    assert run(sampler(Asked()), folder, []) == []
    assert samples(folder) == []


# --- progress ---------------------------------------------------------------------------------------------------------

PRICES: dict[str, Any] = {
    "endpoint__price_per_million_prompt_tokens": 1e6,
    "endpoint__price_per_million_completion_tokens": 2e6,
}


def test_the_last_word_counts_what_was_written_earlier_shards_included(folder: Folder) -> None:
    first = run(sampler(Asked(), **PRICES), folder, [0])
    assert replace(first[-1], detail="") == Sampling(8, 0, 80, 40, 8 * (10 + 2 * 5))
    rest = run(sampler(Asked(lambda call: TeacherError("x", "timeout", "late")), **PRICES), folder, [1])
    assert replace(rest[-1], detail="") == Sampling(8, 8, 80, 40, 160)
    last = run(sampler(Asked(), **PRICES), folder, [1, 2])
    assert replace(last[-1], detail="") == Sampling(24, 0, 240, 120, 480)


def test_on_the_way_the_limit_is_shown(folder: Folder) -> None:
    assert run(sampler(Asked(), endpoint__max_in_flight=5), folder)[0].detail == "0 of 5 in flight"


# --- going on ---------------------------------------------------------------------------------------------------------


def test_a_spent_budget_stops_and_a_larger_one_asks_only_the_rest(folder: Folder) -> None:
    asked = Asked()
    with pytest.raises(BudgetError, match=r"11 of 11 calls; .* of 3 shards are sampled; .* the same command goes on"):
        run(sampler(asked, budget__calls=11), folder)
    assert len(asked.calls) == 11
    with pytest.raises(BudgetError, match="11 of 11 calls"):
        run(sampler(asked, budget__calls=11), folder, unsampled(folder))
    assert len(asked.calls) == 11
    run(sampler(asked, budget__calls=QUESTIONS), folder, unsampled(folder))
    assert len(asked.calls) == QUESTIONS and set(asked.names.values()) == {1}
    assert not any(one.cause for one in samples(folder))


def test_shards_that_are_lost_are_made_again_without_a_call(folder: Folder) -> None:
    run(sampler(Asked()), folder)
    before = {name: folder.read(f"{SAMPLED}/{name}") for name in folder.names(SAMPLED)}
    again = Asked()
    run(sampler(again), folder)
    assert again.calls == []
    assert {name: folder.read(f"{SAMPLED}/{name}") for name in folder.names(SAMPLED)} == before


@pytest.mark.parametrize(
    "other", [{"max_tokens": 301}, {"stop": ()}, {"stop": ("\n###", "\n\n")}, {"messages": (Turn("user", "Else."),)}]
)
def test_a_question_that_changed_is_asked_anew(folder: Folder, other: dict[str, Any]) -> None:
    run(sampler(Asked()), folder)
    changed = [replace(question(0, 0), **other), *(question(0, n) for n in range(1, PER_SHARD))]
    write_questions(folder, 0, changed)
    again = Asked()
    run(sampler(again), folder)
    assert again.names == Counter({("Harbour/0-0", 0): 1})


def test_another_temperature_asks_anew(folder: Folder) -> None:
    run(sampler(Asked()), folder, [0])
    again = Asked()
    run(sampler(again, sampling__temperature=0.2), folder, [0])
    assert len(again.calls) == PER_SHARD


def test_failed_questions_are_samples_with_a_cause_and_asked_again_alone(folder: Folder) -> None:
    def flaky(call: Call) -> Answer:
        if call.attempt == 1:
            return TeacherError(call.record_id, "server_error", "HTTP 500 \ud800 (after 9 tries)")
        return Completion("Yes.", "stop", 10, 5, "m")

    run(sampler(Asked(flaky)), folder)
    failed = [one for one in samples(folder) if one.cause]
    assert len(failed) == QUESTIONS // 2
    assert {(one.cause, one.message, one.text) for one in failed} == {
        ("server_error", "HTTP 500 \ufffd (after 9 tries)", "")
    }
    retry = Asked()
    run(sampler(retry, retry_failed=True), folder)
    assert sorted(retry.names) == sorted((one.id, one.sample) for one in failed)
    assert not any(one.cause for one in samples(folder))
    assert Counter(one.text == "Yes." for one in samples(folder)) == {True: QUESTIONS // 2, False: QUESTIONS // 2}


def test_an_endpoint_that_is_gone_stops_and_keeps_what_was_answered(folder: Folder) -> None:
    asked = Asked(lambda call: Completion("x") if len(asked.calls) <= 10 else EndpointError("the key is refused"))
    with pytest.raises(EndpointError, match=r"the key is refused \(. of 3 shards are sampled"):
        run(sampler(asked, endpoint__max_in_flight=1), folder)
    rest = Asked()
    run(sampler(rest), folder, unsampled(folder))
    assert len(rest.calls) == QUESTIONS - 10


# --- a real client against a server with faults -----------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(endpoint_teacher, "FIRST_BACKOFF_SECONDS", 0.001)


FAULTS = {"429": 0.05, "500": 0.1, "drop": 0.1, "malformed": 0.1, "truncated": 0.05, "empty": 0.05}


def test_faults_are_outlived_and_no_answer_is_paid_twice(folder: Folder, impatient: None) -> None:
    with running(ServerSettings(flaws=0, faults=FAULTS)) as url:
        run(at(url), folder)
        stats = fetch(url, "stats")
    found = samples(folder)
    assert len(found) == QUESTIONS and not any(one.cause for one in found)
    lost = sum(stats["faults"][name] for name in ("429", "500", "drop", "malformed"))
    assert stats["answered"] == QUESTIONS and lost > 0
    assert stats["requests"] == QUESTIONS + lost
    # An answer is cut off or empty in the sample exactly where the server made it so.
    assert sum(not one.text for one in found) == stats["faults"]["empty"]
    assert sum(one.finish_reason == "length" for one in found) == stats["faults"]["truncated"]


def test_what_fails_for_good_has_a_cause_and_a_retry_asks_just_that(folder: Folder, impatient: None) -> None:
    with running(ServerSettings(flaws=0, faults={"500": 0.2, "malformed": 0.2})) as url:
        run(at(url, endpoint__max_retries=0), folder)
        stats = fetch(url, "stats")
        failed = Counter(one.cause for one in samples(folder) if one.cause)
        assert failed == {"server_error": stats["faults"]["500"], "malformed": stats["faults"]["malformed"]}
        assert stats["requests"] == QUESTIONS
        run(at(url), folder)
        assert fetch(url, "stats")["answered"] == QUESTIONS
    assert not any(one.cause for one in samples(folder))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(ServerSettings(flaws=0)) as url:
        yield url


def test_limits_and_stops_reach_the_server(tmp_path: Path, server: str) -> None:
    folder = open_folder(str(tmp_path))
    asked = Question("a", 0, prompt="Describe a harbour.\n")
    turns = (Turn("user", "Describe a harbour.\n"),)
    write_questions(
        folder, 0,
        [asked, replace(asked, sample=1, max_tokens=3), replace(asked, sample=2, stop=(".",)),
         Question("a", 3, turns, max_tokens=3), Question("a", 4, turns, stop=(".",))],
    )  # fmt: skip
    run(at(server), folder, [0])
    whole, *cut = samples(folder)
    assert "." in whole.text and whole.completion_tokens > 5
    short, sentence = whole.text[:12], whole.text.partition(".")[0]
    assert [(one.text, one.finish_reason) for one in cut] == [
        (short, "length"), (sentence, "stop"), (short, "length"), (sentence, "stop")
    ]  # fmt: skip
    assert [one.completion_tokens for one in cut[:2]] == [3, (len(sentence) + 3) // 4]  # the server stopped, not we


def test_the_offline_model_needs_no_server(folder: Folder, server: str, tmp_path: Path) -> None:
    run(sampler(endpoint__flaws=0.0), folder)
    other = new_run(tmp_path / "other")
    run(at(server), other)
    assert [one.text for one in samples(folder)] == [one.text for one in samples(other)]


# --- before a run -----------------------------------------------------------------------------------------------------


def test_the_check_finds_what_is_missing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(server).check()
    sampler().check()
    with pytest.raises(EndpointError, match="does not serve 'gpt'; it serves 1 model, such as simulated"):
        at(server, endpoint__model="gpt").check()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match=r"no key for https://elsewhere\.example/v1"):
        at("https://elsewhere.example/v1").check()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"endpoint__kind": "magic"}, "endpoint.kind=magic: expected endpoint, simulated, scripted"),
        ({"endpoint__kind": "endpoint"}, "endpoint.model is missing"),
        ({"endpoint__kind": "scripted"}, "endpoint.kind=scripted needs endpoint.script="),
        ({"endpoint__max_in_flight": 0}, "endpoint.max_in_flight=0: expected a number from 1, or auto"),
        ({"engine__actors": 0}, "engine.actors=0: expected 1 or more"),
        ({"budget__calls": 0}, "budget.calls=0: expected 1 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        sampler(**settings)
    assert said in str(caught.value)


def test_the_sampler_says_who_it_is_without_credentials() -> None:
    one = at("http://user:secret@localhost:1/v1", sampling__temperature=0.2, sampling__top_k=40, sampling__seed=7)
    assert (one.name, one.has_chat_template) == ("simulated", True)
    assert "secret" not in repr(one.identity)
    assert {name: one.identity[name] for name in ("model", "temperature", "top_p", "extra_body")} == {
        "model": "simulated", "temperature": 0.2, "top_p": 1.0, "extra_body": {"top_k": 40},
    }  # fmt: skip


def test_how_it_is_asked_is_in_the_identity_and_how_fast_is_not() -> None:
    same = sampler(engine__actors=4, budget__calls=3, endpoint__max_in_flight=3, sampling__n=20, sampling__seed=1)
    assert same.identity == sampler().identity
    others: list[dict[str, Any]] = [
        {"sampling__temperature": 0.2}, {"sampling__top_p": 0.9}, {"sampling__top_k": 3}, {"endpoint__system": "S."},
        {"endpoint__extra_body": {"seed": 1}}, {"endpoint__model": "n"},
    ]  # fmt: skip
    for other in others:
        assert sampler(**other).identity != sampler().identity


def test_what_the_user_sends_goes_before_what_we_would() -> None:
    one = sampler(sampling__top_k=40, endpoint__extra_body={"top_k": -1, "seed": 3})
    assert one.identity["extra_body"] == {"top_k": -1, "seed": 3}


def test_what_stands_in_for_a_model_does_not_go_by_its_name() -> None:
    settings = {"endpoint.model": "gpt-4", "endpoint.base_url": "http://localhost:1/v1"}
    assert EndpointSampler(from_mapping(SamplerConfig, settings)).name == "gpt-4"
    assert EndpointSampler(from_mapping(SamplerConfig, settings | {"endpoint.kind": "simulated"})).name == "simulated"
