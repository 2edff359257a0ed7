"""A completions endpoint for lm-eval: opened, measured and tried with one small question before thousands are asked."""

import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.error import URLError

from evolray.errors import EndpointError, UserError
from evolray.evaluate.knowledge.source import EndpointSource
from evolray.pool.seed_formats import without_credentials

DEFAULT_LENGTH = 2048
"""Tokens, where neither the endpoint nor the tokenizer says more; lm-eval's own default."""
UNLIMITED = 10_000_000
"""Tokenizers that know no length say more than this."""
LOOK_UP_SECONDS, LONGEST_PAUSE = 10.0, 10.0
PROBE = "The sky is blue."
FINAL = (400, 401, 403, 404, 405, 413, 422)
"""Answers of an endpoint that asking again does not change."""


def open_endpoint(source: EndpointSource, kind: Any) -> Any:
    """`kind`: lm-eval's class for completions. Raises UserError or EndpointError."""
    arguments = {
        "model": source.model,
        "base_url": f"{source.base_url}/completions",
        "tokenizer": source.tokenizer,
        "tokenizer_backend": "huggingface",
        "num_concurrent": source.max_in_flight,
        "max_retries": source.retries + 1,  # it counts the first try, too
        "timeout": max(1, int(source.timeout_seconds)),
    }
    try:
        model = kind.create_from_arg_obj(arguments, {"batch_size": 1})
    except Exception as error:
        raise UserError(
            f"tokenizer {source.tokenizer}: cannot be loaded ({first_line(error)}). Set lm_eval.tokenizer to the "
            "folder or the Hub's name of the tokenizer that the endpoint's model has."
        ) from None
    words = model.tokenizer
    # As for a loaded checkpoint, the tokenizer says whether a text begins with a mark.
    model.add_bos_token = words("a").input_ids != words("a", add_special_tokens=False).input_ids
    model.max_length = _length(source, model) - 1  # an endpoint writes one token in any case
    _probe(source, model)
    return model


def _length(source: EndpointSource, model: Any) -> int:
    """Of the context, in tokens."""
    request = urllib.request.Request(f"{source.base_url}/models", headers=model.header)
    with suppress(URLError, OSError, ValueError, KeyError, TypeError, AttributeError):
        with urllib.request.urlopen(request, timeout=LOOK_UP_SECONDS) as answer:
            for one in json.load(answer)["data"]:
                if one["id"] == source.model and one.get("max_model_len"):
                    return int(one["max_model_len"])
    known = int(model.tokenizer.model_max_length)
    return known if known < UNLIMITED else DEFAULT_LENGTH


def _probe(source: EndpointSource, model: Any) -> None:
    """One small question, before thousands: does the endpoint give the log-probabilities of the prompt?"""
    tokens = model.tok_encode(PROBE)
    answer = _ask(source, lambda: model.model_call(messages=[tokens], generate=False))
    try:
        given = answer["choices"][0]["logprobs"]["token_logprobs"]
        fits = len(given) == len(tokens) + 1 and all(isinstance(one, float) for one in given[1:-1])
    except (KeyError, IndexError, TypeError):
        fits = False
    if not fits:
        raise UserError(
            f"endpoint {without_credentials(source.base_url)}: its completions do not hold a log-probability for each "
            "token of the prompt (echo=true, logprobs=1). They are needed here: use a server that gives them, "
            "such as vLLM's, with the tokenizer of its model, or the checkpoint itself (model=)."
        )


def _ask(source: EndpointSource, ask: Callable[[], Any]) -> Any:
    pause = 1.0
    for left in range(source.retries, -1, -1):
        try:
            return ask()
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if not left or status in FINAL:
                raise endpoint_error(source, error) from None
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)


def endpoint_error(source: EndpointSource, error: Exception) -> EndpointError:
    shown = without_credentials(source.base_url)
    why = without_credentials(first_line(error))
    return EndpointError(
        f"endpoint {shown}, model {source.model}: {why}. What was answered is kept; the same command goes on from "
        "there."
    )


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}".rstrip(": .")
