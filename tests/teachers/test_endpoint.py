"""The endpoint teacher against real sockets: a server inside the test that answers what each test scripts.

Back-off does not wait: `sleep` is a list that also moves the teacher's clock.
"""

import asyncio
import json
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from evolray.errors import EndpointError, UserError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.records import Turn
from evolray.teachers.endpoint.answers import storable
from evolray.teachers.endpoint.availability import preflight
from evolray.teachers.endpoint.client import connection_reason
from evolray.teachers.endpoint.settings import Endpoint
from evolray.teachers.endpoint.teacher import EndpointTeacher
from evolray.teachers.throttle import Gate, Grant

KEY = "sk-test-0123456789abcdef"
CALL = Call("respond", "0" * 16, 2, (Turn("user", "Name three colours."),))
GOOD = {
    "model": "served-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "red, green"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 22},
}
Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


def ok(body: object = GOOD) -> web.Response:
    return web.json_response(body)


def status(code: int, message: str = "", **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"error": {"message": message, "code": None}}, status=code, headers=named)


async def dropped(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


@asynccontextmanager
async def serving(app: web.Application) -> Any:
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


class Script:
    """What the server answers, in turn (the last answer again and again), and what it was asked."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def app(self) -> web.Application:
        app = web.Application(client_max_size=10**8)
        app.router.add_post("/v1/chat/completions", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(json.loads(await request.read()))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, web.Response):
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers.copy())
        return await answer(request)


class Slept(list[float]):
    """Stands for asyncio.sleep and for the clock."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)

    def now(self) -> float:
        return sum(self)


def teacher_of(url: str, slept: Slept, gate: Gate | None = None, **settings: Any) -> EndpointTeacher:
    endpoint = Endpoint(url, "asked-model", **{"timeout_seconds": 5.0, **settings})
    gate = gate or Gate(Grant(slots=1000))
    return EndpointTeacher(endpoint, gate, sleep=slept, clock=slept.now, jitter=random.Random(1))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def complete(*answers: Answer, call: Call = CALL, **settings: Any) -> tuple[Completion, Script, Slept, Gate]:
    """One call against scripted answers."""
    script, slept = Script(answers), Slept()

    async def main() -> tuple[Completion, Gate]:
        gate = Gate(Grant(slots=1))
        async with serving(script.app()) as url:
            teacher = teacher_of(url, slept, gate, **settings)
            try:
                return await teacher.complete(call), gate
            finally:
                assert gate.in_flight == 0
                await teacher.close()

    completion, gate = asyncio.run(main())
    return completion, script, slept, gate


def test_a_completion_carries_what_the_endpoint_said() -> None:
    completion, script, slept, _ = complete(ok())
    assert completion == Completion("red, green", "length", 11, 22, "served-model")
    assert slept == []
    assert script.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not {"x-stainless-os", "x-stainless-arch", "x-stainless-runtime-version"} & set(script.headers[0])
    assert script.requests == [
        {
            "model": "asked-model",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Name three colours."},
            ],
            "temperature": 1.0,
            "top_p": 0.9,
            "max_tokens": 2048,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
        }
    ]


def test_settings_of_none_are_not_sent_and_extra_ones_are() -> None:
    call = Call("respond", "0" * 16, 1, (Turn("system", "Own."), Turn("user", "x")))
    _, script, _, _ = complete(
        ok(),
        call=call,
        temperature=None,
        top_p=None,
        frequency_penalty=None,
        presence_penalty=None,
        max_tokens=99,
        max_tokens_field="max_completion_tokens",
        extra_body={"reasoning_effort": "low"},
    )
    assert script.requests[0] == {
        "model": "asked-model",
        "max_completion_tokens": 99,
        "reasoning_effort": "low",
        "messages": [{"role": "system", "content": "Own."}, {"role": "user", "content": "x"}],
    }


@pytest.mark.parametrize(
    "text", ["{braces} $dollars #Given Prompt#:", "Grüße 你好 🙂", "lone \ud800 surrogate", "\0\x1b"]
)
def test_whatever_an_instruction_holds_arrives(text: str) -> None:
    _, script, _, _ = complete(ok(), call=Call("evolve", "0" * 16, 1, (Turn("user", text),)))
    assert script.requests[0]["messages"][-1]["content"] == text


@pytest.mark.parametrize(
    ("trouble", "counted"),
    [
        (status(408), "errors"),
        (status(409), "errors"),
        (status(429, retry_after_ms="1"), "refused"),
        (status(500), "errors"),
        (status(503, "loading"), "errors"),
        (status(529), "errors"),
        (dropped, "errors"),
        (cut_off, "errors"),
        (web.Response(text="<html>busy</html>", content_type="text/html"), "errors"),
        (web.Response(text='{"choices": [{"mess', content_type="application/json"), "errors"),
        (web.Response(body=b"\xff\xfe\x00", content_type="application/json"), "errors"),
        (web.Response(text="[" * 100_000, content_type="application/json"), "errors"),
        (ok({"error": {"message": "overloaded"}}), "errors"),
        (ok({"choices": []}), "errors"),
        (ok({"choices": [{"message": {"content": 7}}]}), "errors"),
        (ok({"choices": [{"message": None, "finish_reason": "stop"}]}), "errors"),
        (ok({"choices": [{"message": {"content": None}}]}), "errors"),
        (ok([]), "errors"),
        (ok(None), "errors"),
    ],
)
def test_passing_trouble_is_retried_after_giving_the_slot_back(trouble: Answer, counted: str) -> None:
    completion, script, slept, gate = complete(trouble, trouble, ok())
    assert completion.text == "red, green"
    assert len(script.requests) == 3
    assert len(slept) == 2
    usage = gate._usage  # the loop that usage() would ask for the time is gone
    assert (getattr(usage, counted), usage.answered, usage.started) == (2, 1, 3)


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (status(429, "slow down", retry_after_ms="1"), "rate_limited"),
        (status(500, "boom"), "server_error"),
        (ok({"choices": []}), "malformed"),
        (status(408), "timeout"),
    ],
)
def test_when_retries_are_used_up_the_cause_is_named(trouble: Answer, cause: str) -> None:
    with pytest.raises(TeacherError) as caught:
        complete(trouble, max_retries=3)
    assert caught.value.cause == cause
    assert caught.value.record_id == CALL.record_id
    assert "after 4 tries" in caught.value.message


def test_a_call_without_an_answer_times_out() -> None:
    with pytest.raises(TeacherError) as caught:
        complete(silent, max_retries=1, timeout_seconds=0.05)
    assert caught.value.cause == "timeout"


def test_a_connection_that_drops_for_one_call_only_fails_that_call() -> None:
    """Other calls are answered meanwhile, so the endpoint is not gone: this record is at fault."""

    async def main() -> None:
        script, slept = Script([]), Slept()

        async def by_content(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            return await dropped(request) if b"poison" in body else ok()

        script.answers = [by_content]
        async with serving(script.app()) as url:
            teacher = teacher_of(url, slept, max_retries=3)
            poison = asyncio.create_task(teacher.complete(Call("evolve", "f" * 16, 1, (Turn("user", "poison"),))))
            while not poison.done():
                await teacher.complete(CALL)
            await teacher.close()
            error = poison.exception()
            assert isinstance(error, TeacherError)
            assert error.cause == "connection"

    asyncio.run(main())


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_bad_request_is_not_retried_and_its_message_is_short_and_clean(code: int) -> None:
    said = f"too long for key {KEY} and Bearer abcdefghijkl\n" + "x" * 5000
    with pytest.raises(TeacherError) as caught:
        complete(status(code, said), ok())
    assert caught.value.cause == "bad_request"
    assert KEY not in str(caught.value) and "abcdefghijkl" not in str(caught.value)
    assert "too long" in caught.value.message
    assert len(caught.value.message) < 330 and "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (status(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (status(402), "OPENAI_API_KEY"),
        (status(403), "asked-model"),
        (status(404, "no such model"), "asked-model"),
        (status(307, Location="https://elsewhere.example/v1/chat/completions"), "redirects"),
        (web.json_response({"error": {"message": "quota", "code": "insufficient_quota"}}, status=429), "payment"),
    ],
)
def test_what_no_call_can_escape_ends_the_run_in_one_line(answer: Answer, named: str) -> None:
    with pytest.raises(EndpointError) as caught:
        complete(answer, ok())
    line = str(caught.value)
    assert named in line and "http://127.0.0.1:" in line
    assert KEY not in line and "\n" not in line


def test_after_the_end_no_other_call_is_sent() -> None:
    async def main() -> None:
        script = Script([status(401)])
        async with serving(script.app()) as url:
            teacher = teacher_of(url, Slept(), Gate(Grant(slots=1)))
            results = await asyncio.gather(*(teacher.complete(CALL) for _ in range(50)), return_exceptions=True)
            await teacher.close()
        assert all(isinstance(result, EndpointError) for result in results)
        assert len(script.requests) == 1

    asyncio.run(main())


def test_the_key_does_not_follow_a_redirect() -> None:
    async def main() -> None:
        other = Script([ok()])
        async with serving(other.app()) as elsewhere:
            here = Script([status(308, Location=f"{elsewhere}/chat/completions")])
            async with serving(here.app()) as url:
                teacher = teacher_of(url, Slept())
                with pytest.raises(EndpointError, match="redirects"):
                    await teacher.complete(CALL)
                await teacher.close()
        assert other.requests == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry_after": "7"}, 7.0, 7.2),
        ({"retry_after_ms": "2500", "retry_after": "9"}, 2.5, 2.7),
        ({"retry_after": "86400"}, 120.0, 120.2),
        ({"retry_after": "-5"}, 0.0, 0.2),
        ({"retry_after": "soon"}, 0.25, 0.5),
        ({"retry_after": "nan"}, 0.25, 0.5),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0, 0.2),
        ({}, 0.25, 0.5),
    ],
)
def test_retry_after_is_honoured_within_reason(headers: dict[str, str], least: float, most: float) -> None:
    _, _, slept, _ = complete(status(503, **headers), ok())
    assert least <= slept[0] <= most


def test_the_back_off_grows_and_varies() -> None:
    with pytest.raises(TeacherError):
        complete(status(500), max_retries=8)
    _, _, slept, _ = complete(*[status(500)] * 8, ok())
    assert len(slept) == 8
    assert [0.5 * 2**n * 0.5 <= wait <= 0.5 * 2**n for n, wait in enumerate(slept[:6])] == [True] * 6
    assert max(slept) <= 30.0
    assert len({round(wait / 2**n, 6) for n, wait in enumerate(slept[:6])}) == 6


def test_an_endpoint_that_is_gone_ends_the_run_and_blames_no_record() -> None:
    async def main() -> None:
        async with serving(Script([ok()]).app()) as url:
            slept = Slept()
            teacher = teacher_of(url, slept, max_retries=2, give_up_seconds=120.0)
            await teacher.complete(CALL)
        with pytest.raises(EndpointError, match="is gone: the connection is refused"):
            await teacher.complete(CALL)
        assert 120 <= slept.now() <= 160
        await teacher.close()

    asyncio.run(main())


def test_an_endpoint_that_comes_back_in_time_loses_nothing() -> None:
    completion, _, slept, _ = complete(*[dropped] * 6, ok(), max_retries=2)
    assert completion.text == "red, green"
    assert len(slept) == 6


@pytest.mark.parametrize(
    ("message", "finish_reason", "text"),
    [
        ({"content": None}, "content_filter", ""),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls", ""),
        ({}, "length", ""),
        ({"content": ""}, "stop", ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 3]}, "stop", "ab"),
        ({"content": "pair \ud83d\ude42, lone \ud83d."}, "stop", "pair 🙂, lone \ufffd."),
        ({"content": "\0\x1b[31m{}$" + "x" * 100_000}, "stop", "\0\x1b[31m{}$" + "x" * 100_000),
    ],
)
def test_odd_messages_become_storable_texts(message: dict[str, Any], finish_reason: str, text: str) -> None:
    completion, _, _, _ = complete(ok({"choices": [{"message": message, "finish_reason": finish_reason}]}))
    assert (completion.text, completion.finish_reason) == (text, finish_reason)
    completion.text.encode()


@pytest.mark.parametrize(
    "usage",
    [None, [], {}, {"prompt_tokens": "9", "completion_tokens": -1}, {"prompt_tokens": 1e400}, {"prompt_tokens": True}],
)
def test_missing_token_counts_are_estimated(usage: object) -> None:
    body = {"choices": [{"message": {"content": "x" * 400}, "finish_reason": "stop"}], "usage": usage}
    completion, _, _, _ = complete(ok(body), system="")
    assert (completion.prompt_tokens, completion.completion_tokens) == (5, 100)
    assert completion.model == "asked-model"


def test_only_lone_surrogates_are_replaced() -> None:
    assert storable("plain") == "plain"
    assert storable("Grüße 🙂") == "Grüße 🙂"
    assert storable("a\udc80b\ud800") == "a\ufffdb\ufffd"


def test_a_cancelled_call_gives_its_slot_back() -> None:
    async def main() -> None:
        gate = Gate(Grant(slots=1))
        async with serving(Script([silent]).app()) as url:
            teacher = teacher_of(url, Slept(), gate)
            task = asyncio.create_task(teacher.complete(CALL))
            while not gate.in_flight:
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert gate.in_flight == 0
            await teacher.close()

    asyncio.run(main())


def test_more_than_a_thousand_calls_are_in_flight_at_once() -> None:
    async def main() -> None:
        arrived, everyone = 0, asyncio.Event()

        async def together(_: web.Request) -> web.StreamResponse:
            nonlocal arrived
            arrived += 1
            if arrived == 1100:
                everyone.set()
            await everyone.wait()
            return ok()

        async with serving(Script([together]).app()) as url:
            teacher = teacher_of(url, Slept(), Gate(Grant(slots=1100)), timeout_seconds=60.0)
            results = await asyncio.gather(*(teacher.complete(CALL) for _ in range(1100)))
            await teacher.close()
        assert len(results) == 1100

    asyncio.run(main())


def test_nothing_is_logged_per_call(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.INFO)
    complete(status(500), ok())
    ours = [one for one in caplog.records if one.name.split(".")[0] in ("openai", "httpx", "httpx2", "evolray")]
    assert ours == []
    assert KEY not in capfd.readouterr().err


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "", "http://", "http://host:port/v1"])
def test_a_base_url_that_is_none_is_a_mistake_of_the_user(url: str) -> None:
    with pytest.raises(UserError, match="base_url"):
        Endpoint(url, "m")


def test_a_missing_key_is_named_and_a_local_server_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OTHER_KEY"):
        Endpoint("https://api.example.com/v1", "m", api_key_env="OTHER_KEY").read_key()
    assert Endpoint("http://localhost:8000/v1", "m").read_key() == "none"
    monkeypatch.setenv("OTHER_KEY", f" {KEY}\n")
    assert Endpoint("https://api.example.com/v1", "m", api_key_env="OTHER_KEY").read_key() == KEY
    monkeypatch.setenv("OTHER_KEY", "two words")
    with pytest.raises(UserError) as caught:
        Endpoint("https://api.example.com/v1", "m", api_key_env="OTHER_KEY").read_key()
    assert "OTHER_KEY" in str(caught.value) and "two words" not in str(caught.value)


def test_user_and_password_of_a_url_are_not_shown() -> None:
    assert Endpoint("https://me:secret@host:8443/v1?token=x", "m").shown_url == "https://host:8443/v1"


def check_before_start(answer: web.Response | None, model: str = "big-model") -> list[str]:
    """Preflight against a server that answers /models so; the authorization headers it saw."""
    seen: list[str] = []

    async def models(request: web.Request) -> web.Response:
        seen.append(request.headers["authorization"])
        return answer or web.Response(status=404)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/v1/models", models)
        async with serving(app) as url:
            await preflight(Endpoint(url, model))

    asyncio.run(main())
    return seen


def listed(*names: str) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": name} for name in names]})


@pytest.mark.parametrize(
    "answer",
    [
        listed("other", "big-model"),
        listed("models/big-model"),
        listed(),
        web.Response(status=404),
        web.Response(status=405),
        web.Response(status=503),
        web.Response(status=429),
        web.Response(text="<html>", content_type="text/html"),
        web.json_response({"data": [1, 2]}),
        web.json_response({"data": None}),
    ],
)
def test_preflight_accepts_a_served_model_and_what_says_nothing(answer: web.Response) -> None:
    assert check_before_start(answer) == [f"Bearer {KEY}"]


def test_preflight_names_the_model_and_its_near_matches() -> None:
    with pytest.raises(EndpointError, match=r"'big-modle'.*big-model"):
        check_before_start(listed("tiny", "big-model", "unrelated"), model="big-modle")


@pytest.mark.parametrize("code", [401, 403])
def test_preflight_says_which_variable_holds_the_refused_key(code: int) -> None:
    with pytest.raises(EndpointError, match="OPENAI_API_KEY") as caught:
        check_before_start(web.json_response({"error": {"message": f"bad key {KEY}"}}, status=code))
    assert KEY not in str(caught.value)


def test_preflight_of_a_closed_port_is_one_line() -> None:
    async def main() -> None:
        async with serving(web.Application()) as url:
            pass
        await preflight(Endpoint(url, "m"))

    with pytest.raises(EndpointError, match="cannot be reached: the connection is refused") as caught:
        asyncio.run(main())
    assert "\n" not in str(caught.value)


def test_preflight_of_a_server_without_tls_says_so() -> None:
    async def main() -> None:
        async with serving(web.Application()) as url:
            await preflight(Endpoint(url.replace("http:", "https:"), "m"))

    with pytest.raises(EndpointError, match="cannot be reached: TLS failed"):
        asyncio.run(main())


def test_preflight_of_a_silent_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolray.teachers.endpoint.availability.PREFLIGHT_SECONDS", 0.1)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/v1/models", silent)
        async with serving(app) as url:
            await preflight(Endpoint(url, "m"))

    with pytest.raises(EndpointError, match="does not answer"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host name is unknown"),
        (ssl.SSLError(1, "handshake"), "TLS failed"),
        (ConnectionRefusedError(111, "refused"), "the connection is refused"),
        (TimeoutError(), "no connection in time"),
        (ConnectionResetError(104, "reset"), "the connection was dropped"),
    ],
)
def test_the_reason_is_found_below_the_layers_of_the_client(cause: Exception, reason: str) -> None:
    middle, outer = OSError("middle"), RuntimeError("outer")
    outer.__cause__, middle.__cause__ = middle, cause
    assert connection_reason(outer).startswith(reason)
