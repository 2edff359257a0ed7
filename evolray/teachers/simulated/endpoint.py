"""The simulated server's state and handlers: queueing, limits, faults and accounts."""

import asyncio
import contextlib
import hmac
import math
import time
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from statistics import NormalDist

from aiohttp import web

from evolray.method.teacher import Completion
from evolray.teachers.simulated import SimulatedTeacher
from evolray.teachers.simulated.length import shorten, tokens
from evolray.teachers.simulated.prompts import Kind
from evolray.teachers.simulated.settings import FAULTS, ServerSettings
from evolray.teachers.simulated.wire import (
    MALFORMED,
    Refusal,
    Request,
    completion_response,
    error_response,
    read_request,
    too_many_requests,
)

# What texts are recognised as.
KINDS: tuple[Kind, ...] = ("evolve", "judge", "respond", "difficulty", "skills", "compare", "rate")


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


class SimulatedEndpoint:
    """One server; `evolray.teachers.simulated.server` puts it on a port and says what it answers to."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._teacher = SimulatedTeacher(
            settings.seed, settings.flaws, judge_bias=settings.judge_bias, judge_noise=settings.judge_noise
        )
        self._places = asyncio.Semaphore(settings.capacity) if settings.capacity else None
        self._working = 0
        self._normal = NormalDist()
        self._forget(in_flight=0)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_post("/v1/completions", self.continue_text)
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
        self._teacher.forget()
        self._starts, self._ends, self._kinds = array("d"), array("d"), array("b")
        self._chance = Random(f"faults/{self.settings.seed}")
        self._started = time.monotonic()
        self._tokens, self._refilled = self._burst(), self._started

    async def list_models(self, http: web.Request) -> web.Response:
        try:
            self._check_key(http)
        except Refusal as refusal:
            return error_response(refusal)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "evolray"} for name in self.settings.models]
        return web.json_response({"object": "list", "data": data})

    # ---- one request ----

    async def complete(self, http: web.Request) -> web.StreamResponse:
        return await self._handle(http, is_chat=True)

    async def continue_text(self, http: web.Request) -> web.StreamResponse:
        return await self._handle(http, is_chat=False)

    async def _handle(self, http: web.Request, is_chat: bool) -> web.StreamResponse:
        start = time.monotonic()
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        try:
            self._check_key(http)
            request = self._read(await http.read(), is_chat)
            self._check_rate()
            return await self._settle(request, http, start)
        except Refusal as refusal:
            if refusal.status == 429:
                self.stats.refused += 1
            elif refusal.status < 500:
                self.stats.rejected += 1
            return error_response(refusal)
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
            raise too_many_requests(self._chance.uniform(0.05, 0.5))
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
                raise Refusal(500, "The simulated server had an error (fault 500).", "server_error")
            if fault == "drop":
                if http.transport is not None:
                    http.transport.abort()
                return web.Response()  # goes nowhere: the connection is closed
            if fault == "malformed":
                content_type, body = self._chance.choice(MALFORMED)
                return web.Response(body=body, content_type=content_type)
            completion = self._shorten(self._teacher.answer(request.messages, request.temperature), request, fault)
            self._account(request, completion, start)
            return completion_response(completion, request, self.stats.answered)

    def _check_key(self, http: web.Request) -> None:
        expected = self.settings.api_key
        given = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if expected and not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise Refusal(401, "Incorrect API key provided.", "invalid_api_key")

    def _read(self, body: bytes, is_chat: bool) -> Request:
        request = read_request(body, self.settings.models, is_chat)
        if request.key not in self._answered:
            self._answered[request.key] = False
            self.stats.distinct_prompts += 1
        return request

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
            raise too_many_requests((1 - self._tokens) / rate)
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
        if fault == "empty":
            return replace(completion, text="", completion_tokens=0)
        if fault == "truncated":
            text = completion.text[: max(1, len(completion.text) // 2)]
            return replace(completion, text=text, finish_reason="length", completion_tokens=tokens(len(text)))
        return shorten(completion, request.max_tokens, request.stop)

    def _account(self, request: Request, completion: Completion, start: float) -> None:
        stats = self.stats
        stats.answered += 1
        stats.kinds[request.kind] += 1
        stats.prompt_tokens += completion.prompt_tokens
        stats.completion_tokens += completion.completion_tokens
        stats.repeated_prompts += self._answered.get(request.key, False)
        self._answered[request.key] = True
        self._starts.append(start - self._started)
        self._ends.append(time.monotonic() - self._started)
        self._kinds.append(KINDS.index(request.kind))
