import json
from pathlib import Path

import pytest

from evolray.board.collecting import Collected, collect
from evolray.errors import UserError
from evolray.pool.layout import RemoteFolder
from tests.board.written_runs import UPDATED, entry, gsm8k, wizard_eval, write, write_three


def found(*folders: Path, **names: str) -> Collected:
    return collect([str(folder) for folder in folders], names)


def reasons(collected: Collected) -> dict[str, str]:
    return {f"{one.run} {one.benchmark}".strip(): one.reason for one in collected.left_out}


def test_runs_are_found_at_any_depth_with_the_cells_of_sweeps(tmp_path: Path) -> None:
    collected = found(write_three(tmp_path / "runs"))
    assert len(collected.rows) == 14 and collected.left_out == ()
    runs = {row.run for row in collected.rows}
    assert {"runs/wizard-13b-chat", "runs/sweep/cells/wizard-13b-gsm8k"} <= runs and len(runs) == 9


def test_an_entry_in_typed_fields(tmp_path: Path) -> None:
    write(tmp_path / "run", {"wizard_eval": wizard_eval("wizard-13b", 89.1)})
    (row,) = found(tmp_path / "run", **{"wizard-13b": "WizardLM 13B"}).rows
    assert (row.model, row.called, row.run, row.updated_at) == ("WizardLM 13B", "wizard-13b", "run", UPDATED)
    assert (row.score, row.low, row.high, row.total) == (89.1, 87.1, 91.1, 218)
    assert (row.metric, row.unit, row.judge, row.protocol) == ("relative score", "%", "gpt-4", "two_scores")
    assert (row.baseline, row.release, row.sha256) == ("gpt-3.5-turbo", "WizardEval 1", "ab" * 32)
    assert {name: len(groups) for name, groups in row.groups.items()} == {"skill": 29, "difficulty": 10, "split": 2}
    assert row.sampling["max_tokens"] == "protocol's" and row.rules == {"judge": "gpt-4", "order": "both"}


def test_results_of_an_earlier_version_have_only_pass_at_k(tmp_path: Path) -> None:
    old = {
        "title": "HumanEval", "pass@1": 59.76, "passed": 98, "total": 164,
        "pass@k": {"1": {"score": 59.76, "low": 52.1, "high": 67.0}}, "model": "m",
    }  # fmt: skip
    (row,) = found(write(tmp_path / "run", {"humaneval": old})).rows
    assert (row.score, row.low, row.high, row.metric, row.unit) == (59.76, 52.1, 67.0, "pass@1", "%")


def test_what_is_incomplete_or_unreadable_is_listed_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "fine", {"gsm8k": gsm8k("m", 50)})
    write(tmp_path / "half", {"gsm8k": gsm8k("m", 50)}, status="running")
    write(tmp_path / "cut off", {})
    (tmp_path / "cut off" / "scores.json").write_text('{"gsm8k": {', encoding="utf-8")
    write(tmp_path / "alone", {"gsm8k": gsm8k("m", 50)})
    (tmp_path / "alone" / "manifest.json").unlink()
    write(tmp_path / "unscored", {})
    (tmp_path / "unscored" / "scores.json").unlink()
    write(tmp_path / "begun", {}, status="interrupted")
    (tmp_path / "begun" / "scores.json").unlink()
    write(tmp_path / "empty", {})
    write(tmp_path / "a list", [1])
    write(tmp_path / "not utf-8", {})
    (tmp_path / "not utf-8" / "scores.json").write_bytes(b'{"a": "\xff"}')
    write(tmp_path / "deep", {})
    (tmp_path / "deep" / "scores.json").write_text("[" * 100_000, encoding="utf-8")
    collected = found(tmp_path)
    name = tmp_path.name
    assert [row.run for row in collected.rows] == [f"{name}/fine"]
    why = {run.removeprefix(f"{name}/"): reason for run, reason in reasons(collected).items()}
    assert why.pop("cut off").startswith("scores.json is no JSON (Expecting property name")
    assert why.pop("not utf-8").startswith("scores.json is no JSON ('utf-8' codec can't decode")
    assert why.pop("deep").startswith("scores.json is no JSON (maximum recursion depth")
    assert why == {
        "half": "its evaluation is not complete (status: running)",
        "begun": "its evaluation is not complete (status: interrupted)",
        "alone": "there is no manifest.json, so it cannot be told whether the run is complete; copy it, too",
        "unscored": "there is no scores.json, though its manifest says that the run is complete",
        "empty": "scores.json is empty",
        "a list": "scores.json holds list; expected an object",
    }


def test_an_entry_that_cannot_be_used_leaves_the_others(tmp_path: Path) -> None:
    scores = {
        "fine": entry("m", "Fine", 50), "text": {"score": "90"}, "nothing": None, "unit": entry("m", "U", 5, unit="km"),
        "wikitext": entry("m", "W", 41.2, unit="", metric="word_perplexity"),
        "infinite": entry("m", "I", float("inf")), "huge": entry("m", "H", 0) | {"score": 10**400},
        "true": {"score": True},
    }  # fmt: skip
    collected = found(write(tmp_path / "run", scores))
    assert [row.benchmark for row in collected.rows] == ["fine"]
    why = reasons(collected)
    assert why["run text"] == "score is str '90'; expected a number"
    assert why["run nothing"] == "its entry is missing; expected an object with its score"
    assert why["run wikitext"].startswith("word_perplexity has no scale that others could be compared on")
    assert why["run unit"] == "unit is 'km'; expected % or of 10"
    assert {"run infinite", "run huge", "run true"} <= why.keys() and len(why) == 7


def test_what_is_wrong_beside_the_score_is_set_aside_and_said(tmp_path: Path) -> None:
    groups = {"skill": {"Math": {"score": 80}, "Law": {"score": "x"}, "Art": 3}, "broken": 7}
    wrong = entry("m", "W", 50, groups=groups) | {"low": 60, "high": 70}
    collected = found(write(tmp_path / "run", {"w": wrong}))
    (row,) = collected.rows
    assert (row.score, row.low, row.high) == (50, None, None) and row.groups == {"skill": {"Math": {"score": 80}}}
    assert [one.reason for one in collected.left_out] == [
        "2 of its groups by skill have no score; they are not shown",
        "the interval from 60 to 70 does not hold the score 50; it is not shown",
    ]


def test_a_run_counts_once_however_it_is_reached(tmp_path: Path) -> None:
    runs = write_three(tmp_path / "runs")
    (runs / "latest").symlink_to(runs / "wizard-13b-chat")
    (runs / "around").symlink_to(runs)
    collected = found(runs, runs / "sweep", runs / "wizard-13b-chat", runs)
    assert len(collected.rows) == 14
    assert not any("latest" in row.run or "around" in row.run for row in collected.rows)


def test_folders_of_the_same_name_are_told_apart_by_what_is_above(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "runs" / "one", {"gsm8k": gsm8k(name, 50)})
    rows = found(tmp_path / "a" / "runs", tmp_path / "b" / "runs").rows
    assert [(row.model, row.run) for row in rows] == [("a", "a/runs/one"), ("b", "b/runs/one")]


def test_other_stages_are_passed_over_but_not_what_lies_in_them(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "manifest.json").write_text(json.dumps({"stage": "train", "status": "running"}))
    write(tmp_path / "train" / "scores of step 10", {"gsm8k": gsm8k("m", 50)})
    collected = found(tmp_path / "train")
    assert [row.run for row in collected.rows] == ["train/scores of step 10"] and collected.left_out == ()


def test_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_three(tmp_path / "bucket" / "runs")
    (tmp_path / "bucket" / "runs" / "notes").write_text("no folder", encoding="utf-8")
    url = "s3://bucket/runs"
    monkeypatch.setattr(
        "evolray.board.collecting.open_folder", lambda _: RemoteFolder(f"file://{tmp_path}/bucket/runs")
    )
    collected = collect([url], {})
    assert len(collected.rows) == 14 and {row.run.partition("/")[0] for row in collected.rows} == {"runs"}
    assert collected.left_out == ()


def test_what_is_no_folder_is_said_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="missing is not there; expected a folder in which runs lie"):
        found(tmp_path / "missing")
    with pytest.raises(UserError, match="file is a file; expected a folder"):
        found(tmp_path / "file")
    with pytest.raises(UserError, match="results is empty"):
        collect([], {})
