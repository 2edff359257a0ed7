"""A teacher behind any OpenAI-compatible endpoint, reached with openai's client over aiohttp.

The client sends; everything that decides whether a run survives is here: which answers are retried and when, what the
gate learns from them, what counts as a completion, and what stops the run.

    answer                                          consequence
    200 with a chat completion                      Completion
    200 with anything else                          retried, then TeacherError "malformed"
    429                                             gate pauses; retried, then TeacherError "rate_limited"
    408 409 425 5xx, timeout, dropped connection    retried, then TeacherError "server_error" | "timeout" | "connection"
    400 413 422 and other refusals of one call      TeacherError "bad_request", not retried
    401 402 403 404 405 410, redirects, no quota    EndpointError: no call of this run can succeed
    nothing but failing connections                 EndpointError after `give_up_seconds`; no record is failed for it

The request is serialised and the answer parsed here, not by the client's models: that is half of its CPU time per call.
A key is read from the environment, sent to `base_url` only (redirects are not followed) and appears in no message.
Not promised: that a call was not served, and billed, when its connection dropped before the answer came.
"""

import asyncio
import difflib
import email.utils
import json
import logging
import math
import os
import random
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from evolray.errors import EndpointError, UserError
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.teachers.throttle import Gate

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

MAX_RETRY_AFTER_SECONDS = 120.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
CONNECT_SECONDS = 10.0
PREFLIGHT_SECONDS = 15.0
MAX_CONNECTIONS = 10_000  # the gate is the limit; the pool must never be
KEEPALIVE_SECONDS = 4.0  # below the 5 s after which common servers close: a stale connection costs a retry
MAX_TEXT_CHARACTERS = 10_000_000
CHARACTERS_PER_TOKEN = 4
FIRST_COMPLETION_TOKENS = 500  # assumed for the pace until answers show the mean
RETRIED = frozenset({408, 409, 425, 429})
HOPELESS = frozenset({401, 402, 403, 404, 405, 410})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})


@dataclass(frozen=True)
class Endpoint:
    """Where a model is and how it is asked. A sampling field of None is not sent: some models refuse it.

    `system` is sent before conversations that have no system message of their own; "" sends none.
    """

    base_url: str
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    system: str = "You are a helpful assistant."
    temperature: float | None = 1.0
    top_p: float | None = 0.9
    max_tokens: int | None = 2048
    frequency_penalty: float | None = 0.0
    presence_penalty: float | None = 0.0
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout_seconds: float = 300.0
    max_retries: int = 8
    give_up_seconds: float = 120.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid:
            raise UserError(f"base_url is {self.base_url!r}; expected a URL such as http://localhost:8000/v1")
        if not self.model:
            raise UserError(f"no model is named for {self.shown_url}; set teacher.model")

    @property
    def shown_url(self) -> str:
        """The URL as messages may show it: without user, password and query."""
        parts = urlsplit(self.base_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def read_key(self) -> str:
        """The key from the environment; "none" for a server on this machine that has none set."""
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and urlsplit(self.base_url).hostname in LOCAL_HOSTS:
            return "none"
        if not key:
            raise UserError(f"no key for {self.shown_url}: set the environment variable {self.api_key_env}")
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise UserError(f"the value of {self.api_key_env} cannot be a key: it holds spaces or non-ASCII characters")
        return key

    def request_fields(self) -> dict[str, Any]:
        """What every request to this endpoint has in common."""
        fields = {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            self.max_tokens_field: self.max_tokens,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
        }
        return {name: value for name, value in fields.items() if value is not None} | dict(self.extra_body)


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
        body, prompt_characters = self._request(call)
        retries = tries = 0
        while True:
            reserved = prompt_characters // CHARACTERS_PER_TOKEN + int(self._mean_completion_tokens)
            await self._gate.acquire(priority, reserved)
            responses_before = self._responses
            outcome = await self._try(body, prompt_characters, reserved)
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

    def _request(self, call: Call) -> tuple[bytes, int]:
        messages = [{"role": turn.role, "content": turn.content} for turn in call.messages]
        if self.endpoint.system and (not messages or messages[0]["role"] != "system"):
            messages.insert(0, {"role": "system", "content": self.endpoint.system})
        characters = sum(len(message["content"]) for message in messages)
        # ASCII escapes: whatever an instruction holds, lone surrogates included, is valid JSON in valid UTF-8.
        return json.dumps({**self._fields, "messages": messages}).encode("ascii"), characters

    async def _try(self, body: bytes, prompt_characters: int, reserved: int) -> Completion | Trouble:
        """One request. The slot is given back on every way out."""
        trouble = Trouble("connection", "")
        settled = False
        try:
            if self._ended is not None:
                raise EndpointError(self._ended)
            started = self._clock()
            try:
                async with asyncio.timeout(self.endpoint.timeout_seconds):
                    answer = await self._client.post("/chat/completions", cast_to=bytes, content=body)
            except Exception as error:
                trouble = self._trouble(error)
            else:
                self._heard()
                completion = read_completion(answer, prompt_characters, self.endpoint.model)
                if completion is not None:
                    settled = True
                    self._mean_completion_tokens += 0.05 * (completion.completion_tokens - self._mean_completion_tokens)
                    self._gate.answered(
                        self._clock() - started, completion.prompt_tokens, completion.completion_tokens, reserved
                    )
                    return completion
                trouble = Trouble("malformed", "the answer is not a chat completion with a text")
            settled = True
            if trouble.cause == "rate_limited":
                self._gate.refused(trouble.retry_after, reserved)
            else:
                self._gate.failed(reserved)
            return trouble
        finally:
            if not settled:
                self._gate.abandoned()

    def _trouble(self, error: Exception) -> Trouble:
        """What a failed request means. Raises EndpointError when it means the end of the run."""
        from openai import APIConnectionError, APIError, APIStatusError

        if isinstance(error, APIStatusError):
            return self._status_trouble(error)
        if isinstance(error, TimeoutError):
            return Trouble("timeout", f"no answer in {self.endpoint.timeout_seconds:g} s")
        if not isinstance(error, APIError | OSError) and type(error).__module__.split(".")[0] != "aiohttp":
            raise error  # a mistake of ours, not of the endpoint
        if not isinstance(error, APIConnectionError | OSError):
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

    def _status_trouble(self, error: "APIStatusError") -> Trouble:
        self._heard()
        status = error.status_code
        said = self._redacted(server_message(error.body))
        if status == 429 and "insufficient_quota" in str(error.body):
            self._end(hopeless_message(self.endpoint, 402, said))
        if status == 429:
            return Trouble("rate_limited", f"HTTP 429 {said}".strip(), retry_after_seconds(error.response.headers))
        if status in RETRIED or status >= 500:
            cause = "timeout" if status == 408 else "server_error"
            return Trouble(cause, f"HTTP {status} {said}".strip(), retry_after_seconds(error.response.headers))
        if status in HOPELESS or status < 400:
            self._end(hopeless_message(self.endpoint, status, said))
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

    def _redacted(self, text: str) -> str:
        """`text` on one line of at most 300 characters, without this key or anything that looks like one."""
        text = " ".join(text.split())
        if self._key != "none":
            text = text.replace(self._key, "***")
        return re.sub(r"(?i)\b(sk-|bearer\s+)[\w*.\-]{4,}", r"\1***", text)[:300]


def open_client(endpoint: Endpoint, key: str) -> "AsyncOpenAI":
    """openai's client over aiohttp, with our limits, no retries, no redirects, and no report about this machine.

    Only connecting has a limit of its own: callers bound the whole request, which a dribbling server cannot extend.
    """
    from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI, DefaultAioHttpClient, Timeout, omit

    for name in ("openai", "httpx2", "httpx"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)  # they have a line for every request
    limits = type(DEFAULT_CONNECTION_LIMITS)(
        max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS
    )
    timeout = Timeout(None, connect=CONNECT_SECONDS)
    unsent = "Lang Package-Version OS Arch Runtime Runtime-Version Async".split()
    return AsyncOpenAI(
        api_key=key,
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=timeout,
        default_headers={f"X-Stainless-{name}": omit for name in unsent},  # type: ignore[misc]
        http_client=DefaultAioHttpClient(limits=limits, timeout=timeout, follow_redirects=False),
    )


def read_completion(answer: bytes, prompt_characters: int, model: str) -> Completion | None:
    """The chat completion in a body, or None when it is not one.

    A message without content is a completion with the text "" when the endpoint says why it ended (a content filter, a
    tool call, the length limit): asking again would buy the same. Lone surrogates become U+FFFD, so that every text can
    be stored as UTF-8. Token counts that are missing or absurd are estimated from the characters.
    """
    try:
        body = json.loads(answer)
        choice = body["choices"][0]
        content = choice["message"].get("content")
        finish_reason = choice.get("finish_reason")
        usage = body.get("usage")
        named = body.get("model")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if isinstance(content, list):  # some servers answer in parts
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(text for text in texts if isinstance(text, str))
    if content is None and isinstance(finish_reason, str) and finish_reason:
        content = ""
    if not isinstance(content, str) or len(content) > MAX_TEXT_CHARACTERS:
        return None
    content = storable(content)
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text=content,
        finish_reason=storable(finish_reason)[:40] if isinstance(finish_reason, str) and finish_reason else "stop",
        prompt_tokens=_count(usage.get("prompt_tokens"), prompt_characters),
        completion_tokens=_count(usage.get("completion_tokens"), len(content)),
        model=storable(named)[:200] if isinstance(named, str) and named else model,
    )


def storable(text: str) -> str:
    """`text` with each lone surrogate replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _count(reported: object, characters: int) -> int:
    if isinstance(reported, int) and not isinstance(reported, bool) and 0 <= reported < 1_000_000_000:
        return reported
    return -(-characters // CHARACTERS_PER_TOKEN)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What retry-after-ms or Retry-After (seconds or a date) asks for, at most MAX_RETRY_AFTER_SECONDS."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if not math.isnan(seconds):
            return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return min(max(date.timestamp() - time.time(), 0.0), MAX_RETRY_AFTER_SECONDS)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def server_message(body: object) -> str:
    """The endpoint's own words in an error body, if it has any."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message", inner.get("detail", "")) if isinstance(inner, dict) else inner
        return storable(str(said))
    return storable(body) if isinstance(body, str) else ""


def connection_reason(error: BaseException) -> str:
    """Why a connection failed, in words, from the chain of errors that the client's layers raised from one another."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLError):
            why = getattr(link, "verify_message", "") or getattr(link, "reason", "")
            return f"TLS failed ({why or 'is it an https server?'})"
        if isinstance(link, socket.gaierror):
            return "the host name is unknown"
        if isinstance(link, ConnectionRefusedError):
            return "the connection is refused"
        if isinstance(link, TimeoutError):
            return "no connection in time"
        link = link.__cause__ or getattr(link, "os_error", None)
    return "the connection was dropped"


def hopeless_message(endpoint: Endpoint, status: int, said: str) -> str:
    """One line for an answer that no call of this run can escape."""
    what = {
        401: f"refuses the key in {endpoint.api_key_env}",
        402: f"wants payment for the account of the key in {endpoint.api_key_env}",
        403: f"does not let the key in {endpoint.api_key_env} use {endpoint.model!r}",
        404: f"does not know the model {endpoint.model!r} or the path /chat/completions: check model and base_url",
    }.get(status, "redirects elsewhere: set base_url to the final address" if status < 400 else "refuses the request")
    return f"{endpoint.shown_url} {what} (HTTP {status}{f': {said}' if said else ''})"


async def preflight(endpoint: Endpoint) -> None:
    """Ask for the list of models before anything is started. EndpointError in one line when calls cannot succeed."""
    from openai import APIError, APIStatusError

    key = endpoint.read_key()
    client = open_client(endpoint, key)
    try:
        async with asyncio.timeout(PREFLIGHT_SECONDS):
            answer = await client.get("/models", cast_to=bytes)
    except APIStatusError as error:
        if error.status_code in (401, 402, 403) or error.status_code < 400:
            raise EndpointError(hopeless_message(endpoint, error.status_code, "")) from None
        return  # many servers have no list of models; a call will tell
    except TimeoutError:
        raise EndpointError(f"{endpoint.shown_url} does not answer in {PREFLIGHT_SECONDS:g} s") from None
    except (APIError, OSError) as error:
        raise EndpointError(f"{endpoint.shown_url} cannot be reached: {connection_reason(error)}") from None
    finally:
        await client.close()
    check_model(endpoint, answer)


def check_model(endpoint: Endpoint, answer: bytes) -> None:
    """EndpointError when `answer` is a list of models without the endpoint's; what is no such list says nothing."""
    try:
        names = [str(entry["id"]) for entry in json.loads(answer)["data"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    model = endpoint.model
    # Some gateways list "models/NAME" or "vendor/NAME" and take NAME.
    if not names or any(name == model or name.endswith(f"/{model}") or model.endswith(f"/{name}") for name in names):
        return
    near = difflib.get_close_matches(model, names, n=3, cutoff=0.5) or names[:3]
    shown = storable(", ".join(near))[:300]
    found = f"it serves {len(names)} model{'s' if len(names) > 1 else ''}, such as {shown}"
    raise EndpointError(f"{endpoint.shown_url} does not serve {model!r}; {found}")
