"""The page of a campaign, as text; tests/campaign/test_chromium.py opens it."""

import re
from pathlib import Path
from typing import Any

import pytest

from evolray import pages
from evolray.campaign.manifest import CampaignManifest
from evolray.campaign.page.writing import write_page
from evolray.config import ReportConfig
from evolray.errors import UserError
from evolray.pipeline.records import Attempt, StepRecord
from evolray.pool.layout import open_folder
from tests.campaign.written_campaign import WHEN, WHY, campaign, learned, step, write


def text_of(
    tmp_path: Path, manifest: CampaignManifest, steps: list[StepRecord] | None = None, drawn: bool = False
) -> str:
    """`drawn`: with figures, which take a second."""
    folder = open_folder(write(tmp_path / "coder", manifest, steps))
    with pytest.MonkeyPatch.context() as patch:
        if not drawn:
            patch.setattr("evolray.campaign.page.writing.figures", lambda manifest: {})
        return Path(write_page(folder)).read_text(encoding="utf-8")


def rows(page: str, label: str) -> list[list[str]]:
    """The cells of the table that is called `label`, without markup."""
    table = page[page.index(f'<table aria-label="{label}') :]
    found = re.findall(r"<tr.*?</tr>", table[: table.index("</table>")], re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            for row in found]  # fmt: skip


def notices(page: str) -> list[str]:
    return re.findall(r'<p class="notice"><bdi>(.*?)</bdi></p>', page)


def test_rounds_have_scores_intervals_and_a_verdict(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign())
    assert rows(page, "The score is the mean") == [
        ["round", "score, %", "95 % interval", "HumanEval", "MT-Bench", ""],
        ["seeds alone", "41.0", "35.0 – 46.0", "45.0", "3.70", ""],
        ["round 1", "48.5", "42.5 – 53.5", "52.5", "4.45", ""],
        ["round 2", "55.0", "49.0 – 60.0", "59.0", "5.10", "best"],
        ["round 3", "50.0", "44.0 – 55.0", "54.0", "4.60", "fell"],
    ]
    assert f"It ended because {WHY}." in page
    assert "3 rounds after a student of the seeds alone" in page
    assert "scored on HumanEval and MT-Bench" in page


def test_what_was_kept_and_trained_on_is_there_by_round(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign())
    assert rows(page, "The generation that each round added.")[2] == [
        "round 2", "100", "78", "17", "5", "82.1 %", "no content 12, refusal 5",
    ]  # fmt: skip
    assert rows(page, "Records of each mix")[1:3] == [
        ["seeds alone", "1,000", "7", "1,000", "90,000", "48", "1.500", "–"],
        ["round 1", "2,000", "7", "2,000", "90,000", "96", "1.400", "–"],
    ]
    assert rows(page, "Kept of what each operator made")[1] == ["add constraints", "21 of 30", "22 of 30", "23 of 30"]


def test_learned_weights_are_a_figure_and_a_table(tmp_path: Path) -> None:
    page = text_of(tmp_path, learned(), drawn=True)
    assert "Operator weights by generation" in page
    files = sorted(path.name for path in (tmp_path / "coder" / "report").iterdir())
    assert files == ["scores.png", "times.png", "weights.png"]  # beside the page
    assert rows(page, "Kept of what each operator made")[3] == [
        "mutate", "23 of 30", "24 of 30, weight 0.90", "25 of 30, weight 0.50",
    ]  # fmt: skip


def test_cost_and_time_add_up(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign())
    assert rows(page, "What each round added: calls")[-2:] == [
        ["round 3", "3,200", "900,000", "400,000", "1.25"],
        ["all", "9,600", "2,700,000", "1,200,000", "3.75"],
    ]
    assert rows(page, "Time by round and stage.")[-1] == [
        "all", "15 min 00 s", "1 min 20 s", "1 h 00 min", "8 min 00 s", "1 h 24 min",
    ]  # fmt: skip


def test_the_student_to_keep_is_named(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign())
    assert "<dt>student to keep</dt><dd>round 2</dd>" in page
    assert "step 144 of /runs/coder/rounds/2/student" in page
    assert "<dt>best score</dt><dd>55.0 %</dd>" in page


def test_a_running_campaign_says_where_it_is_and_is_read_again(tmp_path: Path) -> None:
    steps = [step("round-1/evaluate"), step("round-2/train", "running"), step("round-2/evaluate", "waiting")]
    page = text_of(tmp_path, campaign(2, status="running", working_on=[2]), steps)
    assert re.match(r"This campaign is running, at round 2: round-2/train for [\d,]+ h \d\d min\.$", notices(page)[0])
    assert '<meta http-equiv="refresh" content="30">' in page
    assert "It ended because" not in page
    assert [row[:3] for row in rows(page, "Steps with their jobs")[1:]] == [
        ["round-1/evaluate", "complete", "1"], ["round-2/train", "running", "1"], ["round-2/evaluate", "waiting", "0"],
    ]  # fmt: skip


def test_a_finished_campaign_is_not_read_again(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign(), [step("round-1/evolve")])
    assert "refresh" not in page and notices(page) == []


def test_what_failed_is_said_with_where_its_log_is(tmp_path: Path) -> None:
    tried = [Attempt("job", "failed", "exit code 1", 1, WHEN, WHEN + 5) for _ in range(3)]
    failed = step("round-2/train", "failed", message="the student has no <room>.", attempts=tried)
    page = text_of(tmp_path, campaign(2, status="stopped", message="round-2/train failed"), [failed])
    assert notices(page) == [
        "This campaign is stopped: round-2/train failed. The same command goes on.",
        "round-2/train failed: the student has no &lt;room&gt;. "
        "The logs of its jobs are in steps/round-2/train/job.log.",
    ]
    assert rows(page, "Steps with their jobs")[1] == [
        "round-2/train", "failed", "3", "15 s", "the student has no &lt;room&gt;.",
    ]  # fmt: skip


def test_a_campaign_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign(0, status="running", message="", working_on=[0, 1], best={}), drawn=True)
    assert notices(page) == ["This campaign is running, at seeds alone and round 1."]
    assert "<svg" not in page and 'href="#cost"' not in page


def test_pages_of_its_parts_are_linked_where_they_are(tmp_path: Path) -> None:
    for part in ("pool", "rounds/2/mix"):
        (tmp_path / "coder" / part).mkdir(parents=True)
        (tmp_path / "coder" / part / "report.html").write_text("a page")
    page = text_of(tmp_path, campaign())
    assert re.findall(r'<li><a href="(.*?)">(.*?)</a>', page) == [
        ("pool/report.html", "pool"), ("rounds/2/mix/report.html", "rounds/2/mix"),
    ]  # fmt: skip
    assert f"evolray status {tmp_path}/coder/rounds/2/dev\n" in page


def test_the_same_campaign_gives_the_same_page(tmp_path: Path) -> None:
    first = text_of(tmp_path, learned(), [step("round-1/evolve")])
    again = text_of(tmp_path, learned(), [step("round-1/evolve")])
    date = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")  # when the manifest was written
    assert date.sub("", first) == date.sub("", again)


def test_settings_are_shown_without_credentials(tmp_path: Path) -> None:
    (tmp_path / "coder").mkdir()
    (tmp_path / "coder" / "run.yaml").write_text("config:\n  seeds: https://me:secret@host/seeds.json\n")
    page = text_of(tmp_path, campaign())
    assert "secret" not in page and "host/seeds.json" in page


def test_texts_of_others_do_nothing_to_the_page(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"teacher": "<script>alert(1)</script>", "message": "a\u202eb", "model": 'x" onload="y'}
    manifest = campaign(**odd)
    manifest.rounds[1]["benchmarks"][0]["title"] = "<b>bold</b>"
    page = text_of(tmp_path, manifest)
    assert "<script" not in page and "<b>bold" not in page and "\u202e" not in page and 'onload="y"' not in page
    assert "default-src &#39;none&#39;" in page


def test_the_simulated_teacher_is_named_as_such(tmp_path: Path) -> None:
    page = text_of(tmp_path, campaign(teacher="simulated"))
    assert notices(page) == [
        "The teacher was the simulated one: good for trying things out, not for training a student."
    ]


def test_evolray_report_writes_it(tmp_path: Path) -> None:
    run = write(tmp_path / "coder", campaign(0))
    assert pages.write_page(ReportConfig(run=run)) == f"{run}/report.html"
    with pytest.raises(UserError, match="there is no campaign"):
        write_page(open_folder(str(tmp_path)))
