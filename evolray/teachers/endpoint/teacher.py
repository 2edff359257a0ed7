"""A teacher behind any OpenAI-compatible endpoint, reached with openai's client over aiohttp.

The client sends; everything that decides whether a run survives is here: which answers are retried and when, what the
gate learns from them, and what stops the run.

    answer                                          consequence
    200 with a completion                           Completion
    200 with anything else                          retried, then TeacherError "malformed"
    429                                             gate pauses; retried, then TeacherError "rate_limited"
    408 409 425 5xx, timeout, dropped connection    retried, then TeacherError "server_error" | "timeout" | "connection"
    400 413 422 and other refusals of one call      TeacherError "bad_request", not retried
    401 402 403 404 405 410, redirects, no quota    EndpointError: no call of this run can succeed
    nothing but failing connections                 EndpointError after `give_up_seconds`; no record is failed for it

We serialise the request and parse the answer, not the client's models: that is half of its CPU time per call.
A key is read from the environment, sent to `base_url` only (redirects are not followed) and appears in no message.
Not promised: that a call was not served, and billed, when its connection dropped before the answer came.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evolray.errors import EndpointError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.teachers.endpoint.answers import (
    CHARACTERS_PER_TOKEN,
    hopeless_message,
    read_completion,
    redacted,
    retry_after_seconds,
    server_message,
)
from evolray.teachers.endpoint.client import Failure, connection_reason, failure_of, open_client
from evolray.teachers.endpoint.requests import Request, make_request
from evolray.teachers.endpoint.settings import Endpoint
from evolray.teachers.throttle import Gate

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
FIRST_COMPLETION_TOKENS = 500  # assumed for the pace until answers show the mean
RETRIED = frozenset({408, 409, 425, 429})
HOPELESS = frozenset({401, 402, 403, 404, 405, 410})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a try brought no completion. `retry_after` is the endpoint's wish in seconds."""

    cause: str
    message: str
    retry_after: float | None = None


class EndpointTeacher:
    """Asks one endpoint, from one event loop, as fast as `gate` lets it."""

    def __init__(
        self,
        endpoint: Endpoint,
        gate: Gate,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._gate = gate
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter or random.Random()
        self._key = endpoint.read_key()
        self._client = open_client(endpoint, self._key)
        self._fields = endpoint.request_fields()
        self._mean_completion_tokens = float(FIRST_COMPLETION_TOKENS)
        self._responses = 0  # of any status: the endpoint is alive
        self._failing_since: float | None = None  # first failed connection after the last response
        self._ended: str | None = None

    async def complete(self, call: Call, priority: int = 0) -> Completion:
        """Answer one call. Raises TeacherError for this call, EndpointError when the run cannot go on."""
        request = make_request(self.endpoint, self._fields, call)
        retries = tries = 0
        while True:
            reserved = request.characters // CHARACTERS_PER_TOKEN + int(self._mean_completion_tokens)
            await self._gate.acquire(priority, reserved)
            responses_before = self._responses
            outcome = await self._try(request, reserved)
            if isinstance(outcome, Completion):
                return outcome
            if outcome.cause == "bad_request":
                raise TeacherError(call.record_id, outcome.cause, outcome.message)
            # While the endpoint is silent to everyone it is not this record's fault: that ends in EndpointError.
            if outcome.cause != "connection" or self._responses != responses_before:
                retries += 1
            if retries > self.endpoint.max_retries:
                raise TeacherError(call.record_id, outcome.cause, f"{outcome.message} (after {tries + 1} tries)")
            await self._sleep(self._backoff_seconds(tries, outcome.retry_after))
            tries += 1

    async def close(self) -> None:
        await self._client.close()

    async def _try(self, request: Request, reserved: int) -> Completion | Trouble:
        """One request. The slot is given back on every way out."""
        trouble = Trouble("connection", "")
        settled = False
        try:
            if self._ended is not None:
                raise EndpointError(self._ended)
            started = self._clock()
            try:
                async with asyncio.timeout(self.endpoint.timeout_seconds):
                    answer = await self._client.post(request.path, cast_to=bytes, content=request.body)
            except Exception as error:
                trouble = self._trouble(error, request)
            else:
                self._heard()
                completion = read_completion(answer, request.characters, self.endpoint.model, request.is_chat)
                if completion is not None:
                    settled = True
                    self._mean_completion_tokens += 0.05 * (completion.completion_tokens - self._mean_completion_tokens)
                    self._gate.answered(
                        self._clock() - started, completion.prompt_tokens, completion.completion_tokens, reserved
                    )
                    return completion
                trouble = Trouble("malformed", f"the answer is not a {'chat ' * request.is_chat}completion with a text")
            settled = True
            if trouble.cause == "rate_limited":
                self._gate.refused(trouble.retry_after, reserved)
            else:
                self._gate.failed(reserved)
            return trouble
        finally:
            if not settled:
                self._gate.abandoned()

    def _trouble(self, error: Exception, request: Request) -> Trouble:
        """What a failed request means. Raises EndpointError when it means the end of the run."""
        failure = failure_of(error)
        if failure is None:
            raise error
        if failure.kind == "status":
            return self._status_trouble(failure, request)
        if failure.kind == "timeout":
            return Trouble("timeout", f"no answer in {self.endpoint.timeout_seconds:g} s")
        if failure.kind == "not_http":
            self._heard()
            return Trouble("malformed", f"the answer is not HTTP ({type(error).__name__})")
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        silent_seconds = now - self._failing_since
        reason = connection_reason(error)
        if silent_seconds >= self.endpoint.give_up_seconds:
            self._end(f"{self.endpoint.shown_url} is gone: {reason}; nothing was answered for {silent_seconds:.0f} s")
        return Trouble("connection", reason)

    def _status_trouble(self, refusal: Failure, request: Request) -> Trouble:
        self._heard()
        status = refusal.status
        said = redacted(server_message(refusal.body), self._key)
        if status == 429 and "insufficient_quota" in str(refusal.body):
            self._end(hopeless_message(self.endpoint, 402, said))
        if status == 429:
            return Trouble("rate_limited", f"HTTP 429 {said}".strip(), retry_after_seconds(refusal.headers))
        if status in RETRIED or status >= 500:
            cause = "timeout" if status == 408 else "server_error"
            return Trouble(cause, f"HTTP {status} {said}".strip(), retry_after_seconds(refusal.headers))
        if status in HOPELESS or status < 400:
            self._end(hopeless_message(self.endpoint, status, said, request.path))
        return Trouble("bad_request", f"HTTP {status} {said}".strip())

    def _heard(self) -> None:
        self._responses += 1
        self._failing_since = None

    def _end(self, message: str) -> None:
        """From here on every call, waiting ones included, ends with the same line."""
        self._ended = message
        raise EndpointError(message)

    def _backoff_seconds(self, tries: int, retry_after: float | None) -> float:
        longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(tries, 10))
        if retry_after is None:
            return longest * self._jitter.uniform(0.5, 1.0)
        return retry_after + longest * self._jitter.uniform(0.0, 0.2)
