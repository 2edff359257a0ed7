"""Where a model is and how it is asked: the settings of an endpoint, and its key.

The key is read from the environment when it is needed and kept in none of these settings, so that they can be written
down, compared and sent to actors.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from evolray.errors import UserError

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
            shown = re.sub("//[^/]*@", "//***@", self.base_url.partition("?")[0])
            raise UserError(f"base_url is {shown!r}; expected a URL such as http://localhost:8000/v1")
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
        if "@" in urlsplit(self.base_url).netloc:  # the client would send it instead of the key, or break
            raise UserError(f"base_url holds a password; put the key for {self.shown_url} into {self.api_key_env}")
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
