"""A rater's page in a real browser, from a file: rated with the keyboard alone, kept, exported, and read back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.blind.arrangement import Item, Sheet, arrange
from evolray.blind.page.rendering import render
from evolray.blind.reading import Ratings, read_ratings
from evolray.blind.rows import read_rows
from tests.blind.studies import MODELS, sheets

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 844}
FIVE = ("a", "b", "c", "d", "e")
CRITERIA = ["relevance", "reasoning"]
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('blocked'); }});"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]

Open = Callable[..., Any]


@pytest.fixture
def opened(browse: Open, tmp_path: Path) -> Open:
    """Opens a sheet's page."""

    def open_page(
        sheet: Sheet, criteria: list[str] | None = None, size: dict[str, int] = WIDE, script: str = ""
    ) -> Any:
        path = tmp_path / "sheet.html"
        path.write_bytes(render(sheet, criteria or []))
        return browse(path, script, viewport=size)

    return open_page


def press(page: Any, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def exported(page: Any, folder: Path, key: str = "e") -> Path:
    with page.expect_download() as download:
        page.keyboard.press(key)
    path = folder / str(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def read(path: Path, sheet: Sheet, criteria: list[str] | None = None) -> Ratings:
    return read_ratings(read_rows(str(path)), [sheet], criteria or [])


def progress(page: Any) -> str:
    text: str = page.inner_text("#progress")
    return text


def test_from_the_first_item_to_the_exported_file_by_keyboard(opened: Open, tmp_path: Path) -> None:
    (sheet,) = sheets(6)
    page = opened(sheet)
    assert progress(page) == "1 of 6 · 0 rated"
    press(page, "1 n b ArrowRight 0 Enter")
    assert progress(page) == "4 of 6 · 3 rated"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert progress(page) == "4 of 6 · 3 rated"
    press(page, "= n a n 2 p p")  # the fourth is a tie, the fifth A's, the sixth B's
    press(page, "m")
    page.keyboard.type("Both are wrong, e.g. 1 and 2")
    press(page, "Escape ArrowLeft Delete")  # back on the third, whose tie is taken back
    assert progress(page) == "3 of 6 · 5 rated"
    partial = exported(page, tmp_path)
    assert partial.name == "rater-01.json" and "1 are not rated yet" in page.inner_text("#notice")
    press(page, "n u")
    assert progress(page) == "3 of 6 · 5 rated"
    press(page, "2")
    assert "All 6 items are rated" in page.inner_text("#notice")
    assert len(read(partial, sheet).all) == 5
    ratings = read(exported(page, tmp_path, "x"), sheet)
    chosen = ["A", "B", "B", "tie", "A", "B"]
    for one, place, choice in zip(ratings.all, sheet.places, chosen, strict=True):
        first, second = (one.ranks[model] for model in place.models)
        assert ("A" if first < second else "B" if second < first else "tie") == choice
        assert one.problem == place.item.problem
    assert [one.comment for one in ratings.all] == ["", "", "", "Both are wrong, e.g. 1 and 2", "", ""]
    assert ratings.rejected == [] and ratings.unrated == {"rater-01": 0}


def test_five_answers_are_ranked_by_letter_and_digit_and_rated_on_criteria(opened: Open, tmp_path: Path) -> None:
    (sheet,) = sheets(2, models=FIVE)
    page = opened(sheet, CRITERIA)
    press(page, "a 1 b 2 c 2 d 4 e 6 5")  # there is no rank 6
    press(page, "r 5 4 3 2 1 5 4 3 2 1")  # of A: relevance, reasoning; of B: ...
    press(page, "n a 1 Escape 3")
    path = exported(page, tmp_path, "x")
    assert progress(page) == "2 of 2 · 1 rated"
    ratings = read(path, sheet, CRITERIA)
    (one,) = ratings.all
    models = sheet.places[0].models
    assert [one.ranks[model] for model in models] == [1, 2, 2, 4, 5]
    given = [one.criteria[model] for model in models]
    assert [(each["relevance"], each["reasoning"]) for each in given] == [(5, 4), (3, 2), (1, 5), (4, 3), (2, 1)]
    assert ratings.reasons() == {"half_ranked": 1}


def test_clicks_do_what_keys_do_and_the_csv_says_the_same(opened: Open, tmp_path: Path) -> None:
    (sheet,) = sheets(2)
    page = opened(sheet, ["relevance"])
    page.get_by_label("relevance, answer B: 4").click()
    page.keyboard.press("2")  # a rank: a click on a criterion leaves the digits to the ranks
    page.get_by_role("button", name="Next item").click()
    page.get_by_role("button", name="Tie").click()
    page.fill("#comment", '=HYPERLINK("x");\n"quoted"')
    assert page.get_by_role("button", name="Tie").get_attribute("aria-pressed") == "true"
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert download.value.suggested_filename == "rater-01.csv"
    download.value.save_as(tmp_path / "rater-01.csv")
    assert "\"'=HYPERLINK(" in (tmp_path / "rater-01.csv").read_text("utf-8-sig")
    by_csv = read(tmp_path / "rater-01.csv", sheet, ["relevance"])
    assert by_csv.all == read(exported(page, tmp_path), sheet, ["relevance"]).all
    first, second = by_csv.all
    better = sheet.places[0].models[1]
    assert first.ranks[better] == 1 and first.criteria == {better: {"relevance": 4}}
    assert set(second.ranks.values()) == {1} and second.comment == '=HYPERLINK("x");\n"quoted"'


def test_texts_are_texts_and_code_is_code(opened: Open) -> None:
    markup, code = '  <b>bold</b> <img src=x onerror="window.hit = 1">', '```python\nif a < b:\n\treturn "&amp;"\n```'
    text = f"Look:\n{markup}\n{code}\nend \u202ex"
    item = Item("1", ("Turn one", "</script><script>window.hit = 2</script>"), dict.fromkeys(MODELS, (text, "")))
    for size in (WIDE, PHONE):
        page = opened(arrange([item], MODELS, "rater-01", 0), CRITERIA, size)
        assert page.locator("#answer-A .code").inner_text() == code
        shown = page.locator("#answer-A .text").all_inner_texts()
        assert shown == [f"Look:\n{markup}", "end [U+202E]x"]
        assert page.inner_text("#answer-B .none") == "(empty)"
        assert "<script>window.hit = 2</script>" in page.inner_text("#instruction")
        assert page.evaluate("window.hit") is None and page.locator("main img, main b").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_answers_stand_side_by_side_or_below_each_other(opened: Open) -> None:
    (sheet,) = sheets(1)
    for size, is_wide in ((WIDE, True), (PHONE, False)):
        page = opened(sheet, [], size)
        left, right = (page.locator(f"#answer-{letter}").bounding_box() for letter in "AB")
        assert (left["y"] == right["y"]) == is_wide and (left["x"] == right["x"]) != is_wide


def test_a_browser_that_keeps_nothing_says_so(opened: Open, tmp_path: Path) -> None:
    (sheet,) = sheets(2)
    page = opened(sheet, script=NO_STORAGE)
    assert "keeps nothing" in page.inner_text("#notice")
    press(page, "1 n")
    assert "keeps nothing" in page.inner_text("#notice")
    assert len(read(exported(page, tmp_path), sheet).all) == 1


def test_what_lies_in_storage_is_checked(opened: Open, tmp_path: Path) -> None:
    (sheet,) = sheets(3)
    kept = {
        "at": 99,
        "ratings": {"1": {"ranks": {"A": 9, "B": "x"}}, "2": {"ranks": {"A": 2, "B": 1}}, "3": [], "4": {}},
    }
    script = f"localStorage.setItem('evolray-blind/{sheet.id}', {json.dumps(json.dumps(kept))});"
    page = opened(sheet, script=script)
    assert progress(page) == "1 of 3 · 1 rated"
    assert len(read(exported(page, tmp_path), sheet).all) == 1


def test_other_sheets_in_the_same_browser_keep_to_themselves(opened: Open) -> None:
    first, second = sheets(2, people=2)
    page = opened(first)
    press(page, "1")
    path = page.url.removeprefix("file://")
    Path(path).write_bytes(render(second, []))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert progress(page) == "1 of 2 · 0 rated"


def test_help_opens_and_closes_and_keys_rate_nothing_behind_it(opened: Open) -> None:
    (sheet,) = sheets(2)
    page = opened(sheet)
    press(page, "?")
    assert page.is_visible("#help")
    press(page, "1 n Escape")
    page.wait_for_selector("#help", state="hidden")
    assert progress(page) == "1 of 2 · 0 rated"


def test_progress_and_choices_are_said_to_screen_readers(opened: Open) -> None:
    (sheet,) = sheets(2)
    page = opened(sheet)
    press(page, "2")
    assert page.inner_text("#announced") == "B is better. 1 of 2 rated."
    press(page, "n")
    assert page.inner_text("#announced") == "Item 2 of 2."
    press(page, "n")
    assert page.inner_text("#announced") == "This is the last item."
    assert page.get_attribute("#announced", "aria-live") == "polite"
    press(page, "Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
