import csv
import io
from pathlib import Path

import pytest

from evolray.board.collecting import collect
from evolray.board.csv_file import HEADER, to_csv, when
from tests.board.written_runs import gsm8k, mmlu, mt_bench, write

EXPECTED = f"""\
model,benchmark,column,metric,unit,score,low,high,length_controlled,total,problems,samples,missing,failed,unanswered,unjudged,no_verdict,\
wins,ties,losses,judge,protocol,baseline,release,data_sha256,task,shots,prompt,n,temperature,top_p,top_k,max_tokens,\
stop,seed,rules,called,run,updated_at
b,mt_bench,MT-Bench,mean score,of 10,6.35,6,6.7,,160,80,100,0,0,0,,0,,,,gpt-4,single,,MT-Bench 1,{"ab" * 32},,,plain,\
1,0,1,0,protocol's,none,0,"{{""judge"": ""gpt-4"", ""order"": ""both""}}",b,runs/b,2025-06-15T15:06:40Z
A,mmlu,MMLU,accuracy,%,52.3,51.5,53.1,,14042,14042,100,0,0,,,,,,,,,,MMLU 1,{"ab" * 32},mmlu,5,plain,\
1,0,1,0,protocol's,none,0,,a,runs/a,2025-06-15T15:06:40Z
b,mmlu,MMLU,accuracy,%,50,49.2,50.8,,14042,14042,100,0,0,,,,,,,,,,MMLU 1,{"ab" * 32},mmlu,5,plain,\
1,0,1,0,protocol's,none,0,,b,runs/b,2025-06-15T15:06:40Z
"""


def test_a_line_per_result_by_column_and_model(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "a", {"mmlu": mmlu("a", 52.3)})
    write(tmp_path / "runs" / "b", {"mmlu": mmlu("b", 50), "mt_bench": mt_bench("b", 6.35)})
    assert to_csv(collect([str(tmp_path / "runs")], {"a": "A"}).rows) == EXPECTED


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=cmd|"/c calc"!A1', '\'=cmd|"/c calc"!A1'),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("@import", "'@import"),
        ("\t=1+1", "'=1+1"),
        ("\r\n=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("two\nlines", "two lines"),
        ('a,"b"', 'a,"b"'),
        ("safe \u202egpj.exe", "safe [U+202E]gpj.exe"),
        ("-1", "-1"),
        ("a=b", "a=b"),
    ],
)
def test_no_text_is_a_formula_or_another_line(tmp_path: Path, name: str, cell: str) -> None:
    text = to_csv(collect([str(write(tmp_path, {"gsm8k": gsm8k(name, 50)}))], {}).rows)
    assert text.count("\n") == 2
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["model"], row["called"], row["score"]) == (cell, cell, "50") and tuple(row) == HEADER


def test_times() -> None:
    assert (when(0.0), when(0.0, only_day=True)) == ("1970-01-01T00:00:00Z", "1970-01-01")
    assert (when(None), when(1e300), when(float("nan"))) == ("", "", "")
