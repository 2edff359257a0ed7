"""The page in a real browser, from a file: it shows itself, asks nobody for anything, and does what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.config import ReportConfig
from evolray.records import Outcome
from evolray.report.stage import report
from tests.report import refine_run
from tests.report.evolve_run import eliminated, kept, plain_run, write_run

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOSTILE = {
    "markup": '</script></style><script>window.hit = 1</script><img src=x onerror="window.hit = 2"><b>bold</b>',
    "turned": "safe \u202egpj.exe\u202c end \u2066hidden\u2069",
    "controls": "bell\x07 escape\x1b[2J zero\x00",
    "template": "{{ 7 * 7 }} ${7 * 7} {% raw %} $& \\",
    "long line": "x" * 100_000,
    "arabic": "اكتب قصيدة عن البحر",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]

Open = Callable[..., Any]
Size = dict[str, int]


@pytest.fixture
def opened(browse: Open, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page of a run, without its figures unless they are asked for."""

    def open_page(run: Path, size: Size = WIDE, anchor: str = "", figures: bool = False, **settings: Any) -> Any:
        with monkeypatch.context() as patch:
            if not figures:  # a second each
                patch.setattr("evolray.report.stage.figures", lambda run: {})
            path = report(ReportConfig(run=str(run), **settings))
        return browse(f"{path}{anchor}", viewport=size)

    return open_page


def _hostile_run(folder: Path) -> Path:
    outcomes: list[Outcome] = []
    for number, text in enumerate(HOSTILE.values()):
        root = f"{number:016x}"
        outcomes += [kept(root, 0, text, text), kept(root, 1, f"{text} more", text), eliminated(root, 2, text)]
    write_run(str(folder / "run"), [outcomes], generations=2)
    return folder / "run"


def _search(page: Any, query: str) -> None:
    page.fill("#query", query)
    page.wait_for_function("query => document.getElementById('status').dataset.query === query", arg=query)


def _rows(page: Any) -> list[str]:
    titles: list[str] = page.locator("#list .title").all_inner_texts()
    return titles


def test_it_shows_itself_with_a_lineage_beside_the_list(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 60)
    page = opened(tmp_path, figures=True)
    assert page.locator("figure svg").count() >= 3
    assert page.inner_text("#status") == "60 lineages"
    assert len(_rows(page)) == 50 and page.inner_text("#more") == "Show 10 more"
    page.click("#more")
    assert len(_rows(page)) == 60 and page.is_hidden("#more")
    assert page.locator("#detail .node").count() == 3


def test_search_finds_words_and_phrases_in_all_texts(opened: Open, tmp_path: Path) -> None:
    roots = [
        ("Bake bread.", "Take flour and water."),
        ("Bake a cake.", "Take sugar."),
        ("Fly a kite.", "Wait for wind."),
    ]
    outcomes: list[Outcome] = [kept(f"{n:016x}", 0, text, response) for n, (text, response) in enumerate(roots)]
    write_run(str(tmp_path), [outcomes], generations=0)
    page = opened(tmp_path)
    cases: list[tuple[str, set[str]]] = [
        ("BAKE", {"Bake bread.", "Bake a cake."}),
        ('"flour and water"', {"Bake bread."}),
        ("take cake", {"Bake a cake."}),
        ("nothing of it", set()),
        ("0002", {"Fly a kite."}),
    ]
    for query, found in cases:
        _search(page, query)
        assert set(_rows(page)) == found and page.inner_text("#status") == f"{len(found)} of 3 lineages"
    _search(page, "sugar")
    page.locator("#list button.row", has_text="Bake a cake.").click()
    assert page.locator("#detail details mark").all_inner_texts() == ["sugar"]
    assert page.locator("#detail details[open]").count() == 1  # the response that it was found in


def test_filters_are_of_one_and_the_same_outcome(opened: Open, tmp_path: Path) -> None:
    outcomes: list[Outcome] = [
        kept("00000000000000aa", 0, "First"), eliminated("00000000000000aa", 1, "First?", "refusal"),
        kept("00000000000000bb", 0, "Second"), eliminated("00000000000000bb", 1, "Second?", "no_content"),
        kept("00000000000000cc", 0, "Third"), kept("00000000000000cc", 1, "Third!"),
    ]  # fmt: skip
    write_run(str(tmp_path), [outcomes], generations=1)
    page = opened(tmp_path)
    page.select_option("#by-f", label="eliminated")
    assert set(_rows(page)) == {"First", "Second"}
    page.select_option("#by-w", label="refusal")
    assert _rows(page) == ["First"]
    page.select_option("#by-o", label="deepen")  # eliminated were made by mutate
    assert _rows(page) == []


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_shown_as_text(opened: Open, tmp_path: Path, size: dict[str, int], kind: str) -> None:
    page = opened(_hostile_run(tmp_path), size)
    numbers = [f"{at:016x}" for at in range(len(HOSTILE))]
    _search(page, numbers[list(HOSTILE).index(kind)])
    page.click("#list button.row")
    page.wait_for_selector("#detail .said")
    shown = page.locator("#detail .said").first.inner_text()
    expected = {
        "turned": "safe [U+202E]gpj.exe[U+202C] end [U+2066]hidden[U+2069]",
        "controls": "bell[BEL] escape[ESC][2J zero[NUL]",
        "long line": "x" * 1500,
    }
    assert shown == expected.get(kind, HOSTILE[kind])
    assert page.evaluate("window.hit") is None
    assert page.locator("main b:text('bold'), main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_long_text_unfolds_and_says_what_is_not_in_the_page(opened: Open, tmp_path: Path) -> None:
    page = opened(_hostile_run(tmp_path), anchor=f"#lineage={list(HOSTILE).index('long line'):016x}")
    page.locator("#detail .unfold").first.click()
    assert len(page.locator("#detail .said").first.inner_text()) == 6000
    assert "The first 6,000 of 100,000 characters are in this page." in page.inner_text("#detail")


def test_what_is_new_is_marked(opened: Open, tmp_path: Path) -> None:
    outcomes: list[Outcome] = [
        kept("00000000000000aa", 0, "Name two birds that sing."),
        kept("00000000000000aa", 1, "Name two small birds that sing, and say where."),
    ]  # fmt: skip
    write_run(str(tmp_path), [outcomes], generations=1)
    page = opened(tmp_path)
    assert page.locator("#detail ins").all_inner_texts() == ["small", ", and say where"]


def test_on_a_phone_a_lineage_takes_the_place_of_the_list(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 12)
    page = opened(tmp_path, PHONE)
    assert page.is_hidden("#detail")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("#list button.row").nth(3).click()
    page.wait_for_selector("#detail", state="visible")  # its text is unpacked first
    assert page.is_hidden("#list-pane")
    page.get_by_role("button", name="Back to the list").click()
    page.wait_for_selector("#list-pane", state="visible")
    assert page.evaluate("document.activeElement.dataset.entry") == "3"


def test_keys(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 12)
    page = opened(tmp_path)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'detail'")
    second = page.inner_text("#list li:nth-child(2) .title")
    assert second.removesuffix("…") in " ".join(page.locator("#detail .said").first.inner_text().split())
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.entry") == "1"


def test_links_lead_to_a_lineage_and_from_examples(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 12)
    root = f"{5 * 2654435761 % 2**64:016x}"
    page = opened(tmp_path, anchor=f"#lineage={root}")
    assert root in page.inner_text("#detail")
    link = page.locator("a.jump:visible").first
    link.click()
    page.wait_for_function("root => document.getElementById('detail').innerText.includes(root)",
                           arg=link.get_attribute("data-root"))  # fmt: skip


def test_a_sample_says_so_and_its_search_works(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 4000, words=60)
    page = opened(tmp_path, max_mb=0.6)
    some = int(page.inner_text("#status").removesuffix(" lineages").replace(",", ""))
    assert 100 < some < 4000
    assert f"{some:,} of 4,000 lineages are in this page" in page.inner_text("#lineages")
    _search(page, "word7")
    assert len(_rows(page)) == 50


def test_a_refine_run(opened: Open, tmp_path: Path) -> None:
    rows = [
        refine_run.record(1, 0, reason="", source="a"), refine_run.record(1, 1, reason="near_duplicate", source="a"),
        refine_run.record(2, 0, reason="leak", source="<b>"),
    ]  # fmt: skip
    refine_run.write_run(str(tmp_path), [rows])
    page = opened(tmp_path, figures=True)
    page.select_option("#by-source", label="a")
    page.click("#list button.row")
    page.wait_for_function("() => document.getElementById('detail').innerText.includes('in the mix')")
    assert "dropped: near duplicate" in page.inner_text("#detail")


def test_it_can_be_printed(opened: Open, tmp_path: Path) -> None:
    plain_run(str(tmp_path), 12)
    page = opened(tmp_path)
    page.emulate_media(media="print")
    assert page.is_hidden("nav") and page.is_hidden("#filters") and page.is_visible("#detail .node")
    assert len(page.pdf()) > 10_000
