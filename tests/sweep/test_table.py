"""The same rows for a terminal, a spreadsheet and a program."""

import csv
import io
import json
from collections.abc import Sequence

from rich.console import Console

from evolray.sweep.rows import Row, find_best
from evolray.sweep.table import table, to_csv, to_json
from tests.sweep.places import judged, row


def printed(rows: Sequence[Row]) -> list[str]:
    console = Console(width=160, file=io.StringIO())
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


ROWS = [
    row("tiny", 1000, "gsm8k", 10.0),
    row("tiny", 1000, "mbpp", 12.5),
    row("tiny", 2000, "gsm8k", 20.0, unanswered=3),
    row("tiny", 2000, "mbpp", None, message='its job ended with exit code 1; its log: "/x/job.log"'),
    row("llama", None, "gsm8k", None, status="waiting"),
]


MIXED = [
    row("tiny", 1000, "gsm8k", 40.0),
    judged("tiny", 1000, "mt_bench", 6.425, "mean score", title="MT-Bench", no_verdict=2),
    judged("tiny", 1000, "wizard_eval", 101.4, "relative score", title="WizardEval", low=None, high=None),
]


def test_for_a_terminal() -> None:
    assert [line.split() for line in printed(ROWS)] == [
        "checkpoint step benchmark score 95 % interval passed".split(),
        "tiny 1,000 GSM8K 10.0 % pass@1 5.0 – 15.0 20 of 200".split(),
        "tiny 1,000 MBPP 12.5 % pass@1 7.5 – 17.5 25 of 200 best".split(),
        "tiny 2,000 GSM8K 20.0 % pass@1 15.0 – 25.0 40 of 200 best 3 unanswered".split(),
        "tiny 2,000 MBPP failed".split(),
        "llama GSM8K waiting".split(),
        "best of all: tiny, step 1,000, mean 11.2 %".split(),
    ]


def test_every_score_says_its_unit_and_what_it_is() -> None:
    assert [line.split() for line in printed(MIXED)] == [
        "checkpoint step benchmark score 95 % interval passed".split(),
        "tiny 1,000 GSM8K 40.0 % pass@1 35.0 – 45.0 80 of 200 best".split(),
        "tiny 1,000 MT-Bench 6.42 of 10 mean score 6.12 – 6.72 best 2 no verdict".split(),
        "tiny 1,000 WizardEval 101.4 % relative score best".split(),
        "best of all: tiny, step 1,000, mean 68.5 % (scores of 10 count times 10)".split(),
    ]


def test_what_only_graded_benchmarks_have_is_no_column_without_them() -> None:
    assert printed(MIXED[1:])[0].split() == "checkpoint step benchmark score 95 % interval".split()


def test_settings_and_other_k_get_columns() -> None:
    scores = {"1": {"score": 10.0, "low": 5.0, "high": 15.0}, "10": {"score": 30.0, "low": 20.0, "high": 40.0}}
    rows = [
        row("tiny", 1, "gsm8k", 10.0, settings={"sampling.n": n, "prompt": "plain"}, scores=scores) for n in (10, 20)
    ]
    header, first, second = (line.split() for line in printed(rows))
    assert header == "checkpoint step benchmark n prompt score 95 % interval passed pass@10 %".split()
    assert first == "tiny 1 GSM8K 10 plain 10.0 % pass@1 5.0 – 15.0 20 of 200 30.0 best".split()
    assert second == "tiny 1 GSM8K 20 plain 10.0 % pass@1 5.0 – 15.0 20 of 200 30.0".split()


def test_the_judge_s_settings_are_told_from_the_model_s() -> None:
    settings = {"sampling.temperature": 0.0, "judge.sampling.temperature": 0.2}
    assert "temperature judge temperature" in " ".join(printed([row("a", 1, "x", 1.0, settings=settings)])[0].split())


def test_markup_in_names_is_text() -> None:
    assert any("[red]tiny" in line for line in printed([row("[red]tiny", 1, "gsm8k", 10.0)]))


def test_for_a_spreadsheet() -> None:
    rows = [*ROWS, row("tiny", 1, "gsm8k", 50.0, settings={"sampling.stop": ["a", "b"]})]
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [one["status"] for one in read] == ["complete", "complete", "complete", "failed", "waiting", "complete"]
    first, failed, with_settings = read[0], read[3], read[5]
    assert (first["checkpoint"], first["step"], first["pass@1"], first["pass@1_low"]) == ("tiny", "1000", "10.0", "5.0")
    assert (first["passed"], first["total"], first["sampling.stop"]) == ("20", "200", "")
    assert (failed["pass@1"], failed["message"]) == ("", 'its job ended with exit code 1; its log: "/x/job.log"')
    assert json.loads(with_settings["sampling.stop"]) == ["a", "b"]


def test_a_spreadsheet_has_pass_at_1_only_where_it_was_measured() -> None:
    text = to_csv(MIXED)
    assert text.splitlines()[0] == (
        "checkpoint,step,benchmark,status,metric,unit,score,low,high,pass@1,pass@1_low,pass@1_high,passed,total,"
        "unanswered,no_verdict,judge,model,cell,message"
    )
    read = [
        [one[name] for name in ("metric", "unit", "score", "high", "pass@1", "pass@1_high", "passed", "total", "judge")]
        for one in csv.DictReader(io.StringIO(text))
    ]
    assert read == [
        ["pass@1", "%", "40.0", "45.0", "40.0", "45.0", "80", "200", ""],
        ["mean score", "of 10", "6.425", "6.725", "", "", "", "80", "a-judge"],
        ["relative score", "%", "101.4", "", "", "", "", "80", "a-judge"],
    ]


def test_for_a_program() -> None:
    content = json.loads(to_json(ROWS, find_best(ROWS)))
    assert content["best"]["benchmarks"]["gsm8k"] == {
        "checkpoint": "tiny", "step": 2000, "model": None, "settings": {}, "score": 20.0,
        "metric": "pass@1", "unit": "%", "pass@1": 20.0,
    }  # fmt: skip
    assert content["best"]["overall"]["mean"] == 11.25
    assert [one["score"] for one in content["rows"]] == [10.0, 12.5, 20.0, None, None]
