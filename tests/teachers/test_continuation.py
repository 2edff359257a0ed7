"""Texts to be continued: where they are sent, what comes back, and what a call says of its own length and stops."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from evolray.errors import EndpointError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.records import Turn
from evolray.teachers.endpoint import Endpoint, EndpointTeacher
from evolray.teachers.endpoint.requests import Request, make_request
from evolray.teachers.scripted import ScriptedTeacher
from evolray.teachers.simulated import SimulatedTeacher
from evolray.teachers.simulated.length import shorten
from evolray.teachers.simulated.server import fetch, listening, running
from evolray.teachers.simulated.settings import ServerSettings
from evolray.teachers.throttle import Gate, Grant

PROMPT = "Compare tea and coffee houses\n\nAnswer:"
TEXT = Call("sample", "HumanEval/0", 0, (), prompt=PROMPT)
CHAT = Call("sample", "HumanEval/0", 0, (Turn("user", PROMPT),))


def sent(call: Call, **settings: Any) -> tuple[Request, dict[str, Any]]:
    endpoint = Endpoint("http://localhost:1/v1", "m", **settings)
    request = make_request(endpoint, endpoint.request_fields(), call)
    return request, json.loads(request.body)


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_text_goes_to_completions_without_a_system_message() -> None:
    request, body = sent(TEXT)
    assert (request.path, request.characters) == ("/completions", len(PROMPT))
    assert body == {
        "model": "m", "prompt": PROMPT, "temperature": 1.0, "top_p": 0.9, "max_tokens": 2048,
        "frequency_penalty": 0.0, "presence_penalty": 0.0,
    }  # fmt: skip


def test_an_empty_text_is_continued_too() -> None:
    request, body = sent(Call("sample", "q", 0, (), prompt=""))
    assert (request.path, body["prompt"]) == ("/completions", "")


def test_a_conversation_goes_to_chat_completions_with_the_system_message() -> None:
    request, body = sent(CHAT)
    assert request.path == "/chat/completions"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "prompt" not in body and "stop" not in body


@pytest.mark.parametrize("call", [TEXT, CHAT], ids=["text", "chat"])
def test_what_the_call_says_goes_before_what_the_endpoint_says(call: Call) -> None:
    own = Call(call.purpose, call.root_id, 0, call.messages, 3, call.prompt, 7, ("\nclass", "\ndef"), 0.0)
    _, body = sent(own, max_tokens=99, temperature=0.3, extra_body={"stop": ["other"], "top_k": 5})
    assert (body["max_tokens"], body["stop"], body["temperature"]) == (7, ["\nclass", "\ndef"], 0.0)
    assert body["top_k"] == 5


@pytest.mark.parametrize("call", [TEXT, CHAT], ids=["text", "chat"])
def test_a_call_without_a_temperature_has_the_endpoint_s(call: Call) -> None:
    assert sent(call, temperature=0.3)[1]["temperature"] == 0.3
    assert "temperature" not in sent(call, temperature=None)[1]


def test_without_a_limit_anywhere_none_is_sent() -> None:
    for call in (TEXT, CHAT):
        assert not {"max_tokens", "max_completion_tokens"} & set(sent(call, max_tokens=None)[1])


@pytest.mark.parametrize(("own", "expected"), [(None, 99), (7, 7)])
def test_completions_call_the_limit_max_tokens_whatever_chats_call_it(own: int | None, expected: int) -> None:
    call = Call("sample", "q", 0, (), prompt=PROMPT, max_tokens=own)
    _, text = sent(call, max_tokens=99, max_tokens_field="max_completion_tokens")
    assert (text["max_tokens"], "max_completion_tokens" in text) == (expected, False)
    chat = Call("sample", "q", 0, (Turn("user", "x"),), max_tokens=own)
    _, body = sent(chat, max_tokens=99, max_tokens_field="max_completion_tokens")
    assert (body["max_completion_tokens"], "max_tokens" in body) == (expected, False)


@pytest.mark.parametrize("text", ["{braces} $dollars", "Grüße 你好 🙂", "lone \ud800 surrogate", "\0\x1b", "a\r\nb"])
def test_whatever_a_text_holds_arrives(text: str) -> None:
    _, body = sent(Call("sample", "q", 0, (), prompt=text, stop=(text,)))
    assert (body["prompt"], body["stop"]) == (text, [text])


# --- what comes back --------------------------------------------------------------------------------------------------


def asked(answer: web.Response, call: Call = TEXT) -> Completion:
    """One call to a server that answers /completions as told, and nothing else."""

    async def handle(request: web.Request) -> web.Response:
        return answer

    async def main() -> Completion:
        app = web.Application()
        app.router.add_post("/v1/completions", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        teacher = EndpointTeacher(Endpoint(url, "asked-model", max_retries=0), Gate(Grant(slots=1)))
        try:
            return await teacher.complete(call)
        finally:
            await teacher.close()
            await runner.cleanup()

    return asyncio.run(main())


def test_a_continuation_carries_what_the_endpoint_said() -> None:
    body = {
        "model": "served", "choices": [{"text": " red \ud800", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 22},
    }  # fmt: skip
    assert asked(web.json_response(body)) == Completion(" red \ufffd", "length", 11, 22, "served")


def test_missing_counts_are_estimated_from_the_texts() -> None:
    completion = asked(web.json_response({"choices": [{"text": "12345"}]}))
    assert (completion.prompt_tokens, completion.completion_tokens) == ((len(PROMPT) + 3) // 4, 2)


@pytest.mark.parametrize("choice", [{"message": {"content": "x"}}, {"text": 7}, {"text": None}, {}, 7])
def test_an_answer_without_a_text_is_malformed(choice: object) -> None:
    with pytest.raises(TeacherError, match="the answer is not a completion with a text") as caught:
        asked(web.json_response({"choices": [choice]}))
    assert caught.value.cause == "malformed"


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_completions_is_said_to_have_none(status: int) -> None:
    with pytest.raises(EndpointError) as caught:
        asked(web.json_response({"error": {"message": "This is a chat model"}}, status=status))
    line = str(caught.value)
    assert "does not continue texts with the model 'asked-model' (path /completions)" in line
    assert "choose prompt=instruct" in line and f"(HTTP {status}: This is a chat model)" in line


def test_a_server_without_chats_is_still_said_to_lack_that_path() -> None:
    with pytest.raises(EndpointError, match="does not know the model 'asked-model' or the path /chat/completions"):
        asked(web.json_response({}), CHAT)


# --- the simulated server and the offline teacher ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(ServerSettings(flaws=0)) as url:
        yield url


def by_client(url: str, *calls: Call) -> list[Completion]:
    async def main() -> list[Completion]:
        teacher = EndpointTeacher(Endpoint(url, "simulated"), Gate(Grant(slots=4)))
        try:
            return list(await asyncio.gather(*(teacher.complete(call) for call in calls)))
        finally:
            await teacher.close()

    return asyncio.run(main())


def test_the_server_continues_what_the_offline_teacher_would_answer(server: str) -> None:
    [text] = by_client(server, TEXT)
    assert text == asyncio.run(SimulatedTeacher(flaws=0).complete(TEXT))
    assert text.text and text.finish_reason == "stop"


def test_stops_and_limits_cut_alike_on_the_wire_and_in_process(server: str) -> None:
    [whole] = by_client(server, TEXT)
    word = whole.text.split()[3]
    cuts = [(3, ()), (None, (word,)), (None, ("nowhere", word)), (1, (word,)), (1000, ("nowhere",))]
    calls = [
        Call("sample", "q", n, messages, prompt=prompt, max_tokens=max_tokens, stop=stop)
        for n, (messages, prompt) in enumerate([((), PROMPT), ((Turn("user", PROMPT),), None)])
        for max_tokens, stop in cuts
    ]
    completions = by_client(server, *calls)
    assert [one.text for one in completions] == 2 * [
        whole.text[:12], whole.text.partition(word)[0], whole.text.partition(word)[0], whole.text[:4], whole.text,
    ]  # fmt: skip
    assert [one.finish_reason for one in completions] == 2 * ["length", "stop", "stop", "length", "stop"]
    in_process = [asyncio.run(SimulatedTeacher(flaws=0).complete(call)) for call in calls[:5]]
    assert [(one.text, one.finish_reason, one.completion_tokens) for one in in_process] == [
        (one.text, one.finish_reason, one.completion_tokens) for one in completions[:5]
    ]


def test_a_text_and_the_same_as_a_message_are_different_prompts() -> None:
    with running(ServerSettings(flaws=0)) as url:
        by_client(url, TEXT, CHAT, TEXT)
        stats = fetch(url, "stats")
    assert (stats["answered"], stats["distinct_prompts"], stats["repeated_prompts"]) == (3, 2, 1)
    assert {kind: number for kind, number in stats["kinds"].items() if number} == {"respond": 3}


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"prompt": ["a", "b"]}, {"prompt": "x", "stop": [7]}])
def test_the_server_rejects_what_is_no_text(body: dict[str, Any]) -> None:
    import aiohttp

    async def main() -> tuple[int, Any]:
        async with listening(ServerSettings()) as url, aiohttp.ClientSession() as session:
            async with session.post(f"{url}/completions", json={"model": "simulated", **body}) as response:
                return response.status, await response.json()

    status, answer = asyncio.run(main())
    assert status == 400
    assert answer["error"]["message"] == "Expected a JSON object with model and prompt."


def test_of_stop_and_limit_the_first_counts() -> None:
    whole = Completion("0123456789", "stop", 5, 3, "m")
    assert shorten(whole, None, ()) is whole
    assert shorten(whole, 3, ("",)) is whole
    assert shorten(whole, 2, ("9",)) == Completion("01234567", "length", 5, 2, "m")
    assert shorten(whole, 2, ("9", "5")) == Completion("01234", "stop", 5, 2, "m")


def test_a_scripted_teacher_counts_the_text_to_be_continued() -> None:
    completion = asyncio.run(ScriptedTeacher(lambda call: call.prompt or "").complete(TEXT))
    assert (completion.text, completion.prompt_tokens) == (PROMPT, len(PROMPT) // 4)
