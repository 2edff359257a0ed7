"""The page in a real browser, from a file: it asks nobody for anything, sorts, filters, and fits a phone."""

from collections.abc import Callable
from typing import Any

import pytest

from evolray.board.stage import board
from evolray.config import BoardConfig
from tests.board.written_runs import gsm8k, write, write_three

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 844}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three models, and a fourth of which there is GSM8K alone."""
    folder = tmp_path_factory.mktemp("board")
    write(write_three(folder / "runs") / "one", {"gsm8k": gsm8k("other <b>", 99)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evolray.board.stage.figures", lambda table: {})
        return board(BoardConfig(results=[str(folder / "runs")], output=str(folder / "out"))).path


@pytest.fixture
def page(browse: Callable[..., Any], path: str, request: pytest.FixtureRequest) -> Any:
    return browse(path, **{"viewport": WIDE, **getattr(request, "param", {})})


def column(page: Any, number: int) -> list[str]:
    """What is shown of a column, from top to bottom."""
    cells = page.locator(f"#board tbody tr:visible > :nth-child({number})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def test_a_click_sorts_and_another_turns_it(page: Any) -> None:
    assert column(page, 2) == ["other <b>", "vicuna-13b", "wizard-30b", "wizard-13b"]  # all have GSM8K, no more
    page.get_by_role("button", name="WizardEval").click()
    assert column(page, 4) == ["97.8", "89.1", "86.9", "–"]
    assert page.locator("#board [aria-sort]").all_inner_texts()[0].startswith("WizardEval")
    page.get_by_role("button", name="WizardEval").click()
    assert column(page, 4) == ["86.9", "89.1", "97.8", "–"]  # without a value, last
    page.get_by_role("button", name="Model").click()
    assert column(page, 2) == ["other <b>", "vicuna-13b", "wizard-13b", "wizard-30b"]
    assert page.locator("#board [aria-sort]").count() == 1


def test_keys_sort_too(page: Any) -> None:
    page.get_by_role("button", name="MMLU").focus()
    page.keyboard.press("Enter")
    assert column(page, 8) == ["54.3", "53.3", "52.3", "–"]
    page.keyboard.press("Space")
    assert column(page, 8) == ["52.3", "53.3", "54.3", "–"]


def test_mean_and_rank_are_of_the_lines_that_the_filter_leaves(page: Any) -> None:
    page.get_by_role("button", name="Mean", exact=True).click()
    page.fill("#query", "WIZARD")
    assert column(page, 2) == ["wizard-30b", "wizard-13b"]
    means = [(97.8 + 66.5 + 76.31 + 57 + 53.3) / 5, (89.1 + 63.5 + 75.31 + 52 + 52.3) / 5]
    assert column(page, 3) == [f"{mean:.1f}" for mean in means] and column(page, 1) == ["1", "2"]
    assert page.inner_text("#status") == "2 of 4 lines"
    assert "every line shown has: WizardEval, MT-Bench, AlpacaEval, GSM8K, MMLU" in page.inner_text("#about-mean")
    page.fill("#query", "runs/one")
    assert column(page, 2) == ["other <b>"] and column(page, 3) == ["99.0"]
    page.fill("#query", "none of it")
    assert column(page, 2) == [] and page.inner_text("#status") == "0 of 4 lines"
    page.fill("#query", "")
    assert column(page, 3) == ["99.0", "62.0", "57.0", "52.0"] and page.inner_text("#status") == ""
    assert page.inner_text("#about-mean").startswith("The mean is over the benchmarks that every model here has: GSM8K")


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_all_is_there(page: Any) -> None:
    assert column(page, 2) == ["other <b>", "vicuna-13b", "wizard-30b", "wizard-13b"]
    assert page.is_hidden("#filters") and page.locator("#board button").count() == 0


@pytest.mark.parametrize("page", [{"viewport": PHONE}, {"viewport": PHONE, "color_scheme": "dark"}], indirect=True)
def test_it_fits_a_phone(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("#scores .table").evaluate("table => table.scrollLeft = 200")
    name = page.locator("#board tbody .name").first.bounding_box()
    assert name["x"] >= 0  # the models' names stay where they can be read
