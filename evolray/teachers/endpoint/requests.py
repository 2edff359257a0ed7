"""What a call looks like on the wire: where it is sent, and the body.

A conversation goes to /chat/completions. A text to be continued goes to /completions, without a system message, and
with its limit as `max_tokens` whatever newer chat models call theirs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evolray.method.teacher import Call
from evolray.teachers.endpoint.settings import Endpoint

CHAT, CONTINUATION = "/chat/completions", "/completions"


@dataclass(frozen=True, slots=True)
class Request:
    """`characters`: of all that is asked, the endpoint's system message included."""

    path: str
    body: bytes
    characters: int

    @property
    def is_chat(self) -> bool:
        return self.path == CHAT


def make_request(endpoint: Endpoint, fields: Mapping[str, Any], call: Call) -> Request:
    """`fields` are `endpoint.request_fields()`; what the call says of its own goes before them."""
    own: dict[str, Any] = {"stop": list(call.stop)} if call.stop else {}
    if call.temperature is not None:
        own["temperature"] = call.temperature
    if call.prompt is not None:
        limit = fields.get(endpoint.max_tokens_field) if call.max_tokens is None else call.max_tokens
        own |= {"prompt": call.prompt} | ({} if limit is None else {"max_tokens": limit})
        fields = {name: value for name, value in fields.items() if name != endpoint.max_tokens_field}
        return Request(CONTINUATION, _encoded({**fields, **own}), len(call.prompt))
    if call.max_tokens is not None:
        own[endpoint.max_tokens_field] = call.max_tokens
    messages = [{"role": turn.role, "content": turn.content} for turn in call.messages]
    if endpoint.system and (not messages or messages[0]["role"] != "system"):
        messages.insert(0, {"role": "system", "content": endpoint.system})
    characters = sum(len(message["content"]) for message in messages)
    return Request(CHAT, _encoded({**fields, **own, "messages": messages}), characters)


def _encoded(body: dict[str, Any]) -> bytes:
    """ASCII escapes: whatever an instruction holds, lone surrogates included, is valid JSON in valid UTF-8."""
    return json.dumps(body).encode("ascii")
