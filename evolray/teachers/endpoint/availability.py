"""The question before a run: is the endpoint there, does it take the key, does it serve the model?"""

import asyncio
import difflib
import json

from evolray.errors import EndpointError
from evolray.teachers.endpoint.answers import hopeless_message, storable
from evolray.teachers.endpoint.client import connection_reason, failure_of, open_client
from evolray.teachers.endpoint.settings import Endpoint

PREFLIGHT_SECONDS = 15.0


async def preflight(endpoint: Endpoint) -> None:
    """Ask for the list of models before anything is started. EndpointError in one line when calls cannot succeed."""
    client = open_client(endpoint, endpoint.read_key())
    try:
        async with asyncio.timeout(PREFLIGHT_SECONDS):
            answer = await client.get("/models", cast_to=bytes)
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        if failure.kind == "not_http":
            raise EndpointError(f"{endpoint.shown_url} does not speak HTTP; check base_url") from None
        if failure.kind == "timeout":
            raise EndpointError(f"{endpoint.shown_url} does not answer in {PREFLIGHT_SECONDS:g} s") from None
        if failure.kind == "connection":
            raise EndpointError(f"{endpoint.shown_url} cannot be reached: {connection_reason(error)}") from None
        if failure.status in (401, 402, 403) or failure.status < 400:
            raise EndpointError(hopeless_message(endpoint, failure.status, "")) from None
        return  # many servers have no list of models; a call will tell
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
