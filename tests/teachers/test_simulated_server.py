"""The simulated endpoint over real sockets: OpenAI's forms, limits, every fault, and accounts that add up."""

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evolray.method.difficulty import difficulty_prompt
from evolray.method.domains import DOMAINS
from evolray.method.operators import render
from evolray.method.skills import skills_prompt
from evolray.records import Turn
from evolray.teachers.simulated import SimulatedTeacher
from evolray.teachers.simulated import server as simulated_server
from evolray.teachers.simulated.endpoint import SimulatedEndpoint
from evolray.teachers.simulated.server import fetch, listening, main, running
from evolray.teachers.simulated.settings import FAULTS, ServerSettings, parse_arguments


class Client:
    """A plain HTTP client of one server."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self.session, self.base_url = session, base_url
        self.root = base_url.removesuffix("/v1")

    async def post(self, body: bytes, key: str = "") -> tuple[int, Any, dict[str, str]]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.session.post(f"{self.base_url}/chat/completions", data=body, headers=headers) as response:
            raw = await response.read()
            try:
                return response.status, json.loads(raw), dict(response.headers)
            except ValueError:
                return response.status, raw.decode(), dict(response.headers)

    async def ask(self, prompt: str, key: str = "", **more: object) -> tuple[int, Any, dict[str, str]]:
        body = {"model": "simulated", "messages": [{"role": "user", "content": prompt}]} | more
        return await self.post(json.dumps(body).encode(), key)

    async def stats(self) -> Any:
        async with self.session.get(f"{self.root}/stats") as response:
            return await response.json()

    async def timeline(self) -> Any:
        async with self.session.get(f"{self.root}/timeline") as response:
            return await response.json()

    async def reset(self) -> None:
        async with self.session.post(f"{self.root}/reset") as response:
            assert response.status == 200

    async def until(self, reached: Callable[[Any], bool]) -> Any:
        """The first of many looks at /stats for which `reached` holds."""
        for _ in range(5000):
            stats = await self.stats()
            if reached(stats):
                return stats
        raise AssertionError(f"not reached: {stats}")


def against(settings: ServerSettings, test: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with listening(settings) as base_url, aiohttp.ClientSession() as session:
            await test(Client(session, base_url))

    asyncio.run(run())


def assert_balanced(stats: Any) -> None:
    ended = sum(stats["faults"][name] for name in ("500", "drop", "malformed"))
    settled = stats["answered"] + stats["refused"] + stats["rejected"] + stats["left"]
    assert stats["requests"] == settled + ended + stats["in_flight"]
    assert stats["answered"] == sum(stats["kinds"].values())


def test_answers_are_the_teachers() -> None:
    async def test(client: Client) -> None:
        status, body, _ = await client.ask("Compare tea and coffee houses")
        expected = SimulatedTeacher(seed=3, flaws=0.2).answer([Turn("user", "Compare tea and coffee houses")])
        assert status == 200
        assert body["object"] == "chat.completion" and body["model"] == "simulated"
        [choice] = body["choices"]
        assert choice["message"] == {"role": "assistant", "content": expected.text}
        assert choice["finish_reason"] == expected.finish_reason
        assert body["usage"] == {
            "prompt_tokens": expected.prompt_tokens,
            "completion_tokens": expected.completion_tokens,
            "total_tokens": expected.prompt_tokens + expected.completion_tokens,
        }

    against(ServerSettings(seed=3, flaws=0.2), test)


def test_openais_own_client_reads_it() -> None:
    import openai  # a second to import, and only this test wants it

    async def run() -> None:
        async with listening(ServerSettings(flaws=0, api_key="k", models=("m",))) as base_url:
            async with openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
                messages: Any = [{"role": "user", "content": "Compare tea and coffee houses"}]
                completion = await client.chat.completions.create(model="m", messages=messages)
                assert completion.choices[0].message.content
                assert [model.id async for model in client.models.list()] == ["m"]
                with pytest.raises(openai.NotFoundError, match="`other` does not exist"):
                    await client.chat.completions.create(model="other", messages=messages)
            async with openai.AsyncOpenAI(base_url=base_url, api_key="wrong", max_retries=0) as client:
                with pytest.raises(openai.AuthenticationError):
                    await client.models.list()

    asyncio.run(run())


def test_requests_that_are_wrong_are_rejected() -> None:
    async def test(client: Client) -> None:
        message = [{"role": "user", "content": "Hello"}]
        wrong = [
            b"{",
            b"[]",
            b'{"model": "simulated"}',
            json.dumps({"model": "simulated", "messages": []}).encode(),
            json.dumps({"model": "simulated", "messages": ["Hello"]}).encode(),
            json.dumps({"model": "simulated", "messages": message, "stream": True}).encode(),
            json.dumps({"model": "simulated", "messages": message, "max_tokens": "many"}).encode(),
        ]
        for body in wrong:
            status, answer, _ = await client.post(body, "right")
            assert status == 400 and answer["error"]["type"] == "invalid_request_error"
        status, answer, _ = await client.ask("Hello", "right", model="gpt")
        assert (status, answer["error"]["code"]) == (404, "model_not_found")
        for key in ("", "wrong", "righ", "rïght"):
            status, answer, _ = await client.ask("Hello", key)
            assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert (await client.ask("Hello", "right"))[0] == 200
        stats = await client.stats()
        assert (stats["requests"], stats["rejected"], stats["answered"]) == (13, 12, 1)
        assert_balanced(stats)

    against(ServerSettings(api_key="right"), test)


def test_content_may_come_in_parts_and_length_is_limited() -> None:
    async def test(client: Client) -> None:
        parts = [{"type": "text", "text": "Compare tea "}, {"type": "text", "text": "and coffee"}]
        in_parts = await client.ask("", messages=[{"role": "user", "content": parts}])
        whole = await client.ask("Compare tea and coffee")
        assert in_parts[1]["choices"] == whole[1]["choices"]
        _, cut, _ = await client.ask("Compare tea and coffee", max_tokens=3)
        assert cut["choices"][0]["finish_reason"] == "length"
        assert cut["choices"][0]["message"]["content"] == whole[1]["choices"][0]["message"]["content"][:12]
        assert cut["usage"]["completion_tokens"] == 3

    against(ServerSettings(flaws=0), test)


def test_what_is_paid_twice_is_counted() -> None:
    async def test(client: Client) -> None:
        equality = render(DOMAINS["open"].equality_prompt, first="a", second="b")
        evolve = DOMAINS["open"].operators[0].render("Compare tea and coffee")
        for prompt in ("one", "two", "one", "one", equality, evolve, difficulty_prompt("a"), skills_prompt("a")):
            await client.ask(prompt)
        await client.ask("one", messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "one"}])
        stats = await client.stats()
        assert stats["distinct_prompts"] == 7
        assert stats["repeated_prompts"] == 2
        expected = {"evolve": 1, "judge": 1, "respond": 5, "difficulty": 1, "skills": 1, "compare": 0, "rate": 0}
        assert stats["kinds"] == expected
        assert stats["prompt_tokens"] > stats["answered"] and stats["completion_tokens"] > 0
        timeline = await client.timeline()
        assert [row[2] for row in timeline] == ["respond"] * 4 + ["judge", "evolve", "difficulty", "skills", "respond"]
        assert all(0 <= start <= end for start, end, _ in timeline)
        await client.reset()
        assert await client.timeline() == []
        stats = await client.stats()
        assert not any(value for value in stats.values() if not isinstance(value, dict))
        await client.ask("one")
        assert (await client.stats())["repeated_prompts"] == 0

    against(ServerSettings(flaws=0), test)


def test_a_request_that_was_refused_is_not_paid() -> None:
    async def test(client: Client) -> None:
        statuses = [(await client.ask("one"))[0] for _ in range(40)]
        assert set(statuses) == {200, 429, 500}  # asking again can help
        stats = await client.stats()
        assert stats["repeated_prompts"] == statuses.count(200) - 1
        assert stats["distinct_prompts"] == 1
        assert stats["refused"] == stats["faults"]["429"] == statuses.count(429)
        assert_balanced(stats)
        await client.reset()
        assert [(await client.ask("one"))[0] for _ in range(40)] == statuses  # the seed decides

    against(ServerSettings(faults={"429": 0.3, "500": 0.3}), test)


def test_capacity_queues_first_come_first_served() -> None:
    async def test(client: Client) -> None:
        answers = await asyncio.gather(*(client.ask(f"prompt {number}") for number in range(12)))
        assert [status for status, _, _ in answers] == [200] * 12
        stats = await client.stats()
        assert stats["peak_working"] == 3
        assert stats["peak_in_flight"] == 12
        assert stats["in_flight"] == 0
        starts = [start for start, _, _ in await client.timeline()]  # in the order of the ends
        assert starts == sorted(starts)

    against(ServerSettings(capacity=3, latency_seconds=0.05), test)


def test_a_prompt_always_takes_equally_long() -> None:
    async def latencies(seed: int) -> list[float]:
        endpoint = SimulatedEndpoint(ServerSettings(latency_seconds=2.0, sigma=0.8, seed=seed))
        return [endpoint.latency_of(key) for key in range(4001)]

    drawn = asyncio.run(latencies(0))
    assert drawn == asyncio.run(latencies(0))
    assert drawn != asyncio.run(latencies(1))
    logarithms = [math.log(latency) for latency in drawn]
    assert statistics.median(drawn) == pytest.approx(2.0, rel=0.1)
    assert statistics.stdev(logarithms) == pytest.approx(0.8, rel=0.1)


def test_requests_per_minute_are_limited() -> None:
    async def test(client: Client) -> None:
        assert (await client.ask("one"))[0] == 200
        status, body, headers = await client.ask("two")
        assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 0 < float(headers["Retry-After"]) <= 60
        assert float(headers["retry-after-ms"]) == pytest.approx(1000 * float(headers["Retry-After"]), abs=1)
        stats = await client.stats()
        assert (stats["refused"], stats["faults"]["429"]) == (1, 0)
        assert_balanced(stats)

    against(ServerSettings(requests_per_minute=1), test)


def test_a_second_s_worth_may_come_at_once() -> None:
    async def test(client: Client) -> None:
        statuses = [status for status, _, _ in await asyncio.gather(*(client.ask(str(i)) for i in range(5)))]
        assert statuses == [200] * 5

    against(ServerSettings(requests_per_minute=300), test)


# ---- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("500", 500)])
def test_faults_with_an_error_body(fault: str, status: int) -> None:
    async def test(client: Client) -> None:
        got, body, headers = await client.ask("one")
        assert got == status and body["error"]["message"]
        assert ("Retry-After" in headers) == (status == 429)
        stats = await client.stats()
        assert stats["faults"] == dict.fromkeys(FAULTS, 0) | {fault: 1}
        assert_balanced(stats)

    against(ServerSettings(faults={fault: 1.0}), test)


def test_drop_closes_the_connection() -> None:
    async def test(client: Client) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.ask("one")
        stats = await client.stats()
        assert (stats["faults"]["drop"], stats["answered"], stats["in_flight"]) == (1, 0, 0)
        assert_balanced(stats)

    against(ServerSettings(faults={"drop": 1.0}), test)


def test_hang_lasts_until_the_client_leaves() -> None:
    async def test(client: Client) -> None:
        waiting = asyncio.ensure_future(client.ask("one"))
        stats = await client.until(lambda stats: stats["faults"]["hang"] == 1)
        assert stats["in_flight"] == 1 and not waiting.done()
        assert_balanced(stats)
        waiting.cancel()
        stats = await client.until(lambda stats: stats["in_flight"] == 0)
        assert stats["left"] == 1 and stats["answered"] == 0
        assert_balanced(stats)

    against(ServerSettings(faults={"hang": 1.0}, capacity=1), test)


def test_a_client_that_leaves_frees_its_place_and_is_not_charged() -> None:
    async def test(client: Client) -> None:
        waiting = [asyncio.ensure_future(client.ask(f"prompt {number}")) for number in range(3)]
        await client.until(lambda stats: stats["in_flight"] == 3)
        for one in waiting:
            one.cancel()
        stats = await client.until(lambda stats: stats["in_flight"] == 0)
        assert (stats["left"], stats["answered"], stats["peak_working"]) == (3, 0, 1)
        await client.reset()
        last = asyncio.ensure_future(client.ask("last"))
        await client.until(lambda stats: stats["peak_working"] == 1)
        last.cancel()

    against(ServerSettings(latency_seconds=3600, capacity=1), test)


def test_malformed_bodies_are_no_completions() -> None:
    async def test(client: Client) -> None:
        bodies = set()
        for number in range(40):
            status, body, _ = await client.ask(f"prompt {number}")
            assert status == 200
            bodies.add(json.dumps(body))
            with pytest.raises((TypeError, KeyError)):
                body["choices"][0]["message"]["content"]
        assert len(bodies) == 4
        assert_balanced(await client.stats())

    against(ServerSettings(faults={"malformed": 1.0}), test)


@pytest.mark.parametrize("fault", ["truncated", "empty"])
def test_cut_and_empty_answers_are_paid(fault: str) -> None:
    async def test(client: Client) -> None:
        _, body, _ = await client.ask("Compare tea and coffee")
        whole = SimulatedTeacher(flaws=0).answer([Turn("user", "Compare tea and coffee")]).text
        [choice] = body["choices"]
        text = choice["message"]["content"]
        if fault == "empty":
            assert (text, choice["finish_reason"]) == ("", "stop")
        else:
            assert 0 < len(text) < len(whole) and whole.startswith(text)
            assert choice["finish_reason"] == "length"
        stats = await client.stats()
        assert (stats["answered"], stats["faults"][fault]) == (1, 1)
        assert_balanced(stats)

    against(ServerSettings(faults={fault: 1.0}, flaws=0), test)


def test_all_faults_together_come_about_as_often_as_asked() -> None:
    async def test(client: Client) -> None:
        async def once(number: int) -> None:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                await client.ask(f"prompt {number}")

        for number in range(1500):
            await once(number)
        stats = await client.stats()
        assert_balanced(stats)
        assert all(90 < stats["faults"][name] < 215 for name in FAULTS if name != "hang"), stats["faults"]
        assert stats["faults"]["hang"] == 0

    against(ServerSettings(faults={name: 0.1 for name in FAULTS if name != "hang"}), test)


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_options_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret")
    settings = parse_arguments(
        "--port 8001 --latency 1.0 --sigma 0.8 --capacity 64 --rpm 6000 --fault 429=0.02,hang=0.01 --seed 4 "
        "--flaws 0.3 --judge-bias=-1.5 --judge-noise 0.5 --api-key-env A_KEY --models simulated,other".split()
    )
    assert settings == ServerSettings(
        port=8001,
        latency_seconds=1.0,
        sigma=0.8,
        capacity=64,
        requests_per_minute=6000,
        faults={"429": 0.02, "hang": 0.01},
        seed=4,
        flaws=0.3,
        judge_bias=-1.5,
        judge_noise=0.5,
        api_key="secret",
        models=("simulated", "other"),
    )
    assert "secret" not in repr(settings)
    assert parse_arguments([]).port == 8000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "x"], "--port"),
        (["--port", "70000"], "0-65535"),
        (["--latency", "-1"], "--latency"),
        (["--sigma", "nan"], "--sigma"),
        (["--capacity", "-3"], "--capacity"),
        (["--rpm", "inf"], "--rpm"),
        (["--flaws", "1.5"], "--flaws"),
        (["--judge-bias", "nan"], "--judge-bias"),
        (["--judge-noise", "-1"], "--judge-noise"),
        (["--fault", "503=0.1"], "503"),
        (["--fault", "429"], "NAME=SHARE"),
        (["--fault", "429=0.6,500=0.6"], "1 at most together"),
        (["--fault", "429=nan"], "0 or more"),
        (["--models", "a,,b"], "--models"),
        (["--api-key-env", "EVOLRAY_NO_SUCH_KEY"], "EVOLRAY_NO_SUCH_KEY"),
        (["--lat", "1"], "--lat"),
        (["extra"], "extra"),
    ],
)
def test_wrong_values_are_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and said in captured.err


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_even_while_requests_hang(number: signal.Signals) -> None:
    root = Path(simulated_server.__file__).parents[3]
    command = [sys.executable, "-m", "evolray.teachers.simulated.server", "--port", "0", "--fault", "hang=1"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as child:
        assert child.stdout is not None
        base_url = child.stdout.readline().split()[3]

        async def hang() -> None:
            async with aiohttp.ClientSession() as session:
                client = Client(session, base_url)
                waiting = asyncio.ensure_future(client.ask("one"))
                await client.until(lambda stats: stats["faults"]["hang"] == 1)
                child.send_signal(number)
                with pytest.raises(aiohttp.ClientError):
                    await waiting

        asyncio.run(hang())
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (0, "", "")


def test_running_in_a_process_of_its_own() -> None:
    settings = ServerSettings(faults={"429": 1.0}, api_key="secret", models=("a", "b"), latency_seconds=0.001)
    with running(settings) as base_url:

        async def ask() -> tuple[int, int, int]:
            async with aiohttp.ClientSession() as session:
                client = Client(session, base_url)
                wrong_key, _, _ = await client.ask("one", "wrong", model="b")
                wrong_model, _, _ = await client.ask("one", "secret", model="c")
                refused, _, _ = await client.ask("one", "secret", model="b")
                return wrong_key, wrong_model, refused

        assert asyncio.run(ask()) == (401, 404, 429)
        assert fetch(base_url, "stats")["requests"] == 3
        assert fetch(base_url, "timeline") == []
        fetch(base_url, "reset")
        assert fetch(base_url, "stats")["requests"] == 0
    with pytest.raises(OSError):
        fetch(base_url, "stats")


def test_running_says_when_the_server_does_not_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match="exit code 2"), running(ServerSettings(port=taken.getsockname()[1])):
            pass
