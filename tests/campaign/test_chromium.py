"""The page in a real browser, from a file: it asks nobody for anything, and fits screens from 400 px on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.campaign.page.writing import write_page
from evolray.pool.layout import open_folder
from tests.campaign.written_campaign import learned, step, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page") / "coder"
    (folder / "pool").mkdir(parents=True)
    (folder / "pool" / "report.html").write_text("<title>the pool</title>")
    return write_page(open_folder(write(folder, learned(), [step("round-1/evolve"), step("round-1/train")])))


@pytest.mark.parametrize("width", [400, 800, 1200])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_it_fits(browse: Callable[..., Any], path: str, width: int, color_scheme: str) -> None:
    page = browse(path, viewport={"width": width, "height": 900}, color_scheme=color_scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(252, 252, 251)" if color_scheme == "light" else "rgb(20, 23, 26)")
    assert page.locator("figure svg").count() == 3


def test_links_lead_to_the_parts(browse: Callable[..., Any], path: str) -> None:
    page = browse(path, java_script_enabled=False)
    page.get_by_role("link", name="pool").click()
    assert page.title() == "the pool"
    assert page.url == f"file://{Path(path).parent}/pool/report.html"
