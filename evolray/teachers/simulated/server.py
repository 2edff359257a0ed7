"""The offline teacher as an OpenAI-compatible HTTP server with latency, limits and faults.

So that the real client is what is tested: it queues, refuses, drops, hangs and cuts off as asked.

    python -m evolray.teachers.simulated.server --port 8000 --latency 1.0 --sigma 0.8 --capacity 64 --rpm 6000 \\
        --fault 429=0.02,500=0.02,drop=0.01,hang=0.01,malformed=0.01,truncated=0.01,empty=0.01

    POST /v1/chat/completions   POST /v1/completions   GET /v1/models      as OpenAI has them (no streaming, one choice)
    GET /stats                  counters; see `endpoint.Stats`
    GET /timeline               [[start_seconds, end_seconds, kind], ...] of the answered requests
    POST /reset                 forgets counters, timeline and prompts, and starts the clock and the faults anew

Order of one request: key (401), body (400), model (404), requests per minute (429), fault 429, fault hang, a place
among `capacity` (first come, first served), latency, the other faults, the answer. A client that leaves frees it.

Built on aiohttp.web, which openai's client brings along. Measured with wrk on two shared cores (one thread, 64
connections, no latency, 2,100 prompts of the open domain): 3,100-4,800 requests/s over five runs beside other load, and
5,100-6,400 per second of this process's CPU (three runs); a handler that does nothing makes 14,100. That is above the
3,000 wanted, so there is no HTTP parser of our own here.
Not for the open internet: no TLS, and everything in memory (about 80 bytes per distinct prompt, 17 per answer).
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from evolray.teachers.simulated.endpoint import SimulatedEndpoint
from evolray.teachers.simulated.settings import KEY_VARIABLE, ServerSettings, as_arguments, parse_arguments


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGINT or SIGTERM; print one line with the URL when ready. OSError when the port cannot be had."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening(settings) as base_url:
        print(f"simulated teacher at {base_url} (answers by rule: not for training in earnest)", flush=True)
        await stop.wait()


@contextlib.asynccontextmanager
async def listening(settings: ServerSettings) -> AsyncIterator[str]:
    """The server on the running loop; yields its base URL (http://host:port/v1). OSError when the port is taken."""
    # Without handler_cancellation a client that left would keep its place, and a hang would never end.
    runner = web.AppRunner(
        SimulatedEndpoint(settings).app(),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=3600,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=4096).start()
        yield f"http://{settings.host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def running(settings: ServerSettings) -> Iterator[str]:
    """The server in a process of its own; yields its base URL and stops it. RuntimeError when it does not start."""
    root = str(Path(__file__).parents[3])
    environment = os.environ | {KEY_VARIABLE: settings.api_key}
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "evolray.teachers.simulated.server", *as_arguments(settings)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            words = child.stdout.readline().split()
            base_url = next((word for word in words if word.startswith("http://")), "")
            if not base_url:
                raise RuntimeError(f"the simulated server did not start (exit code {child.wait()}); its error is above")
            yield base_url
        finally:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def fetch(base_url: str, name: str) -> Any:
    """What the server under `base_url` says at /stats, /timeline or /reset (which it then does)."""
    request = urllib.request.Request(
        f"{base_url.removesuffix('/v1')}/{name}", method="POST" if name == "reset" else "GET"
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0 when stopped by Ctrl-C or SIGTERM, 2 with one line on stderr for a wrong value or port."""
    try:
        settings = parse_arguments(sys.argv[1:] if argv is None else argv)
        asyncio.run(serve(settings))
    except (ValueError, OSError) as error:
        print(f"simulate-endpoint: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the server listens to signals
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
