"""The offline teacher as an OpenAI-compatible HTTP server with latency, limits and faults.

So that the real client is what is tested: it queues, refuses, drops, hangs and cuts off as asked.

    python -m evolray.teachers.simulated_server --port 8000 --latency 1.0 --sigma 0.8 --capacity 64 --rpm 6000 \\
        --fault 429=0.02,500=0.02,drop=0.01,hang=0.01,malformed=0.01,truncated=0.01,empty=0.01

    POST /v1/chat/completions   GET /v1/models      as OpenAI has them (no streaming, one choice)
    GET /stats                  counters; see `Stats`
    GET /timeline               [[start_seconds, end_seconds, kind], ...] of the answered requests
    POST /reset                 forgets counters, timeline and prompts, and starts the clock and the faults anew

Order of one request: key (401), body (400), model (404), requests per minute (429), fault 429, fault hang, a place
among `capacity` (first come, first served), latency, the other faults, the answer. A client that leaves frees it.

Built on aiohttp.web, which openai's client brings along. Measured with wrk on two shared cores (one thread, 64
connections, no latency, 2,100 prompts of the open domain): 3,100-4,800 requests/s over five runs beside other load, and
5,100-6,400 per second of this process's CPU (three runs); a handler that does nothing makes 14,100. That is above the
3,000 wanted, so there is no HTTP parser of our own here.
Not for the open internet: no TLS, and everything in memory (about 80 bytes per distinct prompt, 17 per answer).
"""

import argparse
import asyncio
import contextlib
import hmac
import json
import math
import os
import signal
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Any, NamedTuple, NoReturn, get_args

from aiohttp import web

from evolray.method.teacher import Completion, Purpose
from evolray.teachers.simulated import MODEL, SimulatedTeacher, kind

FAULTS = ("429", "500", "drop", "hang", "malformed", "truncated", "empty")
KINDS: tuple[Purpose, ...] = get_args(Purpose)
KEY_VARIABLE = "EVOLRAY_SIMULATED_KEY"  # how `running` hands the key to the child: never on a command line
_MALFORMED = (
    ("text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    ("application/json", b'{"id": "chatcmpl-cut", "object": "chat.completion", "choices": [{"index": 0, "mess'),
    ("application/json", b'{"id": "chatcmpl-none", "object": "chat.completion", "model": "simulated"}'),
    ("application/json", b'{"id": "chatcmpl-null", "object": "chat.completion", "choices": [{"message": null}]}'),
)


@dataclass(frozen=True)
class ServerSettings:
    """What the server pretends. Raises ValueError for values that make no sense.

    `latency_seconds` is the median of a lognormal distribution with `sigma`, drawn per prompt: a prompt always takes
    equally long. `capacity` requests are worked on at once, the rest queue; `requests_per_minute` are let through,
    with a burst of one second's worth; 0 means no limit for both. `faults` are shares of the requests, drawn per
    request, so that asking again can help. `seed` and `flaws` are the teacher's. Port 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    latency_seconds: float = 0.0
    sigma: float = 0.0
    capacity: int = 0
    requests_per_minute: float = 0.0
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    flaws: float = 0.1
    api_key: str = field(default="", repr=False)
    models: tuple[str, ...] = (MODEL,)

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError(f"--port {self.port}: expected 0-65535 (0 takes a free one)")
        for option, value in (
            ("latency", self.latency_seconds),
            ("sigma", self.sigma),
            ("capacity", self.capacity),
            ("rpm", self.requests_per_minute),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"--{option} {value}: expected a number of 0 or more")
        if not 0 <= self.flaws <= 1:
            raise ValueError(f"--flaws {self.flaws}: expected a share between 0 and 1")
        unknown = [name for name in self.faults if name not in FAULTS]
        if unknown:
            raise ValueError(f"--fault {unknown[0]}: unknown, expected some of {', '.join(FAULTS)}")
        if not all(share >= 0 for share in self.faults.values()) or not sum(self.faults.values()) <= 1:
            raise ValueError(f"--fault: shares must be 0 or more and 1 at most together, got {dict(self.faults)}")
        if not self.models or not all(self.models):
            raise ValueError("--models: expected one name or several, with commas between them")


@dataclass
class Stats:
    """The counters of /stats since the start or the last reset.

    `requests` = `answered` + `refused` + `rejected` + `left` + `in_flight` + the faults 500, drop and malformed: a
    truncated or empty answer is still an answer, and a hang is in flight until its client leaves.
    """

    requests: int = 0
    answered: int = 0  # completions sent, truncated and empty ones included: what a client would have paid
    refused: int = 0  # 429: beyond requests_per_minute, or the fault
    rejected: int = 0  # 400, 401, 404
    left: int = 0  # the client went before its answer (also out of a hang)
    distinct_prompts: int = 0  # different lists of messages among the valid requests, answered or not
    repeated_prompts: int = 0  # answers to messages that had been answered before: paid twice
    in_flight: int = 0  # requests received and not yet settled: queued, worked on or hanging
    peak_in_flight: int = 0
    peak_working: int = 0  # of those, the most that held a place among `capacity` at once
    prompt_tokens: int = 0
    completion_tokens: int = 0
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))


class Message(NamedTuple):
    role: str
    content: str


class Request(NamedTuple):
    """A valid request. `key` is an 8-byte hash of all messages; `max_tokens` 0 means as many as it takes."""

    model: str
    messages: tuple[Message, ...]
    key: int
    purpose: Purpose
    max_tokens: int


class _Refusal(Exception):
    """A request that gets an error in OpenAI's form instead of an answer."""

    def __init__(self, status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers


class SimulatedEndpoint:
    """The server's state and its handlers; `serve` puts it on a port."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._teacher = SimulatedTeacher(settings.seed, settings.flaws)
        self._places = asyncio.Semaphore(settings.capacity) if settings.capacity else None
        self._working = 0
        self._normal = NormalDist()
        self._forget(in_flight=0)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_get("/v1/models", self.list_models)
        app.router.add_get("/stats", self.show_stats)
        app.router.add_get("/timeline", self.show_timeline)
        app.router.add_post("/reset", self.reset)
        return app

    # ---- what is asked about the server itself ----

    async def show_stats(self, http: web.Request) -> web.Response:
        return web.json_response(vars(self.stats))

    async def show_timeline(self, http: web.Request) -> web.Response:
        rows = zip(self._starts, self._ends, self._kinds, strict=True)
        return web.json_response([[round(start, 6), round(end, 6), KINDS[one]] for start, end, one in rows])

    async def reset(self, http: web.Request) -> web.Response:
        self._forget(self.stats.in_flight)
        return web.json_response({})

    def _forget(self, in_flight: int) -> None:
        """Start anew; requests that are still in flight count as the first ones of the new account."""
        self.stats = Stats(
            requests=in_flight, in_flight=in_flight, peak_in_flight=in_flight, peak_working=self._working
        )
        self._answered: dict[int, bool] = {}  # by hash of the messages: whether they have been answered
        self._starts, self._ends, self._kinds = array("d"), array("d"), array("b")
        self._chance = Random(f"faults/{self.settings.seed}")
        self._started = time.monotonic()
        self._tokens, self._refilled = self._burst(), self._started

    async def list_models(self, http: web.Request) -> web.Response:
        try:
            self._check_key(http)
        except _Refusal as refusal:
            return _error(refusal)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "evolray"} for name in self.settings.models]
        return web.json_response({"object": "list", "data": data})

    # ---- one request ----

    async def complete(self, http: web.Request) -> web.StreamResponse:
        start = time.monotonic()
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        try:
            self._check_key(http)
            request = self._read(await http.read())
            self._check_rate()
            return await self._settle(request, http, start)
        except _Refusal as refusal:
            if refusal.status == 429:
                self.stats.refused += 1
            elif refusal.status < 500:
                self.stats.rejected += 1
            return _error(refusal)
        except asyncio.CancelledError:
            self.stats.left += 1
            raise
        finally:
            self.stats.in_flight -= 1

    async def _settle(self, request: Request, http: web.Request, start: float) -> web.StreamResponse:
        """Let the fault that was drawn, or none, take its course."""
        fault = self._draw_fault()
        if fault == "429":
            self._count(fault)
            raise _too_many(self._chance.uniform(0.05, 0.5))
        if fault == "hang":
            self._count(fault)
            await asyncio.Event().wait()  # ends when the client leaves or the server stops
        async with self._place():
            latency_seconds = self.latency_of(request.key)
            if latency_seconds:
                await asyncio.sleep(latency_seconds)
            if fault is not None:
                self._count(fault)
            if fault == "500":
                raise _Refusal(500, "The simulated server had an error (fault 500).", "server_error")
            if fault == "drop":
                if http.transport is not None:
                    http.transport.abort()
                return web.Response()  # goes nowhere: the connection is closed
            if fault == "malformed":
                content_type, body = self._chance.choice(_MALFORMED)
                return web.Response(body=body, content_type=content_type)
            completion = self._shorten(self._teacher.answer(request.messages), request, fault)
            self._account(request, completion, start)
            return _completion_response(completion, request.model, self.stats.answered)

    def _check_key(self, http: web.Request) -> None:
        expected = self.settings.api_key
        given = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if expected and not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise _Refusal(401, "Incorrect API key provided.", "invalid_api_key")

    def _read(self, body: bytes) -> Request:
        try:
            data = json.loads(body)
            messages = tuple(Message(str(one["role"]), _plain_text(one["content"])) for one in data["messages"])
            model = str(data["model"])
            max_tokens = int(data.get("max_completion_tokens") or data.get("max_tokens") or 0)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _Refusal(400, "Expected a JSON object with model and messages.", "invalid_request") from error
        if not messages or data.get("stream"):
            raise _Refusal(400, "Expected at least one message and no stream.", "invalid_request")
        if model not in self.settings.models:
            raise _Refusal(404, f"The model `{model}` does not exist.", "model_not_found")
        text = "\0".join(f"{role}\1{content}" for role, content in messages)
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        key = int.from_bytes(digest, "little")
        if key not in self._answered:
            self._answered[key] = False
            self.stats.distinct_prompts += 1
        prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
        return Request(model, messages, key, kind(prompt), max_tokens)

    def _burst(self) -> float:
        return max(1.0, self.settings.requests_per_minute / 60)

    def _check_rate(self) -> None:
        """Take a token of the bucket, which fills by the minute's rate up to a second's worth."""
        rate = self.settings.requests_per_minute / 60
        if not rate:
            return
        now = time.monotonic()
        self._tokens = min(self._burst(), self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        if self._tokens < 1:
            raise _too_many((1 - self._tokens) / rate)
        self._tokens -= 1

    def _draw_fault(self) -> str | None:
        if not self.settings.faults:
            return None
        drawn = self._chance.random()
        for name, share in self.settings.faults.items():
            drawn -= share
            if drawn < 0:
                return name
        return None

    def _count(self, fault: str) -> None:
        self.stats.faults[fault] += 1

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._places is None:
            yield
            return
        async with self._places:
            self._working += 1
            self.stats.peak_working = max(self.stats.peak_working, self._working)
            try:
                yield
            finally:
                self._working -= 1

    def latency_of(self, key: int) -> float:
        """Seconds that the prompt with this hash takes, every time."""
        if not self.settings.latency_seconds:
            return 0.0
        mixed = blake2b(f"{self.settings.seed}/{key}".encode(), digest_size=6).digest()
        share = (int.from_bytes(mixed, "little") + 0.5) / 2**48
        return self.settings.latency_seconds * math.exp(self.settings.sigma * self._normal.inv_cdf(share))

    def _shorten(self, completion: Completion, request: Request, fault: str | None) -> Completion:
        text, finish_reason = completion.text, completion.finish_reason
        if fault == "empty":
            text = ""
        elif fault == "truncated":
            text, finish_reason = text[: max(1, len(text) // 2)], "length"
        elif request.max_tokens and completion.completion_tokens > request.max_tokens:
            text, finish_reason = text[: 4 * request.max_tokens], "length"
        if text == completion.text and finish_reason == completion.finish_reason:
            return completion
        return Completion(text, finish_reason, completion.prompt_tokens, (len(text) + 3) // 4, completion.model)

    def _account(self, request: Request, completion: Completion, start: float) -> None:
        stats = self.stats
        stats.answered += 1
        stats.kinds[request.purpose] += 1
        stats.prompt_tokens += completion.prompt_tokens
        stats.completion_tokens += completion.completion_tokens
        stats.repeated_prompts += self._answered.get(request.key, False)
        self._answered[request.key] = True
        self._starts.append(start - self._started)
        self._ends.append(time.monotonic() - self._started)
        self._kinds.append(KINDS.index(request.purpose))


def _plain_text(content: Any) -> str:
    """A message's content: a text, or OpenAI's list of parts, of which the texts count."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or ())


def _too_many(wait_seconds: float) -> _Refusal:
    headers = {"Retry-After": f"{wait_seconds:.3f}", "retry-after-ms": str(math.ceil(wait_seconds * 1000))}
    return _Refusal(429, f"Rate limit reached. Try again in {wait_seconds:.3f}s.", "rate_limit_exceeded", headers)


def _error(refusal: _Refusal) -> web.Response:
    family = {429: "requests", 500: "server_error"}.get(refusal.status, "invalid_request_error")
    error = {"message": refusal.message, "type": family, "param": None, "code": refusal.code}
    return web.json_response({"error": error}, status=refusal.status, headers=refusal.headers)


def _completion_response(completion: Completion, model: str, number: int) -> web.Response:
    body = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": completion.text},
                "logprobs": None,
                "finish_reason": completion.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "total_tokens": completion.prompt_tokens + completion.completion_tokens,
        },
    }
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


# ---- on a port ------------------------------------------------------------------------------------------------------


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGINT or SIGTERM; print one line with the URL when ready. OSError when the port cannot be had."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening(settings) as base_url:
        print(f"simulated teacher at {base_url} (answers by rule: not for training in earnest)", flush=True)
        await stop.wait()


@contextlib.asynccontextmanager
async def listening(settings: ServerSettings) -> AsyncIterator[str]:
    """The server on the running loop; yields its base URL (http://host:port/v1). OSError when the port is taken."""
    # Without handler_cancellation a client that left would keep its place, and a hang would never end.
    runner = web.AppRunner(
        SimulatedEndpoint(settings).app(),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=3600,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=4096).start()
        yield f"http://{settings.host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def running(settings: ServerSettings) -> Iterator[str]:
    """The server in a process of its own; yields its base URL and stops it. RuntimeError when it does not start."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {KEY_VARIABLE: settings.api_key}
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "evolray.teachers.simulated_server", *_as_arguments(settings)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            words = child.stdout.readline().split()
            base_url = next((word for word in words if word.startswith("http://")), "")
            if not base_url:
                raise RuntimeError(f"the simulated server did not start (exit code {child.wait()}); its error is above")
            yield base_url
        finally:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def fetch(base_url: str, name: str) -> Any:
    """What the server under `base_url` says at /stats, /timeline or /reset (which it then does)."""
    request = urllib.request.Request(
        f"{base_url.removesuffix('/v1')}/{name}", method="POST" if name == "reset" else "GET"
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def _as_arguments(settings: ServerSettings) -> list[str]:
    options = {
        "host": settings.host,
        "port": settings.port,
        "latency": settings.latency_seconds,
        "sigma": settings.sigma,
        "capacity": settings.capacity,
        "rpm": settings.requests_per_minute,
        "seed": settings.seed,
        "flaws": settings.flaws,
        "models": ",".join(settings.models),
    }
    if settings.faults:
        options["fault"] = ",".join(f"{name}={share}" for name, share in settings.faults.items())
    if settings.api_key:
        options["api-key-env"] = KEY_VARIABLE
    return [f"--{name}={value}" for name, value in options.items()]


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse_arguments(argv: Sequence[str]) -> ServerSettings:
    """Raises ValueError for an unknown option or a wrong value; SystemExit(0) after --help."""
    parser = _OneLineParser(
        prog="evolray simulate-endpoint",
        description="The offline teacher as an OpenAI-compatible server.",
        allow_abbrev=False,
    )
    default = ServerSettings()
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=default.latency_seconds, help="median, in seconds")
    parser.add_argument("--sigma", type=float, default=default.sigma, help="spread of the lognormal latency")
    parser.add_argument("--capacity", type=int, default=default.capacity, help="requests at once; 0 is no limit")
    parser.add_argument("--rpm", type=float, default=default.requests_per_minute, help="0 is no limit")
    parser.add_argument("--fault", default="", help=f"NAME=SHARE,... of {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--flaws", type=float, default=default.flaws, help="share of defective answers")
    parser.add_argument("--api-key-env", default="", help="environment variable that holds the key to require")
    parser.add_argument("--models", default=MODEL, help="names, with commas between them")
    given = parser.parse_args(argv)
    if given.api_key_env and not os.environ.get(given.api_key_env):
        raise ValueError(f"--api-key-env {given.api_key_env}: that environment variable is not set")
    return ServerSettings(
        host=given.host,
        port=given.port,
        latency_seconds=given.latency,
        sigma=given.sigma,
        capacity=given.capacity,
        requests_per_minute=given.rpm,
        faults=_read_faults(given.fault),
        seed=given.seed,
        flaws=given.flaws,
        api_key=os.environ.get(given.api_key_env, "") if given.api_key_env else "",
        models=tuple(name.strip() for name in given.models.split(",")),
    )


def _read_faults(text: str) -> dict[str, float]:
    faults = {}
    for entry in filter(None, (one.strip() for one in text.split(","))):
        name, _, share = entry.partition("=")
        try:
            faults[name.strip()] = float(share)
        except ValueError:
            raise ValueError(f"--fault {entry}: expected NAME=SHARE, such as 429=0.02") from None
    return faults


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0 when stopped by Ctrl-C or SIGTERM, 2 with one line on stderr for a wrong value or port."""
    try:
        settings = parse_arguments(sys.argv[1:] if argv is None else argv)
        asyncio.run(serve(settings))
    except (ValueError, OSError) as error:
        print(f"simulate-endpoint: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the server listens to signals
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
