"""openai's client over aiohttp, and its errors in our own terms: the one file that knows the library.

It sends to `base_url` only and retries nothing. What a failed request means for a call or a run is decided elsewhere.
"""

import logging
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from evolray.teachers.endpoint.settings import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 10_000  # the gate is the limit; the pool must never be
KEEPALIVE_SECONDS = 4.0  # below the 5 s after which common servers close: a stale connection costs a retry


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


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no body. The fields after `kind` are those of an answer that is no success."""

    kind: Literal["status", "timeout", "not_http", "connection"]
    status: int = 0
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


def failure_of(error: Exception) -> Failure | None:
    """What the client, or the time limit around it, raised; None for a mistake of ours."""
    from openai import APIConnectionError, APIError, APIStatusError

    if isinstance(error, APIStatusError):
        return Failure("status", error.status_code, error.body, error.response.headers)
    if isinstance(error, TimeoutError):
        return Failure("timeout")
    if isinstance(error, APIConnectionError | OSError):
        return Failure("connection")
    if isinstance(error, APIError) or type(error).__module__.split(".")[0] == "aiohttp":
        return Failure("not_http")
    return None


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
