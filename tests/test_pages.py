"""`evolray report` finds out whose run it is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from evolray import pages
from evolray.config import ReportConfig
from evolray.errors import UserError


def run_of(place: Path, stage: str) -> ReportConfig:
    (place / "manifest.json").write_text(json.dumps({"stage": stage, "status": "complete"}))
    return ReportConfig(run=str(place))


@pytest.mark.parametrize("stage", pages.WITH_A_PAGE)
def test_a_run_of_several_stages_writes_its_own_page(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(f"evolray.{stage}.page.writing.write_page", lambda folder: seen.append(folder.url) or "a page")
    assert pages.write_page(run_of(tmp_path, stage)) == "a page"
    assert seen == [str(tmp_path)]


def test_its_page_has_one_place(tmp_path: Path) -> None:
    config = run_of(tmp_path, "campaign")
    config.output = "elsewhere.html"
    with pytest.raises(UserError, match=r"^output=elsewhere.html: the page of a run of campaign is report.html in its"):
        pages.write_page(config)


def test_whatever_else_it_is_goes_to_the_report_of_evolve_and_refine(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evolray run here"):
        pages.write_page(ReportConfig(run=str(tmp_path)))
