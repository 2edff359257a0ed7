import json
from pathlib import Path

import pytest

from evolray.config import ReportConfig
from evolray.errors import UserError
from evolray.pool.layout import open_folder
from evolray.report.stage import report
from tests.report.evolve_run import plain_run


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no evolray run here"):
        report(ReportConfig(run=str(tmp_path)))


def test_another_stage_has_no_report(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    folder.write("run.yaml", b"config: {}\n")
    folder.write("manifest.json", json.dumps({"stage": "train"}).encode())
    with pytest.raises(UserError, match="is a run of train; a report is made of a run of evolve or refine"):
        report(ReportConfig(run=str(tmp_path)))


def test_nothing_is_finished_yet(tmp_path: Path) -> None:
    open_folder(str(tmp_path)).write("run.yaml", b"config: {}\n")
    with pytest.raises(UserError, match="no shard is finished yet"):
        report(ReportConfig(run=str(tmp_path)))


def test_the_page_and_its_figures_lie_in_the_run_directory(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 5)
    assert report(ReportConfig(run=str(tmp_path))) == str(tmp_path / "report.html")
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".png"}


def test_an_output_elsewhere_leaves_the_run_directory_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_run(str(tmp_path / "run"), 5)
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    monkeypatch.chdir(tmp_path)
    assert report(ReportConfig(run="run", output="page.html")) == str(tmp_path / "page.html")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    assert (tmp_path / "page" / "acceptance.png").exists()
