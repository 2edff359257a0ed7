import base64
import hashlib
import re
from pathlib import Path

import pytest

from evolray.config import ReportConfig
from evolray.errors import UserError
from evolray.pool.layout import open_folder
from evolray.records import Outcome
from evolray.report.page.examples import Examples
from evolray.report.page.lineages import Sample
from evolray.report.page.outcomes import read_shards
from evolray.report.stage import report
from tests.report import refine_run
from tests.report.evolve_run import eliminated, failed, kept, plain_run, write_run

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a second each, and have tests of their own."""
    monkeypatch.setattr("evolray.report.stage.figures", lambda run: {})


def page_of(run: Path, **settings: object) -> str:
    return Path(report(ReportConfig(run=str(run), **settings))).read_text(encoding="utf-8")  # type: ignore[arg-type]


def text_of(html: str) -> str:
    """Roughly what a reader sees: no scripts, no styles, no tags."""
    body = re.sub(r"(?s)<(script|style|svg).*?</\1>", "", html[html.index("<body>") :])
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_the_page_of_an_evolve_run(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 30)
    text = text_of(page_of(tmp_path / "run"))
    assert "seeds 30" in text and "kept 78" in text and "eliminated 9" in text and "failed 3" in text
    assert "no information gain 0 0 9 9" in text and re.search(r"Parent Name thing \d+ .* Evolved Name thing", text)
    assert "All 30 lineages of the run" in text
    assert "The teacher was the simulated one" in text
    assert (tmp_path / "run" / "report" / "acceptance.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_of_a_refine_run(tmp_path: Path) -> None:
    rows = [
        refine_run.record(1, 0, reason="", instruction="Keep me."),
        refine_run.record(2, 1, reason="near_duplicate", instruction="Drop me."),
        refine_run.record(3, 1, reason="leak", instruction="A benchmark's."),
        refine_run.record(4, 2, reason="over_budget", source="code", difficulty=7, skills=["Math"]),
    ]
    cluster = {"kept": "1", "dropped": rows[1]["id"], "kind": "near_duplicate", "similarity": 0.75,
               "kept_text": "Keep me.", "dropped_text": "Drop me."}  # fmt: skip
    leak = {"row": 2, "benchmark": "gsm8k", "item": "17", "kind": "ngram", "evidence": "James has 3 apples"}
    refine_run.write_run(
        str(tmp_path / "run"), [rows[:2], rows[2:]], benchmarks=["gsm8k"], clusters=[cluster], leaks=[leak]
    )
    text = text_of(page_of(tmp_path / "run"))
    assert "came in 4" in text and "in the mix 1 25.0 %" in text
    assert "near duplicate 1 25.0 %" in text and "over budget 1 25.0 %" in text
    assert "0.75 Keep me. Drop me." in text
    assert "gsm8k 17 ngram question in instruction 1.00 James has 3 apples" in text
    assert "Records by skill, before and after." in text and "Records by source, before and after." in text


@pytest.mark.usefixtures("without_figures")
def test_a_refine_run_without_any_drop_judge_or_benchmark_has_a_page(tmp_path: Path) -> None:
    refine_run.write_run(str(tmp_path / "run"), [[refine_run.record(1, 0, reason="")]], judged=False)
    html = page_of(tmp_path / "run")
    assert "All 1 lineages" in text_of(html) and 'id="duplicates"' not in html


@pytest.mark.usefixtures("without_figures")
def test_texts_of_the_run_are_never_markup(tmp_path: Path) -> None:
    root = "00000000000000aa"
    outcomes: list[Outcome] = [
        kept(root, 0, HOSTILE, HOSTILE), eliminated(root, 1, HOSTILE), failed(root, 2, HOSTILE),
    ]  # fmt: skip
    write_run(str(tmp_path / "run"), [outcomes], generations=2)
    html = page_of(tmp_path / "run")
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=&#34;alert(2)&#34;&gt;") >= 3
    assert html.count("<script") == 3  # index, one chunk, the page's own


def test_the_page_allows_itself_nothing_but_its_own_script_and_style(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 3)
    html = page_of(tmp_path / "run")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src &#39;none&#39;") and "unsafe" not in policy and "http" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", html)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest.replace('+', '&#43;') if '&#43;' in policy else digest}&#39;" in policy
    assert not re.findall(r' style="', html)
    assert not re.findall(r'(?:src|href|action)="(?!#|data:,)', html.replace("xlink:href", "href"))


@pytest.mark.usefixtures("without_figures")
def test_credentials_of_paths_are_not_in_the_page(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 3)
    html = page_of(tmp_path / "run")
    assert "s3://***@bucket/seeds.json" in html and "secret" not in html


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 20, shards=2)
    assert page_of(tmp_path / "run") == page_of(tmp_path / "run", output=str(tmp_path / "other.html"))
    assert (tmp_path / "other" / "acceptance.png").exists()


@pytest.mark.usefixtures("without_figures")
def test_a_page_that_is_too_small_for_all_lineages_says_how_many_it_has(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 4000, words=60)
    html = page_of(tmp_path / "run", max_mb=0.5)
    (some,) = re.findall(r"([\d,]+) of 4,000 lineages are in this page", text_of(html))
    assert 100 < int(some.replace(",", "")) < 4000
    assert len(html.encode()) <= 500_000
    assert f"evolray show {tmp_path / 'run'} --root ID" in html


@pytest.mark.usefixtures("without_figures")
def test_examples_are_as_many_as_asked_for(tmp_path: Path) -> None:
    plain_run(str(tmp_path / "run"), 40)
    assert page_of(tmp_path / "run", examples=2).count('<article class="example">') == 4  # two reasons
    assert page_of(tmp_path / "run", examples=0).count('<article class="example">') == 0


@pytest.mark.usefixtures("without_figures")
def test_a_run_that_was_cut_off_says_so(tmp_path: Path) -> None:
    write_run(str(tmp_path / "run"), [[kept("00000000000000aa", 0, "Why?")]], generations=0, status="out_of_budget")
    assert "This run is out of budget: 1 of 1 shards are finished" in text_of(page_of(tmp_path / "run"))


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_mb": 0.01}, r"max_mb=0.01: without any lineage the page has 0\.\d MB"),
        ({"max_mb": -1.0}, "max_mb is -1; expected a size"),
        ({"examples": -1}, "examples is -1"),
        ({"output": "page.txt"}, "expected the name of an .html file"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    plain_run(str(tmp_path / "run"), 3)
    with pytest.raises(UserError, match=message):
        page_of(tmp_path / "run", **settings)


def test_the_lineages_of_examples_are_in_the_sample(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 3000)
    examples, sample = Examples(0, 5), Sample(0, 30_000)
    for shard in read_shards(open_folder(str(tmp_path)), "evolve"):
        examples.add(shard)
        sample.add(shard)
    found = [one.outcome.root_id for one in examples.of("eliminated", "no_information_gain")]
    assert len(found) == 5 and set(found) <= {one.root_id for one in sample.lineages()}
    assert examples.counts == {("eliminated", "no_information_gain"): 900, ("failed", "timeout"): 300}
