"""The bare asyncio loop: evolray's calls of one generation, made as one would write it by hand.

    python benchmarks/bare_loop.py --base-url http://localhost:8000/v1 --seeds-file alpaca.json --limit 256

One process, openai's client, a worker per slot; nothing is written down. `--raw` leaves out the client's models of
request and answer, as evolray does. saturation.py starts both; a simulated endpoint is there with
`evolray simulate-endpoint`.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout that the script lies in, installed or not

from evolray.method.domains import DOMAINS
from evolray.method.elimination import Evolved, parse_verdict, reject_instruction
from evolray.method.evolution import VERDICT_ATTEMPTS
from evolray.method.operators import render
from evolray.method.teacher import Completion
from evolray.records import Seed
from evolray.teachers.endpoint.answers import read_completion
from evolray.teachers.endpoint.client import open_client
from evolray.teachers.endpoint.settings import Endpoint
from evolray.teachers.simulated import MODEL

Ask = Callable[[str], Awaitable[Completion]]


async def bare_loop(base_url: str, seeds: Sequence[Seed], limit: int, raw: bool) -> None:
    """What one would write by hand: `limit` workers, each taking a root through its calls. Nothing is written down."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    endpoint = Endpoint(base_url=base_url, model=MODEL)
    client = open_client(endpoint, "none") if raw else AsyncOpenAI(
        base_url=base_url, api_key="none", http_client=DefaultAioHttpClient()
    )  # fmt: skip
    create: Any = client.chat.completions.create
    fields = endpoint.request_fields()

    async def ask(prompt: str) -> Completion:
        messages = [{"role": "system", "content": endpoint.system}, {"role": "user", "content": prompt}]
        if raw:  # as evolray's own teacher does it: without the client's models of request and answer
            body = json.dumps({**fields, "messages": messages}).encode("ascii")
            completion = read_completion(await client.post("/chat/completions", cast_to=bytes, content=body), 0, MODEL)
            assert completion is not None
            return completion
        answer = await create(messages=messages, **fields)
        choice = answer.choices[0]
        return Completion(choice.message.content, choice.finish_reason)

    roots = iter(seeds)

    async def work() -> None:
        for seed in roots:
            await chain(seed, ask)

    await asyncio.gather(*(work() for _ in range(limit)))
    await client.close()


async def chain(seed: Seed, ask: Ask) -> None:
    """The calls of generation 1 of a seed that has a response: none after a rejection."""
    domain = DOMAINS["open"]
    random = Random(f"0/{seed.root_id}/1")
    operator = domain.choose(random)
    variant = operator.choose_variant(random)
    evolved = Evolved(seed.text, await ask(operator.render(seed.text, variant, ())))
    if reject_instruction(domain.instruction_rules, evolved):
        return
    question = render(domain.equality_prompt, first=seed.text, second=evolved.text)
    for _ in range(VERDICT_ATTEMPTS):
        verdict = parse_verdict((await ask(question)).text)
        if verdict is not None:
            break
    if verdict is False:
        await ask(render(domain.response_prompt, instruction=evolved.text))


def main() -> int:
    parser = argparse.ArgumentParser(description="The calls of one generation, from a bare asyncio loop.")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--seeds-file", type=Path, required=True, help="Alpaca's form; every entry with a response")
    parser.add_argument("--limit", type=int, default=256, help="calls in flight")
    parser.add_argument("--raw", action="store_true", help="without the client's models of request and answer")
    options = parser.parse_args()
    entries = json.loads(options.seeds_file.read_text())
    seeds = [Seed(one["instruction"], one["input"], one["output"]) for one in entries]
    asyncio.run(bare_loop(options.base_url, seeds, options.limit, options.raw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
