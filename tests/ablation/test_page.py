"""The page of an ablation: what it says, that nothing in it can be more than text, and how it looks in a browser."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from evolray.ablation import stage
from evolray.ablation.page import samples
from evolray.ablation.page.writing import write_page
from evolray.cluster.jobs.job import Job
from evolray.errors import UserError
from evolray.pipeline import running
from evolray.pool.layout import LocalFolder
from tests.ablation import stand_in

SIZES = {0: 40, 3: 100}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "POLL_SECONDS", 0.0)
        stage.ablation(stand_in.config(folder), command="evolray demo <x>", open_server=stand_in.Server(SIZES).open)
    return folder / "run"


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    """The page's words, without its figures."""
    html = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", (run / "report.html").read_text(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_it_says_what_was_done_and_by_whom(text: str) -> None:
    assert "What evolving gives: seeds only and 3 generations" in text
    assert (
        "40 seeds were evolved for 3 generations; the teacher was simulated. 2 students, alike in everything but their "
        "data, were each trained on a mix of their own (seeds only and 3 generations): 40 examples each and 1,000 "
        "tokens of training."
    ) in text
    assert "what it taught is arithmetic by rule and nothing else" in text
    assert "a student of the seeds alone has never seen a problem of a second step" in text
    assert "345 calls, 1,500 tokens, 1 min 01 s, cost 1.50" in text


def test_it_has_the_numbers(text: str) -> None:
    assert "GSM8K, 2 steps (20 problems) 5.0 % (0.0–15.0) 95.0 % (85.0–100.0)" in text
    assert "GSM8K, all (60 problems) 35.0 % (25.0–45.0) 93.3 % (83.3–100.0)" in text
    assert "GSM8K 93.3 % 3 generations; 35.0 % for seeds only" in text
    assert "3 generations 50 500 GSM8K 16.7 % 6.7–26.7" in text
    assert "generation in kept eliminated failed kept % 0 40 40 0 0 100.0 % 1 40 38 2 0 95.0 %" in text


def test_answers_are_side_by_side_right_and_wrong(text: str) -> None:
    for why in (
        "Every student was right",
        "3 generations was right, seeds only was not",
        "3 generations was not right",
    ):
        assert why in text
    assert re.search(
        r"Problem 1-\d+ &lt;b&gt; seeds only wrong answer The answer is: -1\. -1 is not 1 3 generations passed", text
    )


def test_how_to_do_it_again(run: Path, text: str) -> None:
    assert "evolray demo &lt;x&gt;" in text
    assert f"evolray train {run}/steps/train-3/config.yaml run=NEW" in text
    assert (run / "steps/train-3/config.yaml").exists()


def test_links_lead_to_what_is_there(run: Path) -> None:
    links = re.findall(r'<a href="([^"#][^"]*)"', (run / "report.html").read_text())
    assert links == ["mixes/generations-0/card.md", "mixes/generations-3/card.md", "sweep/table.csv"]
    assert all((run / link).exists() for link in links)


def test_the_page_forbids_itself_the_network(run: Path) -> None:
    html = (run / "report.html").read_text()
    assert "default-src 'none'" in unescape(html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert "<b>" not in html and "<x>" not in html


def test_the_page_can_be_had_before_anything_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.0)
    config = stand_in.config(tmp_path)
    server = stand_in.Server(SIZES, ends={"train-0": Job(has_ended=True, exit_code=2, message="no <b>room")})
    with pytest.raises(UserError):
        stage.ablation(replace(config, jobs=replace(config.jobs, at_once=1)), open_server=server.open)
    page = Path(write_page(LocalFolder(config.run))).read_text()
    assert "This ablation is stopped: step train-0 failed: no &lt;b&gt;room" in page
    assert "<svg" not in page


def test_a_folder_without_an_ablation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no ablation"):
        write_page(LocalFolder(str(tmp_path)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1200])
def test_it_fits_in_a_browser(browse: Callable[..., Any], run: Path, width: int, scheme: str) -> None:
    page = browse(run / "report.html", viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("svg").count() == 2
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(252, 252, 251)", "dark": "rgb(20, 23, 26)"}[scheme]


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Tom has 2 apples.\n\n### Response:", "Tom has 2 apples."),
        ("Below is an instruction.\n\n### Instruction:\nAdd 1 and 2.\n\n### Response:", "Add 1 and 2."),
        ("Question: what is it?", "Question: what is it?"),
    ],
)
def test_a_problem_is_shown_without_the_form_of_its_prompt(prompt: str, question: str) -> None:
    assert samples._question(prompt) == question
