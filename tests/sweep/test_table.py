"""The same rows for a terminal, a spreadsheet and a program."""

import csv
import io
import json
from collections.abc import Sequence

from rich.console import Console

from evolray.sweep.rows import Row, find_best
from evolray.sweep.table import table, to_csv, to_json
from tests.sweep.places import row


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


def test_for_a_terminal() -> None:
    assert [line.split() for line in printed(ROWS)] == [
        "checkpoint step benchmark pass@1 % 95 % interval passed".split(),
        "tiny 1,000 GSM8K 10.0 5.0 – 15.0 20 of 200".split(),
        "tiny 1,000 MBPP 12.5 7.5 – 17.5 25 of 200 best".split(),
        "tiny 2,000 GSM8K 20.0 15.0 – 25.0 40 of 200 best 3 unanswered".split(),
        "tiny 2,000 MBPP failed".split(),
        "llama GSM8K waiting".split(),
        "best of all: tiny, step 1,000, mean 11.2 %".split(),
    ]


def test_settings_and_other_k_get_columns() -> None:
    scores = {"1": {"score": 10.0, "low": 5.0, "high": 15.0}, "10": {"score": 30.0, "low": 20.0, "high": 40.0}}
    rows = [
        row("tiny", 1, "gsm8k", 10.0, settings={"sampling.n": n, "prompt": "plain"}, scores=scores) for n in (10, 20)
    ]
    header, first, second = (line.split() for line in printed(rows))
    assert header == "checkpoint step benchmark n prompt pass@1 % 95 % interval passed pass@10 %".split()
    assert first == "tiny 1 GSM8K 10 plain 10.0 5.0 – 15.0 20 of 200 30.0 best".split()
    assert second == "tiny 1 GSM8K 20 plain 10.0 5.0 – 15.0 20 of 200 30.0".split()


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


def test_for_a_program() -> None:
    content = json.loads(to_json(ROWS, find_best(ROWS)))
    assert content["best"]["benchmarks"]["gsm8k"] == {
        "checkpoint": "tiny", "step": 2000, "model": None, "settings": {}, "pass@1": 20.0,
    }  # fmt: skip
    assert content["best"]["overall"]["mean"] == 11.25
    assert [one["score"] for one in content["rows"]] == [10.0, 12.5, 20.0, None, None]
