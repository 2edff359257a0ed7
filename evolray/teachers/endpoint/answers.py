"""What an endpoint's answers say: completions read from bodies, waits from headers, lines for people from refusals.

Nothing here sends, waits or fails: whatever the bytes are, the reader gets a value or None. Texts leave without lone
surrogates, so that each can be stored as UTF-8.
"""

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping

from evolray.method.teacher import Completion
from evolray.teachers.endpoint.requests import CHAT, CONTINUATION
from evolray.teachers.endpoint.settings import Endpoint

MAX_RETRY_AFTER_SECONDS = 120.0
MAX_TEXT_CHARACTERS = 10_000_000
CHARACTERS_PER_TOKEN = 4


def read_completion(answer: bytes, prompt_characters: int, model: str, is_chat: bool = True) -> Completion | None:
    """The completion in a body, of a chat or of a text that was continued; None when it is not one.

    A message without content is a completion with the text "" when the endpoint says why it ended (a content filter, a
    tool call, the length limit): asking again would buy the same. Lone surrogates become U+FFFD, so that every text can
    be stored as UTF-8. Token counts that are missing or absurd are estimated from the characters.
    """
    try:
        body = json.loads(answer)
        choice = body["choices"][0]
        content = choice["message"].get("content") if is_chat else choice.get("text")
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


def redacted(text: str, key: str) -> str:
    """`text` on one line of at most 300 characters, without `key` or anything that looks like a key."""
    text = " ".join(text.split())
    if key != "none":
        text = text.replace(key, "***")
    return re.sub(r"(?i)\b(sk-|bearer\s+)[\w*.\-]{4,}", r"\1***", text)[:300]


def hopeless_message(endpoint: Endpoint, status: int, said: str, path: str = CHAT) -> str:
    """One line for an answer that no call of this run can escape."""
    what = {
        401: f"refuses the key in {endpoint.api_key_env}",
        402: f"wants payment for the account of the key in {endpoint.api_key_env}",
        403: f"does not let the key in {endpoint.api_key_env} use {endpoint.model!r}",
        404: f"does not know the model {endpoint.model!r} or the path {path}: check model and base_url",
    }.get(status, "redirects elsewhere: set base_url to the final address" if status < 400 else "refuses the request")
    if path == CONTINUATION and status in (404, 405):
        what = (
            f"does not continue texts with the model {endpoint.model!r} (path {path}), which a prompt that is no "
            "conversation needs: choose prompt=instruct, or another base_url or model"
        )
    return f"{endpoint.shown_url} {what} (HTTP {status}{f': {said}' if said else ''})"
