"""A completions endpoint that gives a checkpoint's log-probabilities of the prompt, as vLLM's server does."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from transformers import AutoModelForCausalLM


class Server:
    """`fails`: every so many requests one is answered with 500, and not computed."""

    def __init__(self, checkpoint: Path, fails: int = 0, key: str = "", echoes: bool = True) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
        self._fails, self._key, self._echoes = fails, key, echoes
        self.asked = self.answered = 0
        self.url = ""

    async def models(self, request: web.Request) -> web.Response:
        length = self._model.config.max_position_embeddings
        return web.json_response({"data": [{"id": "tiny", "max_model_len": length}]})

    async def completions(self, request: web.Request) -> web.Response:
        if self._key and request.headers.get("Authorization") != f"Bearer {self._key}":
            return web.json_response({"error": "no"}, status=401)
        self.asked += 1
        if self._fails and self.asked % self._fails == 0:
            return web.json_response({"error": "overloaded"}, status=500)
        asked = await request.json()
        prompts = asked["prompt"] if isinstance(asked["prompt"][0], list) else [asked["prompt"]]
        assert (asked["echo"], asked["logprobs"], asked["max_tokens"]) == (True, 1, 1)
        self.answered += 1
        return web.json_response({"choices": [self._choice(at, prompt) for at, prompt in enumerate(prompts)]})

    def _choice(self, index: int, tokens: list[int]) -> dict[str, Any]:
        if not self._echoes:
            return {"index": index, "text": "x", "logprobs": None}
        with torch.inference_mode():
            likely = self._model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        best = likely.max(-1)
        following = [*tokens[1:], int(best.indices[-1])]
        own = [None, *(float(likely[at, token]) for at, token in enumerate(following))]
        top = [None, *({str(int(one)): float(value)} for one, value in zip(best.indices, best.values, strict=True))]
        return {"index": index, "text": "", "logprobs": {"token_logprobs": own, "top_logprobs": top}}


@contextmanager
def serving(checkpoint: Path, **more: Any) -> Iterator[Server]:
    server = Server(checkpoint, **more)
    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=1 << 26)
    app.add_routes([web.get("/v1/models", server.models), web.post("/v1/completions", server.completions)])
    runner = web.AppRunner(app)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"{site.name}/v1"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
