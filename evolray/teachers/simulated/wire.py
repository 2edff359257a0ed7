"""OpenAI's forms, as far as the simulated server speaks them: requests in, completions and errors out."""

import json
import math
import time
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from aiohttp import web

from evolray.method.teacher import Completion
from evolray.teachers.simulated.prompts import Kind, kind

MALFORMED = (
    ("text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    ("application/json", b'{"id": "chatcmpl-cut", "object": "chat.completion", "choices": [{"index": 0, "mess'),
    ("application/json", b'{"id": "chatcmpl-none", "object": "chat.completion", "model": "simulated"}'),
    ("application/json", b'{"id": "chatcmpl-null", "object": "chat.completion", "choices": [{"message": null}]}'),
)


class Message(NamedTuple):
    role: str
    content: str


class Request(NamedTuple):
    """A valid request. `key` is an 8-byte hash of all that is asked; `max_tokens` 0 means as many as it takes.

    A text to be continued is answered as if it were a user's message. `temperature` is 1 where none is asked for, as
    with OpenAI.
    """

    model: str
    messages: tuple[Message, ...]
    key: int
    kind: Kind
    max_tokens: int
    stop: tuple[str, ...]
    is_chat: bool
    temperature: float


class Refusal(Exception):
    """A request that gets an error in OpenAI's form instead of an answer."""

    def __init__(self, status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers


def read_request(body: bytes, models: Collection[str], is_chat: bool = True) -> Request:
    """Raises Refusal for a body that is no request (400) and for a model that is not served (404)."""
    try:
        data = json.loads(body)
        if is_chat:
            messages = tuple(Message(str(one["role"]), _plain_text(one["content"])) for one in data["messages"])
        else:
            messages = (Message("user", _text(data["prompt"])),)
        model = str(data["model"])
        max_tokens = int(data.get("max_completion_tokens") or data.get("max_tokens") or 0)
        temperature = _temperature(data)
        stop = data.get("stop") or ()
        stop = (stop,) if isinstance(stop, str) else tuple(map(_text, stop))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        asked = "messages" if is_chat else "prompt"
        raise Refusal(400, f"Expected a JSON object with model and {asked}.", "invalid_request") from error
    if not messages or data.get("stream"):
        raise Refusal(400, "Expected at least one message and no stream.", "invalid_request")
    if model not in models:
        raise Refusal(404, f"The model `{model}` does not exist.", "model_not_found")
    text = "\0".join(f"{role}\1{content}" for role, content in messages) if is_chat else messages[0].content
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
    return Request(
        model, messages, int.from_bytes(digest, "little"), kind(prompt), max_tokens, stop, is_chat, temperature
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return value


def _temperature(data: Mapping[str, Any]) -> float:
    given = data.get("temperature")
    return 1.0 if given is None else float(given)


def _plain_text(content: Any) -> str:
    """A message's content: a text, or OpenAI's list of parts, of which the texts count."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or ())


def too_many_requests(wait_seconds: float) -> Refusal:
    headers = {"Retry-After": f"{wait_seconds:.3f}", "retry-after-ms": str(math.ceil(wait_seconds * 1000))}
    return Refusal(429, f"Rate limit reached. Try again in {wait_seconds:.3f}s.", "rate_limit_exceeded", headers)


def error_response(refusal: Refusal) -> web.Response:
    family = {429: "requests", 500: "server_error"}.get(refusal.status, "invalid_request_error")
    error = {"message": refusal.message, "type": family, "param": None, "code": refusal.code}
    return web.json_response({"error": error}, status=refusal.status, headers=refusal.headers)


def completion_response(completion: Completion, request: Request, number: int) -> web.Response:
    """In the form of the path that was asked."""
    message = {"role": "assistant", "content": completion.text}
    body = {
        "id": f"{'chatcmpl' if request.is_chat else 'cmpl'}-{number}",
        "object": "chat.completion" if request.is_chat else "text_completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [
            {
                "index": 0,
                **({"message": message} if request.is_chat else {"text": completion.text}),
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
