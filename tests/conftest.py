"""Shared by all tests: one local Ray for those that need it."""

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray 2.60 warns, and warnings are errors here

# A script's shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for `local_ray` is marked `ray`, so that `-m "not ray"` needs nobody's memory."""
    for item in items:
        if "local_ray" in getattr(item, "fixturenames", ()):
            item.add_marker("ray")


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of this test run alone, started for the first test that asks for it. It has no dashboard."""
    import ray

    ray.init(
        address="local",  # never one that happens to run on this machine
        num_cpus=4,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by playwright; the test is skipped where there is none.

    It ends with its module: while playwright is open, this thread counts as running an event loop, and other
    tests want to run theirs.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    flags = (
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    )  # fmt: skip
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=list(flags))
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page from a file; settings are those of a browser context, such as `viewport`.

    At the end of the test, nothing may have been said on the console or in a dialog, or asked of a network.
    """
    said: list[str] = []
    contexts = []

    def open_page(place: str | Path, script: str = "", **settings: Any) -> Any:
        context = chromium.new_context(**settings)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: said.append(f"request: {request.url}") if _leaves(request.url) else None)
        page.goto(f"file://{place}")
        if settings.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def _leaves(url: str) -> bool:
    """A page may be loaded, and what it carries in itself; no other file and no address."""
    return not url.startswith(("data:", "blob:")) and not (url.startswith("file://") and ".html" in url)


@pytest.fixture
def as_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command sets for its process is undone: the log's handler and level."""
    logger = logging.getLogger("evolray")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
